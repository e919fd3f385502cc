//! A typical week from a calendar object: VAVAILABILITY (RFC 7953), as far as it is one.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use super::parser::{self, Component, Property};
use super::vavailability::WEEKDAYS;
use crate::calendar::time::fault::truncate_for_message;
use crate::calendar::time::week::{QUARTERS_PER_DAY, QUARTERS_PER_WEEK};
use crate::calendar::{Fault, Week, Zone};

/// Minutes in a week.
const LONGEST: i64 = 7 * 24 * 60;

/// Why a text gives no week.
#[derive(Debug, PartialEq, Eq)]
pub enum VAvailabilityError {
    /// It is no iCalendar text: a sentence about the first line that is not.
    NotACalendar(String),
    /// It is, and says what a typical week cannot hold: all of that, each with its line.
    Unsupported(Vec<Fault>),
}

/// Reads the one VAVAILABILITY of a text as a week on the wall clock of `zone`.
///
/// Its AVAILABLE parts must each come every week (`FREQ=WEEKLY`) or every day, on quarters, for good, in this zone, and have
/// begun a week after `today` at the latest. The dates on which they begin are forgotten; where BYDAY names days, these
/// count. The zone is taken by its name: a VTIMEZONE is not looked at.
///
/// # Errors
/// [`VAvailabilityError`].
pub fn parse(text: &str, zone: &Zone, today: Date) -> Result<Week, VAvailabilityError> {
    let calendar = parser::parse(text).map_err(VAvailabilityError::NotACalendar)?;
    let mut reader = Reader { zone, latest: today.saturating_add(7.days()), week: Week::EMPTY, faults: Vec::new() };
    reader.calendar(&calendar);
    match reader.faults.is_empty() {
        true => Ok(reader.week),
        false => Err(VAvailabilityError::Unsupported(reader.faults)),
    }
}

struct Reader<'a> {
    zone: &'a Zone,
    latest: Date,
    week: Week,
    faults: Vec<Fault>,
}

