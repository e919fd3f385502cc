//! Reads VEVENT (RFC 5545, 3.6.1) as far as it says when its owner is busy.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::content_line::ContentLine;
use super::parser::Component;
use super::values::parse_date_or_time;
use super::vtimezone_reader::ZoneReference;

/// One VEVENT.
#[derive(Default)]
pub struct Event<'a> {
    /// Where the event begins, counted from 1.
    pub line: usize,
    pub uid: &'a str,
    pub sequence: i64,
    /// The time zone of the calendar (X-WR-TIMEZONE).
    pub calendar_zone: Option<ZoneReference<'a>>,
    pub dtstart: Option<&'a ContentLine<'a>>,
    pub dtend: Option<&'a ContentLine<'a>>,
    pub duration: Option<&'a ContentLine<'a>>,
    pub rrule: Vec<&'a ContentLine<'a>>,
    pub rdate: Vec<&'a ContentLine<'a>>,
    pub exdate: Vec<&'a ContentLine<'a>>,
    /// RFC 5545 dropped EXRULE, but old calendars still have it.
    pub exrule: Vec<&'a ContentLine<'a>>,
    /// The occurrence that the event replaces, and whether it replaces all later ones too.
    pub recurrence_id: Option<&'a ContentLine<'a>>,
    pub is_this_and_future: bool,
    /// Whether the event takes no time of the calendar's owner: transparent, cancelled, shown as free, or declined.
    pub is_transparent: bool,
    pub is_cancelled: bool,
    /// Whether Outlook means whole days, although it may write midnights.
    pub is_all_day: bool,
}

impl<'a> Event<'a> {
    /// Reads a VEVENT; `owner` is the e-mail address of the calendar's owner.
    pub fn read(component: &'a Component<'a>, owner: &str, calendar_zone: Option<ZoneReference<'a>>) -> Event<'a> {
        let mut event = Event { line: component.line, calendar_zone, ..Event::default() };
        for line in &component.properties {
            match line.name().to_ascii_uppercase().as_str() {
                "UID" => event.uid = line.value(),
                "SEQUENCE" => event.sequence = line.value().parse().unwrap_or(0),
                "DTSTART" => keep_readable(&mut event.dtstart, line),
                "DTEND" => keep_readable(&mut event.dtend, line),
                "DURATION" => event.duration = Some(line),
                "RRULE" => event.rrule.push(line),
                "RDATE" => event.rdate.push(line),
                "EXDATE" => event.exdate.push(line),
                "EXRULE" => event.exrule.push(line),
                "RECURRENCE-ID" if !line.value().is_empty() => {
                    event.is_this_and_future = line.has_param("RANGE", "THISANDFUTURE");
                    event.recurrence_id = Some(line);
                }
                "TRANSP" => event.is_transparent |= line.has_value("TRANSPARENT"),
                "STATUS" => event.is_cancelled |= line.has_value("CANCELLED") || line.has_value("CANCELED"),
                "X-MICROSOFT-CDO-BUSYSTATUS" => {
                    event.is_transparent |= line.has_value("FREE") || line.has_value("WORKINGELSEWHERE");
                }
                "X-MICROSOFT-CDO-ALLDAYEVENT" => event.is_all_day |= line.has_value("TRUE"),
                "ATTENDEE" => event.is_transparent |= line.has_param("PARTSTAT", "DECLINED") && is_address(line, owner),
                _ => {}
            }
        }
        event.is_transparent |= event.is_cancelled;
        event
    }

    /// The work of reading the dates of the event, in occurrences: its lines may be as long as the calendar.
    pub fn reading_cost(&self) -> usize {
        let lines = [self.dtstart, self.dtend, self.duration, self.recurrence_id];
        1 + lines.iter().flatten().map(|line| line.byte_len()).sum::<usize>() / 1000
    }
}

/// Keeps the first line whose date can be read; a description that is not folded may look like another one.
fn keep_readable<'a>(kept: &mut Option<&'a ContentLine<'a>>, line: &'a ContentLine<'a>) {
    if kept.is_none_or(|kept| parse_date_or_time(kept.value()).is_none()) {
        *kept = Some(line);
    }
}

/// Whether a line names this address: in its value, with or without `mailto:`, also percent-encoded (RFC 6068), or in its parameter
/// EMAIL (RFC 7986).
fn is_address(line: &ContentLine<'_>, email: &str) -> bool {
    let is_email = |text: &str| {
        let text = text.trim().trim_matches(['"', '<', '>']);
        let address = match text.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &text[7..],
            _ => text,
        };
        let decoded = percent_decode_str(address).decode_utf8_lossy();
        [address, &decoded].iter().any(|text| text.trim().trim_matches(['<', '>']).eq_ignore_ascii_case(email))
    };
    is_email(line.value()) || line.param("EMAIL").is_some_and(is_email)
}

/// Of the events with one UID, and of those that replace one occurrence, keeps the latest revision (SEQUENCE).
pub fn retain_latest_revisions(events: &mut Vec<Event<'_>>) {
    let key = |event: &Event<'_>| (event.uid.to_owned(), event.recurrence_id.map(|which| which.value().to_owned()));
    let mut latest: HashMap<(String, Option<String>), i64> = HashMap::new();
    for event in events.iter().filter(|event| !event.uid.is_empty()) {
        let sequence = latest.entry(key(event)).or_insert(event.sequence);
        *sequence = event.sequence.max(*sequence);
    }
    events.retain(|event| latest.get(&key(event)).is_none_or(|latest| event.sequence == *latest));
}
