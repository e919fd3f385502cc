//! Reads a typical week from VAVAILABILITY (RFC 7953).

use std::fmt::Display;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::content_line::{ContentLine, IcsError};
use super::parser::{Component, parse_calendar};
use super::values::parse_duration;
use super::vavailability::WEEKDAYS;
use crate::calendar::time::fault::truncate_for_message;
use crate::calendar::time::week::{QUARTERS_PER_DAY, QUARTERS_PER_WEEK};
use crate::calendar::time::{Fault, SECONDS_PER_DAY, Week, Zone};

/// Minutes in a week.
const MAX_MINUTES: i64 = 7 * 24 * 60;

/// Why a text is not a typical week.
#[derive(Debug, PartialEq, Eq)]
pub enum VAvailabilityError {
    /// The text is not a calendar.
    Syntax(IcsError),
    /// The calendar contains things that a typical week cannot have: all of them, each with its line.
    Unsupported(Vec<Fault>),
}

/// Reads the one VAVAILABILITY of a text as a week on the wall clock of `zone`.
///
/// Each AVAILABLE must repeat every week (`FREQ=WEEKLY`) or every day, on quarters, without an end, in this zone, and begin at the
/// latest a week after `today`. The date on which it begins is ignored; if BYDAY names days, these count. The name of the zone
/// decides: a VTIMEZONE is not read.
///
/// # Errors
/// [`VAvailabilityError`].
pub fn parse(text: &str, zone: &Zone, today: Date) -> Result<Week, VAvailabilityError> {
    let calendar = parse_calendar(text).map_err(VAvailabilityError::Syntax)?;
    let mut reader = WeekReader { zone, latest: today.saturating_add(7.days()), week: Week::EMPTY, faults: Vec::new() };
    reader.calendar(&calendar);
    match reader.faults.is_empty() {
        true => Ok(reader.week),
        false => Err(VAvailabilityError::Unsupported(reader.faults)),
    }
}

struct WeekReader<'a> {
    zone: &'a Zone,
    latest: Date,
    week: Week,
    faults: Vec<Fault>,
}

fn fault(line: usize, code: &'static str, detail: impl Display) -> Fault {
    Fault::new("", code, format!("line {line}: {detail}"))
}

