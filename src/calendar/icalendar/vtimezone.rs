//! Writes the rules of a zone as VTIMEZONE (RFC 5545, 3.6.5), for readers that do not know its name.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::Offset;

use super::writer::Writer;
use crate::calendar::time::Zone;
use crate::calendar::time::zone::timestamp;

/// The years for which changes are listed, or examined to find their rule. After 28 years every date has fallen on every weekday.
const YEARS: i16 = 40;

/// A change of a zone's offset from UTC.
#[derive(Clone, Debug)]
struct Change {
    /// What the clock shows at the change, by the offset before it.
    local: DateTime,
    from: Offset,
    to: Offset,
    is_daylight: bool,
    name: String,
}

impl Change {
    /// Changes of one kind share one STANDARD or DAYLIGHT component.
    fn kind(&self) -> (Offset, Offset, bool, &str) {
        (self.from, self.to, self.is_daylight, &self.name)
    }
}

/// Adds the VTIMEZONE of a zone, with the rules from the instant `since` on.
pub fn push(writer: &mut Writer, zone: &Zone, since: Timestamp) {
    let changes = changes(zone, since);
    writer.push_all(["BEGIN:VTIMEZONE", &format!("TZID:{}", zone.name())]);
    let last_year = changes.last().map_or(0, |change| change.local.year());
    let mut kinds: Vec<Vec<&Change>> = Vec::new();
    for change in &changes {
        match kinds.iter_mut().find(|kind| kind[0].kind() == change.kind()) {
            Some(kind) => kind.push(change),
            None => kinds.push(vec![change]),
        }
    }
    kinds.iter().for_each(|kind| push_kind(writer, kind, last_year));
    writer.push("END:VTIMEZONE");
}

fn push_kind(writer: &mut Writer, kind: &[&Change], last_year: i16) {
    let Some((first, rest)) = kind.split_first() else { return };
    let part = if first.is_daylight { "DAYLIGHT" } else { "STANDARD" };
    writer.push(&format!("BEGIN:{part}"));
    writer.push(&format!("DTSTART:{}", local_value(first.local)));
    writer.push(&format!("TZOFFSETFROM:{}", offset_value(first.from)));
    writer.push(&format!("TZOFFSETTO:{}", offset_value(first.to)));
    writer.push(&format!("TZNAME:{}", first.name));
    match yearly_rule(kind, last_year) {
        Some(rule) => writer.push(&format!("RRULE:FREQ=YEARLY;{rule}")),
        None => rest.iter().for_each(|change| writer.push(&format!("RDATE:{}", local_value(change.local)))),
    }
    writer.push(&format!("END:{part}"));
}

/// The last change before `since`, and those of the following years.
fn changes(zone: &Zone, since: Timestamp) -> Vec<Change> {
    let rules = zone.rules();
    let after_since = timestamp(since.as_second() + 1);
    let before = rules.preceding(after_since).next();
    let end = rules.to_datetime(since).year() + YEARS;
    let all = before.into_iter().chain(rules.following(since));
    let change = |at: Timestamp, to: Offset, is_daylight: bool, name: &str| {
        let from = rules.to_offset(timestamp(at.as_second() - 1));
        Change { local: from.to_datetime(at), from, to, is_daylight, name: name.to_owned() }
    };
    let all = all.map(|it| change(it.timestamp(), it.offset(), it.dst().is_dst(), it.abbreviation()));
    let mut changes: Vec<Change> = all.take_while(|change| change.local.year() < end).collect();
    if changes.is_empty() {
        let always = rules.to_offset_info(since);
        changes.push(change(Timestamp::UNIX_EPOCH, always.offset(), false, always.abbreviation()));
    }
    changes
}

/// The rule of changes that occur once in each year up to the last year examined: on the same weekday within the same seven days of
/// a month, at the same time.
fn yearly_rule(kind: &[&Change], last_year: i16) -> Option<String> {
    let (first, last) = (kind.first()?.local, kind.last()?.local);
    if last.year() != last_year || kind.len() < 28 {
        return None;
    }
    let alike = |(year, change): (i16, &&Change)| {
        let one = change.local;
        (one.year(), one.month(), one.weekday(), one.time()) == (year, first.month(), first.weekday(), first.time())
    };
    if !(first.year()..).zip(kind).all(alike) {
        return None;
    }
    let days = || kind.iter().map(|change| change.local.day());
    let (low, high) = (days().min()?, days().max()?);
    let weekday = &first.strftime("%A").to_string().to_uppercase()[..2];
    let month = first.month();
    Some(match low {
        _ if high - low != 6 => return None,
        _ if high == first.days_in_month() && month != 2 => format!("BYMONTH={month};BYDAY=-1{weekday}"),
        1 | 8 | 15 | 22 => format!("BYMONTH={month};BYDAY={}{weekday}", low / 7 + 1),
        _ => {
            let days: Vec<String> = (low..=high).map(|day| day.to_string()).collect();
            format!("BYMONTH={month};BYMONTHDAY={};BYDAY={weekday}", days.join(","))
        }
    })
}

