//! Parses recurrence rules (RFC 5545, 3.3.10). What has one meaning is read: spaces, a repeated `RRULE:`, parts that are unknown or
//! empty, and numbers before the days of a week.

use std::collections::BTreeSet;

use super::content_line::{ContentLine, IcsError};
use super::day_filter::{DayFilter, NumberSet, read_numbers, weekday};
use super::values::{DateOrTime, parse_date_or_time};
use super::zone_rules::ZoneRules;
use crate::calendar::time::SECONDS_PER_DAY;

/// Occurrences in one period of a rule.
const MAX_PER_PERIOD: usize = 10_000;

/// FREQ: the periods of a rule, from the shortest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

impl Frequency {
    fn parse(text: &str) -> Option<Frequency> {
        Some(match text {
            "SECONDLY" => Frequency::Secondly,
            "MINUTELY" => Frequency::Minutely,
            "HOURLY" => Frequency::Hourly,
            "DAILY" => Frequency::Daily,
            "WEEKLY" => Frequency::Weekly,
            "MONTHLY" => Frequency::Monthly,
            "YEARLY" => Frequency::Yearly,
            _ => return None,
        })
    }

    /// The most days of a period.
    pub fn days(self) -> usize {
        match self {
            Frequency::Yearly => 366,
            Frequency::Monthly => 31,
            Frequency::Weekly => 7,
            _ => 1,
        }
    }
}

/// A recurrence rule.
#[derive(Debug)]
pub struct RecurrenceRule {
    pub(super) frequency: Frequency,
    pub(super) interval: i64,
    pub(super) count: Option<usize>,
    /// On the wall clock, inclusive.
    pub(super) until: Option<i64>,
    pub(super) days: DayFilter,
    pub(super) hours: NumberSet,
    pub(super) minutes: NumberSet,
    pub(super) seconds: NumberSet,
    /// BYSETPOS.
    pub(super) positions: BTreeSet<i16>,
    /// Whether parts of the rule were ignored or changed.
    pub is_adjusted: bool,
}

impl RecurrenceRule {
    /// Parses the value of a line; a UTC time of UNTIL is converted to the clock of `zone`.
    ///
    /// # Errors
    /// The rule has no single meaning, or repeats too often.
    pub fn parse(line: &ContentLine<'_>, zone: &ZoneRules) -> Result<RecurrenceRule, IcsError> {
        let error = |what: &str| IcsError::new(line.number, what);
        let mut is_adjusted = false;
        let parts = parts(line.value(), &mut is_adjusted);
        let find = |key: &str| parts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let frequency = find("FREQ").and_then(Frequency::parse);
        let frequency = frequency.ok_or_else(|| RecurrenceRule::unsupported(line))?;
        let interval = match find("INTERVAL") {
            Some(text) if text.bytes().all(|byte| byte == b'0') => {
                is_adjusted = true;
                1
            }
            Some(text) => text.parse::<u16>().map_err(|_| error("INTERVAL is not a number from 1 to 65535"))?,
            None => 1,
        };
        let count = find("COUNT").map(|text| text.parse().map_err(|_| error("COUNT is not a whole number")));
        let until = find("UNTIL")
            .map(|text| parse_until(text, zone).ok_or_else(|| error("UNTIL is neither a date nor a date-time")));
        let count = count.transpose()?;
        is_adjusted |= count == Some(0);
        let mut rule = RecurrenceRule {
            frequency,
            interval: interval.into(),
            // No rule has no occurrence at all.
            count: count.map(|count: usize| count.max(1)),
            until: until.transpose()?,
            days: DayFilter::default(),
            hours: NumberSet::default(),
            minutes: NumberSet::default(),
            seconds: NumberSet::default(),
            positions: BTreeSet::new(),
            is_adjusted,
        };
        for (key, value) in &parts {
            rule.read(key, value, find("BYWEEKNO").is_some());
        }
        rule.days.counts_in_months = frequency == Frequency::Monthly || !rule.days.months.is_empty();
        if rule.names_nothing() && !rule.positions.is_empty() {
            rule.positions.clear();
            rule.is_adjusted = true;
        }
        if frequency.days().saturating_mul(rule.times_per_day()) > MAX_PER_PERIOD {
            let what = format!("this rule repeats more than {MAX_PER_PERIOD} times in one period");
            return Err(IcsError::of_component(line.number, what));
        }
        Ok(rule)
    }