impl WeekReader<'_> {
    fn calendar(&mut self, calendar: &Component<'_>) {
        let mut found = 0;
        for one in &calendar.components {
            match one.name.as_str() {
                "VAVAILABILITY" => {
                    found += 1;
                    self.availability(one);
                }
                "VTIMEZONE" => {}
                name if name.starts_with("X-") => {}
                name => {
                    let name = truncate_for_message(name);
                    let detail = format!("a {name} is not an availability: send a VAVAILABILITY alone");
                    self.faults.push(fault(one.line, "not_an_availability", detail));
                }
            }
        }
        if found != 1 {
            let detail = format!("the calendar has {found} VAVAILABILITY: send exactly one");
            self.faults.push(fault(calendar.line, "not_one_availability", detail));
        }
    }

    fn availability(&mut self, availability: &Component<'_>) {
        for property in &availability.properties {
            let checked = self.check_property(property);
            self.faults.extend(checked.err());
        }
        for one in availability.components.iter().filter(|one| !one.name.starts_with("X-")) {
            if one.name == "AVAILABLE" {
                self.available(one);
            } else {
                let name = truncate_for_message(&one.name);
                let detail = format!("a {name} is not part of a VAVAILABILITY: use AVAILABLE");
                self.faults.push(fault(one.line, "not_an_availability", detail));
            }
        }
    }

    /// Refuses the properties of a VAVAILABILITY that a typical week cannot have.
    fn check_property(&self, property: &ContentLine<'_>) -> Result<(), Fault> {
        let refuse = |code, detail| Err(fault(property.number, code, detail));
        match property.name().to_ascii_uppercase().as_str() {
            "DTEND" | "DURATION" => refuse("does_not_last", "a typical week has no end: remove this property"),
            "DTSTART" => self.local_time(property).map(drop),
            "BUSYTYPE" if property.has_value("BUSY-TENTATIVE") => refuse(
                "only_tentative",
                "the other times would be tentative: PATCH if_needed with the times that are possible if needed",
            ),
            _ => Ok(()),
        }
    }

    fn available(&mut self, part: &Component<'_>) {
        for name in ["EXDATE", "RDATE", "RECURRENCE-ID"] {
            for property in part.find_all(name) {
                let detail = format!("{name} changes a single week, but a typical week is the same every week");
                self.faults.push(fault(property.number, "not_weekly", detail));
            }
        }
        match (self.dtstart(part), self.duration_minutes(part), self.weekdays(part)) {
            (Ok(start), Ok(minutes), Ok(days)) => self.insert(start, minutes, &days),
            (start, minutes, days) => {
                let mut faults: Vec<Fault> = [start.err(), minutes.err(), days.err()].into_iter().flatten().collect();
                // An invalid DTSTART is reported for the duration and the weekdays too.
                faults.dedup();
                self.faults.extend(faults);
            }
        }
    }

    /// Adds this many minutes on each of these days. A range that passes the end of Sunday continues on Monday.
    fn insert(&mut self, start: DateTime, minutes: i64, days: &[usize]) {
        let first = usize::from(start.hour().unsigned_abs()) * 4 + usize::from(start.minute().unsigned_abs()) / 15;
        let length = usize::try_from(minutes / 15).unwrap_or(0);
        for day in days {
            let from = day * QUARTERS_PER_DAY + first;
            self.week.insert(from..from + length);
            self.week.insert(0..(from + length).saturating_sub(QUARTERS_PER_WEEK));
        }
    }

    fn dtstart(&self, part: &Component<'_>) -> Result<DateTime, Fault> {
        let missing = || fault(part.line, "missing", "this AVAILABLE has no DTSTART");
        self.local_time(part.find("DTSTART").ok_or_else(missing)?)
    }

    /// The duration on the wall clock.
    fn duration_minutes(&self, part: &Component<'_>) -> Result<i64, Fault> {
        let missing = || fault(part.line, "missing", "this AVAILABLE has neither DTEND nor DURATION");
        let property = part.find("DTEND").or_else(|| part.find("DURATION")).ok_or_else(missing)?;
        let seconds = match property.is("DTEND") {
            true => self.local_time(property)?.duration_since(self.dtstart(part)?).as_secs(),
            false => {
                let duration = parse_duration(property.untrimmed_value());
                let duration = duration.ok_or_else(|| unsupported(property, "a DURATION such as PT2H30M"))?;
                duration.days * SECONDS_PER_DAY + duration.seconds
            }
        };
        let refuse = |code, detail| Err(fault(property.number, code, detail));
        match seconds / 60 {
            _ if seconds % 900 != 0 => {
                refuse("not_on_a_quarter", "its duration is not a whole number of quarter-hours")
            }
            minutes @ 1..=MAX_MINUTES => Ok(minutes),
            _ => refuse("no_such_length", "it must end after it begins, and within a week"),
        }
    }

    /// The days of the week on which it begins; Monday is 0.
    fn weekdays(&self, part: &Component<'_>) -> Result<Vec<usize>, Fault> {
        let missing = || fault(part.line, "not_weekly", "this AVAILABLE does not repeat: add RRULE:FREQ=WEEKLY");
        let property = part.find("RRULE").ok_or_else(missing)?;
        if let Some(second) = part.find_all("RRULE").nth(1) {
            return Err(fault(second.number, "not_weekly", "an AVAILABLE has one RRULE: use a second AVAILABLE"));
        }
        let (daily, named) = parse_weekly_rule(property)?;
        let own = usize::from(self.dtstart(part)?.weekday().to_monday_zero_offset().unsigned_abs());
        Ok(match (named.is_empty(), daily) {
            (false, _) => named,
            (true, true) => (0..7).collect(),
            (true, false) => vec![own],
        })
    }

    /// A time on the wall clock of the week's zone.
    fn local_time(&self, property: &ContentLine<'_>) -> Result<DateTime, Fault> {
        let value = property.untrimmed_value();
        let (text, zone) = match value.strip_suffix('Z') {
            Some(text) => (text, Some("UTC")),
            None => (value, property.param("TZID")),
        };
        let exact = (text.len() == 15).then(|| DateTime::strptime("%Y%m%dT%H%M%S", text).ok()).flatten();
        let time = exact.ok_or_else(|| unsupported(property, "a time such as 20260105T093000"))?;
        let refuse = |code, detail: String| Err(fault(property.number, code, detail));
        let Some(zone) = zone else {
            return refuse("no_time_zone", "it has no time zone: use TZID or UTC (RFC 7953, 3.1)".to_owned());
        };
        if !self.is_own_zone(zone) {
            let (own, zone) = (self.zone.name(), truncate_for_message(zone));
            let detail = format!("it is in {zone}, but this week is in {own}: PATCH time_zone first");
            return refuse("other_time_zone", detail);
        }
        if (i32::from(time.minute()) * 60 + i32::from(time.second())) % 900 != 0 {
            return refuse("not_on_a_quarter", "it is not on a quarter-hour".to_owned());
        }
        if time.date() > self.latest {
            return refuse("not_yet", format!("it begins after {}: a typical week counts from now on", self.latest));
        }
        Ok(time)
    }

    fn is_own_zone(&self, name: &str) -> bool {
        Zone::parse(name).is_ok_and(|zone| zone == *self.zone)
    }
}

fn unsupported(property: &ContentLine<'_>, expected: &str) -> Fault {
    let (name, value) = (property.name().to_ascii_uppercase(), truncate_for_message(property.untrimmed_value()));
    fault(property.number, "not_understood", format!("{name}:{value} is not {expected}"))
}

/// Whether a rule is daily, and the days that it names. Only weekly and daily rules without an end are supported.
fn parse_weekly_rule(rule: &ContentLine<'_>) -> Result<(bool, Vec<usize>), Fault> {
    let other = |part: &str| {
        let part = truncate_for_message(part);
        let detail = format!("{part} is not supported in a typical week: use RRULE:FREQ=WEEKLY;BYDAY=MO,TU alone");
        fault(rule.number, "not_weekly", detail)
    };
    let (mut frequency, mut days) = (None, Vec::new());
    let text = rule.untrimmed_value().to_ascii_uppercase();
    for part in text.split(';') {
        match part.split_once('=') {
            Some(("FREQ", "DAILY")) => frequency = Some(true),
            Some(("FREQ", "WEEKLY")) => frequency = Some(false),
            Some(("INTERVAL", "1") | ("WKST", _)) => {}
            Some(("BYDAY", names)) => {
                for name in names.split(',') {
                    days.push(WEEKDAYS.iter().position(|day| *day == name).ok_or_else(|| other(part))?);
                }
            }
            _ => return Err(other(part)),
        }
    }
    Ok((frequency.ok_or_else(|| other("a rule without FREQ"))?, days))
}