/// A local time as a value (RFC 5545, 3.3.5, form 1).
pub fn local_value(local: DateTime) -> String {
    local.strftime("%Y%m%dT%H%M%S").to_string()
}

/// `+HHMM`, with seconds where there are some (RFC 5545, 3.3.14).
fn offset_value(offset: Offset) -> String {
    let mut time = BrokenDownTime::default();
    time.set_offset(Some(offset));
    time.to_string("%z").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, Writer, Zone, push};
    use std::error::Error;

    /// The kinds of changes: component, first change, offsets, name, and the rule or the number of other dates.
    fn kinds(zone: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let mut writer = Writer::default();
        push(&mut writer, &Zone::parse(zone)?, "2026-01-05T00:00:00Z".parse::<Timestamp>()?);
        let ics = writer.finish().replace("\r\n ", "");
        let mut kinds: Vec<String> = Vec::new();
        for part in ics.split("BEGIN:").skip(2) {
            let value = |name: &str| part.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let dates = part.matches("RDATE").count();
            let how = if dates > 0 { format!("{dates} more") } else { value("RRULE:FREQ=YEARLY;").to_owned() };
            let head = part.lines().next().unwrap_or_default();
            let (from, to, start) = (value("TZOFFSETFROM:"), value("TZOFFSETTO:"), value("DTSTART:"));
            kinds.push(format!("{head} {start} {from} {to} {} {how}", value("TZNAME:")));
        }
        Ok(kinds)
    }

    #[test]
    fn yearly_rules_are_found_for_nth_last_and_other_weekdays() -> Result<(), Box<dyn Error>> {
        assert_eq!(
            kinds("America/New_York")?,
            [
                "STANDARD 20251102T020000 -0400 -0500 EST BYMONTH=11;BYDAY=1SU",
                "DAYLIGHT 20260308T020000 -0500 -0400 EDT BYMONTH=3;BYDAY=2SU"
            ]
        );
        assert_eq!(
            kinds("Europe/Paris")?,
            [
                "STANDARD 20251026T030000 +0200 +0100 CET BYMONTH=10;BYDAY=-1SU",
                "DAYLIGHT 20260329T020000 +0100 +0200 CEST BYMONTH=3;BYDAY=-1SU"
            ]
        );
        assert_eq!(
            kinds("America/Santiago")?,
            [
                "DAYLIGHT 20250907T000000 -0400 -0300 -03 BYMONTH=9;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=SU",
                "STANDARD 20260405T000000 -0300 -0400 -04 BYMONTH=4;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=SU"
            ]
        );
        assert_eq!(
            kinds("America/Nuuk")?[1],
            "DAYLIGHT 20260328T230000 -0200 -0100 -01 BYMONTH=3;BYMONTHDAY=24,25,26,27,28,29,30;BYDAY=SA"
        );
        Ok(())
    }

    #[test]
    fn changes_without_a_rule_are_listed_and_a_zone_without_changes_has_one() -> Result<(), Box<dyn Error>> {
        let casablanca = kinds("Africa/Casablanca")?;
        assert_eq!(casablanca.len(), 2, "{casablanca:?}");
        assert!(casablanca.iter().all(|kind| kind.ends_with(" more")), "{casablanca:?}");
        assert_eq!(kinds("Asia/Kolkata")?, ["STANDARD 19451015T000000 +0630 +0530 IST "]);
        assert_eq!(kinds("Etc/GMT+5")?, ["STANDARD 19691231T190000 -0500 -0500 -05 "]);
        Ok(())
    }

    /// Readers expect daylight time to be ahead, even in Ireland, where law and other forms of the database call winter time the
    /// exception.
    #[test]
    fn daylight_time_is_ahead_even_in_dublin() -> Result<(), Box<dyn Error>> {
        assert_eq!(kinds("Europe/Dublin")?[1], "DAYLIGHT 20260329T010000 +0000 +0100 IST BYMONTH=3;BYDAY=-1SU");
        Ok(())
    }
}
