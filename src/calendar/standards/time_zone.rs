//! The rules of a zone as a calendar object: VTIMEZONE (RFC 5545, 3.6.5), for readers who do not know its name.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::content::Lines;
use crate::calendar::Zone;
use crate::calendar::zone::timestamp;

/// For so many years changes are written down, or looked at to find their rule: after 28 every date has met every weekday.
const YEARS: i16 = 40;

/// A change of a zone's offset, seconds ahead of UTC.
#[derive(Clone, Debug)]
struct Change {
    /// What the clock shows when it is changed, by the offset before.
    local: DateTime,
    from: i32,
    to: i32,
    is_saving: bool,
    name: String,
}

impl Change {
    /// Changes of one kind are told together.
    fn kind(&self) -> (i32, i32, bool, &str) {
        (self.from, self.to, self.is_saving, &self.name)
    }
}

/// Adds the VTIMEZONE of a zone, with everything that counts from the instant `since` on.
pub fn push(lines: &mut Lines, zone: &Zone, since: Timestamp) {
    let changes = changes(zone, since);
    lines.all(["BEGIN:VTIMEZONE", &format!("TZID:{}", zone.name())]);
    let last_year = changes.last().map_or(0, |change| change.local.year());
    let mut kinds: Vec<Vec<&Change>> = Vec::new();
    for change in &changes {
        match kinds.iter_mut().find(|kind| kind[0].kind() == change.kind()) {
            Some(kind) => kind.push(change),
            None => kinds.push(vec![change]),
        }
    }
    kinds.iter().for_each(|kind| push_kind(lines, kind, last_year));
    lines.push("END:VTIMEZONE");
}

fn push_kind(lines: &mut Lines, kind: &[&Change], last_year: i16) {
    let Some((first, rest)) = kind.split_first() else { return };
    let part = if first.is_saving { "DAYLIGHT" } else { "STANDARD" };
    lines.push(&format!("BEGIN:{part}"));
    lines.push(&format!("DTSTART:{}", text(first.local)));
    lines.push(&format!("TZOFFSETFROM:{}", offset(first.from)));
    lines.push(&format!("TZOFFSETTO:{}", offset(first.to)));
    lines.push(&format!("TZNAME:{}", first.name));
    match yearly(kind, last_year) {
        Some(rule) => lines.push(&format!("RRULE:FREQ=YEARLY;{rule}")),
        None => rest.iter().for_each(|change| lines.push(&format!("RDATE:{}", text(change.local)))),
    }
    lines.push(&format!("END:{part}"));
}

/// The change that `since` lies behind, and those of the years after it.
fn changes(zone: &Zone, since: Timestamp) -> Vec<Change> {
    let rules = zone.rules();
    let after_since = timestamp(since.as_second() + 1);
    let before = rules.preceding(after_since).next();
    let end = rules.to_datetime(since).year() + YEARS;
    let all = before.into_iter().chain(rules.following(since));
    let change = |at: Timestamp, to: Offset, is_saving: bool, name: &str| {
        let from = rules.to_offset(timestamp(at.as_second() - 1));
        Change { local: from.to_datetime(at), from: from.seconds(), to: to.seconds(), is_saving, name: name.to_owned() }
    };
    let all = all.map(|it| change(it.timestamp(), it.offset(), it.dst().is_dst(), it.abbreviation()));
    let mut changes: Vec<Change> = all.take_while(|change| change.local.year() < end).collect();
    if changes.is_empty() {
        let always = rules.to_offset_info(since);
        changes.push(change(Timestamp::UNIX_EPOCH, always.offset(), false, always.abbreviation()));
    }
    changes
}