    /// Reads a BY part or WKST. An element that cannot be read is left out.
    fn read(&mut self, key: &str, value: &str, has_weeks: bool) {
        let mut numbers = |range| {
            let (numbers, is_complete) = read_numbers(value, &range);
            self.is_adjusted |= !is_complete;
            numbers
        };
        let set = |numbers: Vec<i16>| {
            let mut set = NumberSet::default();
            numbers.into_iter().for_each(|number| set.insert(number));
            set
        };
        match key {
            "BYSECOND" => self.seconds = set(numbers(0..=59)),
            "BYMINUTE" => self.minutes = set(numbers(0..=59)),
            "BYHOUR" => self.hours = set(numbers(0..=23)),
            "BYMONTH" => self.days.months = set(numbers(1..=12)),
            "BYMONTHDAY" => self.days.month_days = set(numbers(-31..=31)),
            "BYWEEKNO" => self.days.weeks = set(numbers(-53..=53)),
            "BYYEARDAY" => self.days.year_days = numbers(-366..=366).into_iter().collect(),
            "BYSETPOS" => self.positions = numbers(i16::MIN..=i16::MAX).into_iter().collect(),
            "BYDAY" => {
                let may_count = matches!(self.frequency, Frequency::Monthly | Frequency::Yearly) && !has_weeks;
                self.is_adjusted |= !self.days.read_weekdays(value, may_count);
            }
            "WKST" => match weekday(value) {
                Some(day) => self.days.week_start = day,
                None => self.is_adjusted = true,
            },
            _ => {}
        }
    }

    /// Whether the rule has no BY part, so that it has one occurrence in each period.
    fn names_nothing(&self) -> bool {
        let days = DayFilter { week_start: 0, counts_in_months: false, ..self.days.clone() };
        days == DayFilter::default() && self.hours.is_empty() && self.minutes.is_empty() && self.seconds.is_empty()
    }

    /// The most times of day at which the rule repeats in a period.
    pub(super) fn times_per_day(&self) -> usize {
        let of = |set: &NumberSet, shortest: Frequency| if self.frequency > shortest { set.count() } else { 1 };
        of(&self.hours, Frequency::Hourly)
            * of(&self.minutes, Frequency::Minutely)
            * of(&self.seconds, Frequency::Secondly)
    }

    /// The error of a rule that cannot be followed.
    pub(super) fn unsupported(line: &ContentLine<'_>) -> IcsError {
        let what = "this recurrence rule is not supported: write one such as FREQ=WEEKLY;BYDAY=MO (RFC 5545, 3.3.10)";
        IcsError::new(line.number, what)
    }

    /// Whether the rule ends before its first occurrence. Calendars leave such rules behind when "this and all following" are
    /// deleted at the first occurrence.
    pub fn ends_before(&self, start: i64) -> bool {
        self.until.is_some_and(|until| until < start)
    }
}

/// The parts of a rule that are known and not empty, in upper case and without spaces.
fn parts(rule: &str, is_adjusted: &mut bool) -> Vec<(String, String)> {
    const KNOWN: [&str; 14] = [
        "FREQ",
        "COUNT",
        "UNTIL",
        "INTERVAL",
        "BYSECOND",
        "BYMINUTE",
        "BYHOUR",
        "BYDAY",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYMONTH",
        "BYSETPOS",
        "WKST",
    ];
    let rule: String = rule.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
    let rule = rule.trim_start_matches("RRULE:").trim_start_matches("RRULE=").replace("\\,", ",");
    let mut found: Vec<(String, String)> = Vec::new();
    for part in rule.split(';').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let items: Vec<&str> = value.split(',').filter(|item| !item.is_empty()).collect();
        let value = items.join(",");
        let is_new = !found.iter().any(|(other, _)| other == key);
        if KNOWN.contains(&key) && is_new && !value.is_empty() {
            found.push((key.to_owned(), value));
        } else if !matches!((key, value.as_str()), ("RSCALE", "GREGORIAN") | ("SKIP", "OMIT")) {
            *is_adjusted = true;
        }
    }
    found
}

/// The last wall clock that an UNTIL includes.
fn parse_until(text: &str, zone: &ZoneRules) -> Option<i64> {
    Some(match parse_date_or_time(text)? {
        DateOrTime::Date(midnight) => midnight + SECONDS_PER_DAY - 1,
        DateOrTime::Local(wall) => wall,
        DateOrTime::Utc(instant) => zone.wall(instant),
    })
}
