//! Reads VEVENT (RFC 5545, 3.6.1) as far as it says when its owner is busy.

use std::collections::HashMap;

use super::content_line::{ContentLine, IcsError};
use super::parser::Component;

/// One VEVENT.
#[derive(Default)]
pub struct Event<'a> {
    /// Where the event begins, counted from 1.
    pub line: usize,
    pub uid: &'a str,
    sequence: i64,
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
}

impl<'a> Event<'a> {
    /// Reads a VEVENT; `owner` is the e-mail address of the calendar's owner.
    ///
    /// # Errors
    /// A date or a rule is too long.
    pub fn read(component: &'a Component<'a>, owner: &str) -> Result<Event<'a>, IcsError> {
        let mut event = Event { line: component.line, ..Event::default() };
        for line in &component.properties {
            match line.name().to_ascii_uppercase().as_str() {
                "UID" => event.uid = line.value(),
                "SEQUENCE" => event.sequence = line.value().parse().unwrap_or(0),
                "DTSTART" => event.dtstart = Some(line.bounded()?),
                "DTEND" => event.dtend = Some(line.bounded()?),
                "DURATION" => event.duration = Some(line.bounded()?),
                "RRULE" => event.rrule.push(line.bounded()?),
                "RDATE" => event.rdate.push(line.bounded()?),
                "EXDATE" => event.exdate.push(line.bounded()?),
                "EXRULE" => event.exrule.push(line.bounded()?),
                "RECURRENCE-ID" => {
                    event.is_this_and_future = line.has_param("RANGE", "THISANDFUTURE");
                    event.recurrence_id = Some(line.bounded()?);
                }
                "TRANSP" => event.is_transparent |= line.has_value("TRANSPARENT"),
                "STATUS" => event.is_transparent |= line.has_value("CANCELLED"),
                "X-MICROSOFT-CDO-BUSYSTATUS" => event.is_transparent |= line.has_value("FREE"),
                "ATTENDEE" => event.is_transparent |= line.has_param("PARTSTAT", "DECLINED") && is_address(line, owner),
                _ => {}
            }
        }
        Ok(event)
    }
}

/// Whether the value of a line is this address, with or without `mailto:`.
fn is_address(line: &ContentLine<'_>, email: &str) -> bool {
    let address = line.value();
    let scheme = address.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    scheme.map_or(address, |_| &address[7..]).eq_ignore_ascii_case(email)
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