/// The rule of changes that come once in each year up to the last one that was looked at, on the same weekday within the
/// same seven days of a month, at the same time.
fn yearly(kind: &[&Change], last_year: i16) -> Option<String> {
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
pub fn text(local: DateTime) -> String {
    local.strftime("%Y%m%dT%H%M%S").to_string()
}

/// `+HHMM`, with seconds where there are some (RFC 5545, 3.3.14).
fn offset(seconds: i32) -> String {
    let (sign, ahead) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    let whole = format!("{sign}{:02}{:02}", ahead / 3600, ahead / 60 % 60);
    match ahead % 60 {
        0 => whole,
        rest => format!("{whole}{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, Timestamp, Zone, push};
    use std::error::Error;

    /// What is told of each kind of change: its part, its first, its offsets, its rule or the number of its other dates.
    fn told(zone: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let mut lines = Lines::default();
        push(&mut lines, &Zone::parse(zone)?, "2026-01-05T00:00:00Z".parse::<Timestamp>()?);
        let ics = lines.finish().replace("\r\n ", "");
        let mut told: Vec<String> = Vec::new();
        for part in ics.split("BEGIN:").skip(2) {
            let value = |name: &str| part.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let dates = part.matches("RDATE").count();
            let how = if dates > 0 { format!("{dates} more") } else { value("RRULE:FREQ=YEARLY;").to_owned() };
            let head = part.lines().next().unwrap_or_default();
            let (from, to, start) = (value("TZOFFSETFROM:"), value("TZOFFSETTO:"), value("DTSTART:"));
            told.push(format!("{head} {start} {from} {to} {} {how}", value("TZNAME:")));
        }
        Ok(told)
    }

    #[test]
    fn yearly_rules_are_found_for_nth_last_and_other_weekdays() -> Result<(), Box<dyn Error>> {
        assert_eq!(
            told("America/New_York")?,
            [
                "STANDARD 20251102T020000 -0400 -0500 EST BYMONTH=11;BYDAY=1SU",
                "DAYLIGHT 20260308T020000 -0500 -0400 EDT BYMONTH=3;BYDAY=2SU"
            ]
        );
        assert_eq!(
            told("Europe/Paris")?,
            [
                "STANDARD 20251026T030000 +0200 +0100 CET BYMONTH=10;BYDAY=-1SU",
                "DAYLIGHT 20260329T020000 +0100 +0200 CEST BYMONTH=3;BYDAY=-1SU"
            ]
        );
        assert_eq!(
            told("America/Santiago")?,
            [
                "DAYLIGHT 20250907T000000 -0400 -0300 -03 BYMONTH=9;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=SU",
                "STANDARD 20260405T000000 -0300 -0400 -04 BYMONTH=4;BYMONTHDAY=2,3,4,5,6,7,8;BYDAY=SU"
            ]
        );
        assert_eq!(
            told("America/Nuuk")?[1],
            "DAYLIGHT 20260328T230000 -0200 -0100 -01 BYMONTH=3;BYMONTHDAY=24,25,26,27,28,29,30;BYDAY=SA"
        );
        Ok(())
    }

    #[test]
    fn what_has_no_rule_is_listed_and_what_never_changes_is_said_once() -> Result<(), Box<dyn Error>> {
        let casablanca = told("Africa/Casablanca")?;
        assert_eq!(casablanca.len(), 2, "{casablanca:?}");
        assert!(casablanca.iter().all(|kind| kind.ends_with(" more")), "{casablanca:?}");
        assert_eq!(told("Asia/Kolkata")?, ["STANDARD 19451015T000000 +0630 +0530 IST "]);
        assert_eq!(told("Etc/GMT+5")?, ["STANDARD 19691231T190000 -0500 -0500 -05 "]);
        Ok(())
    }

    /// Readers expect daylight to be ahead, also where law and other forms of the database call winter the exception.
    #[test]
    fn daylight_is_what_runs_ahead_even_in_dublin() -> Result<(), Box<dyn Error>> {
        assert_eq!(told("Europe/Dublin")?[1], "DAYLIGHT 20260329T010000 +0000 +0100 IST BYMONTH=3;BYDAY=-1SU");
        Ok(())
    }
}