/// A code, and a sentence.
type Wrong = (&'static str, String);

impl Reader<'_> {
    fn fault(&mut self, line: usize, (code, detail): Wrong) {
        self.faults.push(Fault::new("", code, format!("line {line}: {detail}")));
    }

    fn calendar(&mut self, calendar: &Component) {
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
                    let detail =
                        format!("a {} is no availability: send a VAVAILABILITY alone", truncate_for_message(name));
                    self.fault(one.line, ("not_an_availability", detail));
                }
            }
        }
        if found != 1 {
            let detail = format!("there are {found} VAVAILABILITY in it: a typical week is one");
            self.fault(calendar.line, ("not_one_availability", detail));
        }
    }

    fn availability(&mut self, availability: &Component) {
        for property in &availability.properties {
            if let Err(wrong) = self.whole(property) {
                self.fault(property.line, wrong);
            }
        }
        for one in availability.components.iter().filter(|one| !one.name.starts_with("X-")) {
            if one.name == "AVAILABLE" {
                self.available(one);
            } else {
                let detail =
                    format!("a {} has no place in a VAVAILABILITY: use AVAILABLE", truncate_for_message(&one.name));
                self.fault(one.line, ("not_an_availability", detail));
            }
        }
    }

    /// Whether a property of the VAVAILABILITY leaves it a typical week.
    fn whole(&self, property: &Property) -> Result<(), Wrong> {
        match property.name.as_str() {
            "DTEND" | "DURATION" => Err(("does_not_last", "a typical week has no end: leave it out".to_owned())),
            "DTSTART" => self.time(property).map(|_| ()),
            "BUSYTYPE" if property.value.eq_ignore_ascii_case("BUSY-TENTATIVE") => {
                let detail =
                    "outside of it nobody is busy for sure: PATCH if_needed for what is possible if it must be";
                Err(("only_tentative", detail.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn available(&mut self, part: &Component) {
        for name in ["EXDATE", "RDATE", "RECURRENCE-ID"] {
            for property in part.all(name) {
                let detail = format!("{name} makes a single week different: a typical week is the same every week");
                self.fault(property.line, ("not_weekly", detail));
            }
        }
        let (start, minutes, days) = (self.start(part), self.minutes(part), self.days(part));
        match (start, minutes, days) {
            (Ok(start), Ok(minutes), Ok(days)) => self.insert(start, minutes, &days),
            (start, minutes, days) => {
                let wrong = [start.err(), minutes.err(), days.err()].into_iter().flatten();
                let mut wrong: Vec<(usize, Wrong)> = wrong.collect();
                // a time that cannot be read spoils its length and its days too
                wrong.dedup();
                wrong.into_iter().for_each(|(line, wrong)| self.fault(line, wrong));
            }
        }
    }

    /// Adds a stretch of so many minutes on each of these days; what runs past Sunday goes on on Monday.
    fn insert(&mut self, start: DateTime, minutes: i64, days: &[usize]) {
        let first = usize::from(start.hour().unsigned_abs()) * 4 + usize::from(start.minute().unsigned_abs()) / 15;
        let length = usize::try_from(minutes / 15).unwrap_or(0);
        for day in days {
            let from = day * QUARTERS_PER_DAY + first;
            self.week.insert(from..from + length);
            self.week.insert(0..(from + length).saturating_sub(QUARTERS_PER_WEEK));
        }
    }

    fn start(&self, part: &Component) -> Result<DateTime, (usize, Wrong)> {
        let missing = || (part.line, ("missing", "this AVAILABLE has no DTSTART".to_owned()));
        let property = part.find("DTSTART").ok_or_else(missing)?;
        self.time(property).map_err(|wrong| (property.line, wrong))
    }

    /// How long it is on the wall.
    fn minutes(&self, part: &Component) -> Result<i64, (usize, Wrong)> {
        let missing = || (part.line, ("missing", "this AVAILABLE has neither DTEND nor DURATION".to_owned()));
        let property = part.find("DTEND").or_else(|| part.find("DURATION")).ok_or_else(missing)?;
        let at = |wrong| (property.line, wrong);
        let seconds = match property.name.as_str() {
            "DTEND" => self.time(property).map_err(at)?.duration_since(self.start(part)?).as_secs(),
            _ => seconds(&property.value).ok_or_else(|| at(not_understood(property, "a DURATION such as PT2H30M")))?,
        };
        if seconds % 900 != 0 {
            return Err(at(("not_on_a_quarter", "its length is no number of quarters of an hour".to_owned())));
        }
        match seconds / 60 {
            minutes @ 1..=LONGEST => Ok(minutes),
            _ => Err(at(("no_such_length", "it must end after it begins, and within a week".to_owned()))),
        }
    }

    /// On which days of the week it begins, Monday being 0.
    fn days(&self, part: &Component) -> Result<Vec<usize>, (usize, Wrong)> {
        let missing = "this AVAILABLE comes only once: give it RRULE:FREQ=WEEKLY";
        let property = part.find("RRULE").ok_or_else(|| (part.line, ("not_weekly", missing.to_owned())))?;
        if let Some(second) = part.all("RRULE").nth(1) {
            return Err((second.line, ("not_weekly", "a second RRULE: use a second AVAILABLE".to_owned())));
        }
        let (daily, named) = rule(&property.value).map_err(|wrong| (property.line, wrong))?;
        let own = usize::from(self.start(part)?.weekday().to_monday_zero_offset().unsigned_abs());
        Ok(match (named.is_empty(), daily) {
            (false, _) => named,
            (true, true) => (0..7).collect(),
            (true, false) => vec![own],
        })
    }

    /// A time on the wall clock of the week's zone.
    fn time(&self, property: &Property) -> Result<DateTime, Wrong> {
        let (text, utc) =
            property.value.strip_suffix('Z').map_or((property.value.as_str(), false), |text| (text, true));
        let zone = if utc { Some("UTC") } else { property.zone.as_deref() };
        let exact = (text.len() == 15).then(|| DateTime::strptime("%Y%m%dT%H%M%S", text).ok()).flatten();
        let time = exact.ok_or_else(|| not_understood(property, "a time such as 20260105T093000"))?;
        let Some(zone) = zone else {
            let detail = "it floats: say in which zone it is, by TZID or as UTC (RFC 7953, 3.1)";
            return Err(("no_time_zone", detail.to_owned()));
        };
        if !self.is_own(zone) {
            let (own, zone) = (self.zone.name(), truncate_for_message(zone));
            let detail = format!("it is in {zone}, and this week is on the clock of {own}: PATCH time_zone first");
            return Err(("other_time_zone", detail));
        }
        if (i32::from(time.minute()) * 60 + i32::from(time.second())) % 900 != 0 {
            return Err(("not_on_a_quarter", "it is not on a quarter of an hour".to_owned()));
        }
        if time.date() > self.latest {
            let detail = format!("it begins after {}: a week here counts from now on", self.latest);
            return Err(("not_yet", detail));
        }
        Ok(time)
    }

    fn is_own(&self, name: &str) -> bool {
        Zone::parse(name).is_ok_and(|zone| zone == *self.zone || is_utc(&zone) && is_utc(self.zone))
    }
}

fn is_utc(zone: &Zone) -> bool {
    ["UTC", "Etc/UTC"].contains(&zone.name())
}

fn not_understood(property: &Property, right: &str) -> Wrong {
    ("not_understood", format!("{}:{} is not {right}", property.name, truncate_for_message(&property.value)))
}

/// Whether a rule is daily, and the days that it names. Only weekly and daily rules without end are understood.
fn rule(text: &str) -> Result<(bool, Vec<usize>), Wrong> {
    let other = |part: &str| {
        let part = truncate_for_message(part);
        (
            "not_weekly",
            format!("{part} is no part of a typical week: use RRULE:FREQ=WEEKLY;BYDAY=MO,TU and nothing more"),
        )
    };
    let (mut frequency, mut days) = (None, Vec::new());
    let text = text.to_ascii_uppercase();
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

/// The seconds of a duration (RFC 5545, 3.3.6); none for what is none, or is below zero.
fn seconds(text: &str) -> Option<i64> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (mut total, mut number, mut in_time) = (0i64, None, false);
    for c in text.chars() {
        let unit = match (c, in_time) {
            ('0'..='9', _) => {
                let digit = i64::from(c.to_digit(10)?);
                number = Some(number.unwrap_or(0i64).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
            ('T', false) if number.is_none() => {
                in_time = true;
                continue;
            }
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', true) => 3_600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    number.is_none().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_are_added_up() {
        assert_eq!(seconds("P1DT2H30M"), Some(86_400 + 9_000));
        assert_eq!((seconds("P1W"), seconds("PT15M"), seconds("+PT0S")), (Some(604_800), Some(900), Some(0)));
        for bad in ["", "1H", "-PT1H", "PT1", "P1H", "PTH", "P1M", "PT1D", "P99999999999999999999D"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
