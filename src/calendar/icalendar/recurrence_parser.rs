//! Parses recurrence rules (RFC 5545, 3.3.10) into the exact form that the `rrule` crate expects. What has one meaning is read:
//! spaces, a repeated `RRULE:`, parts that are unknown or empty, and numbers before the days of a week.

use super::content_line::{ContentLine, IcsError};
use super::values::{DateOrTime, parse_date_or_time};
use super::zone_rules::ZoneRules;
use crate::calendar::time::SECONDS_PER_DAY;

/// Occurrences in one period of a rule: the crate expands a whole period at once.
const MAX_PER_PERIOD: usize = 10_000;
/// Bytes of the value of one part.
const MAX_PART: usize = 2000;
const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// A rule without COUNT and UNTIL, which the caller applies.
pub struct RecurrenceRule {
    pub(super) text: String,
    pub(super) count: Option<usize>,
    /// On the wall clock, inclusive.
    pub(super) until: Option<i64>,
    pub(super) length: Length,
    /// The seconds of a period, at least, and the steps that it costs.
    step: (i64, usize),
    /// Whether parts of the rule were ignored or changed.
    pub is_adjusted: bool,
}

/// The length of the periods of a rule, with its interval.
pub(super) enum Length {
    /// All periods have this length on a wall clock.
    Seconds(i64),
    /// After this number of years the periods begin at the same day and month again.
    Years(i64),
}

impl RecurrenceRule {
    /// Parses the value of a line; a UTC time of UNTIL is converted to the clock of `zone`.
    ///
    /// # Errors
    /// The rule has no single meaning, or repeats too often.
    pub fn parse(line: &ContentLine<'_>, zone: &ZoneRules) -> Result<RecurrenceRule, IcsError> {
        let error = |what: &str| IcsError::new(line.number, what);
        let mut is_adjusted = false;
        let mut parts = parts(line.value(), &mut is_adjusted);
        let take = |parts: &mut Vec<(String, String)>, key: &str| {
            let at = parts.iter().position(|(name, _)| name == key)?;
            Some(parts.swap_remove(at).1)
        };
        let frequency = take(&mut parts, "FREQ").ok_or_else(|| RecurrenceRule::unsupported(line))?;
        let (seconds, days, years) = period(&frequency).ok_or_else(|| RecurrenceRule::unsupported(line))?;
        let count =
            take(&mut parts, "COUNT").map(|text| text.parse().map_err(|_| error("COUNT is not a whole number")));
        is_adjusted |= count == Some(Ok(0));
        let count = count.map(|count| count.map(|count: usize| count.max(1)));
        let until = take(&mut parts, "UNTIL")
            .map(|text| parse_until(&text, zone).ok_or_else(|| error("UNTIL is neither a date nor a date-time")));
        let interval = match take(&mut parts, "INTERVAL") {
            Some(text) if text.bytes().all(|byte| byte == b'0') => {
                is_adjusted = true;
                1
            }
            Some(text) => text.parse::<u16>().map_err(|_| error("INTERVAL is not a number from 1 to 65535"))?,
            None => 1,
        };
        let has = |parts: &[(String, String)], keys: &[&str]| parts.iter().any(|(key, _)| keys.contains(&key.as_str()));
        let may_count_days = matches!(frequency.as_str(), "MONTHLY" | "YEARLY") && !has(&parts, &["BYWEEKNO"]);
        for (_, value) in parts.iter_mut().filter(|(key, _)| key == "BYDAY") {
            *value =
                weekdays(value, may_count_days, &mut is_adjusted).ok_or_else(|| RecurrenceRule::unsupported(line))?;
        }
        if !parts.iter().any(|(key, _)| key.starts_with("BY") && key != "BYSETPOS") {
            let all = parts.len();
            parts.retain(|(key, _)| key != "BYSETPOS");
            is_adjusted |= parts.len() < all;
        }
        let times = parts.iter().filter(|(key, _)| matches!(key.as_str(), "BYHOUR" | "BYMINUTE" | "BYSECOND"));
        let per_period = times.fold(days, |product, (_, value)| product.saturating_mul(value.split(',').count()));
        if per_period > MAX_PER_PERIOD {
            let what = format!("this rule repeats more than {MAX_PER_PERIOD} times in one period");
            return Err(IcsError::of_component(line.number, what));
        }
        let interval = i64::from(interval);
        let length = match years {
            None => Length::Seconds(seconds * interval),
            Some(months) => Length::Years(months * interval / gcd(months * interval, 12)),
        };
        let mut text = format!("FREQ={frequency};INTERVAL={interval}");
        parts.iter().for_each(|(key, value)| text.extend([";", key, "=", value]));
        let (count, until) = (count.transpose()?, until.transpose()?);
        Ok(RecurrenceRule { text, count, until, length, step: (seconds * interval, days.div_ceil(100)), is_adjusted })
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

    /// The steps of the crate in this number of seconds.
    pub(super) fn cost(&self, seconds: i64) -> usize {
        let (length, steps) = self.step;
        usize::try_from(seconds / length + 1).unwrap_or(usize::MAX).saturating_mul(steps)
    }

    /// The seconds that this number of steps reaches.
    pub(super) fn reach(&self, steps: usize) -> i64 {
        let (length, cost) = self.step;
        let periods = i64::try_from(steps / cost).unwrap_or(i64::MAX);
        periods.saturating_mul(length).saturating_sub(1)
    }
}

/// The parts of a rule that are known and not empty, in upper case and without spaces. The crate parses them again, so only the
/// characters of a rule may enter it.
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
        let is_safe = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b",+-:".contains(&byte));
        let is_new = !found.iter().any(|(other, _)| other == key);
        if KNOWN.contains(&key) && is_new && is_safe && !value.is_empty() && value.len() <= MAX_PART {
            found.push((key.to_owned(), value));
        } else if !matches!((key, value.as_str()), ("RSCALE", "GREGORIAN") | ("SKIP", "OMIT")) {
            *is_adjusted = true;
        }
    }
    found
}

/// The days of BYDAY. A number counts the days of a month or a year, and means nothing in a week.
fn weekdays(value: &str, may_count: bool, is_adjusted: &mut bool) -> Option<String> {
    let mut days = Vec::new();
    for item in value.split(',') {
        let (number, day) = item.split_at(item.find(|c: char| c.is_ascii_alphabetic())?);
        let day = *WEEKDAYS.iter().find(|short| day.starts_with(**short))?;
        let counts = may_count && !number.trim_start_matches(['+', '-', '0']).is_empty();
        *is_adjusted |= !counts && !number.is_empty();
        days.push(format!("{}{day}", if counts { number } else { "" }));
    }
    Some(days.join(","))
}

/// The seconds of a period of this frequency, at least; the most days of one; and its months, if periods differ in length.
fn period(frequency: &str) -> Option<(i64, usize, Option<i64>)> {
    Some(match frequency {
        "SECONDLY" => (1, 1, None),
        "MINUTELY" => (60, 1, None),
        "HOURLY" => (3600, 1, None),
        "DAILY" => (SECONDS_PER_DAY, 1, None),
        "WEEKLY" => (7 * SECONDS_PER_DAY, 7, None),
        "MONTHLY" => (28 * SECONDS_PER_DAY, 31, Some(1)),
        "YEARLY" => (365 * SECONDS_PER_DAY, 366, Some(12)),
        _ => return None,
    })
}

fn gcd(one: i64, other: i64) -> i64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

/// The last wall clock that an UNTIL includes.
fn parse_until(text: &str, zone: &ZoneRules) -> Option<i64> {
    Some(match parse_date_or_time(text)? {
        DateOrTime::Date(midnight) => midnight + SECONDS_PER_DAY - 1,
        DateOrTime::Local(wall) => wall,
        DateOrTime::Utc(instant) => zone.wall(instant),
    })
}
