//! Expands recurrence rules (RRULE, RFC 5545, 3.3.10) on the wall clock with the `rrule` crate, within a limit.

use rrule::RRuleSet;

use super::content_line::{ContentLine, IcsError};
use super::values::{DateOrTime, parse_date_or_time};
use super::writer::utc_value;
use super::zone_rules::ZoneRules;
use crate::calendar::time::SECONDS_PER_DAY;
use crate::calendar::time::zone::timestamp;

/// Occurrences of one calendar that are examined.
const MAX_OCCURRENCES: usize = 100_000;
/// Occurrences in one period of a rule: the crate expands a whole period at once.
const MAX_PER_PERIOD: usize = 10_000;

/// How much the expansion of one calendar may cost.
pub struct ExpansionLimit<'a> {
    left: usize,
    /// Says whether the time is over. A rule that never matches costs the crate a hundred thousand tries.
    is_overdue: &'a dyn Fn() -> bool,
}

impl<'a> ExpansionLimit<'a> {
    /// The whole limit.
    pub fn new(is_overdue: &'a dyn Fn() -> bool) -> ExpansionLimit<'a> {
        ExpansionLimit { left: MAX_OCCURRENCES, is_overdue }
    }

    /// Counts one occurrence for a line.
    ///
    /// # Errors
    /// There are too many, or the time is over.
    pub fn spend(&mut self, line: usize) -> Result<(), IcsError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            let what = "the calendar has more than 100000 occurrences: leave out events that repeat that often";
            IcsError::new(line, what)
        })?;
        // Reading the clock costs more than an occurrence.
        if self.left.is_multiple_of(64) { self.check_time(line) } else { Ok(()) }
    }

    fn check_time(&self, line: usize) -> Result<(), IcsError> {
        let what = "the calendar takes too long to expand: its rules repeat too often, or never match a date";
        if (self.is_overdue)() { Err(IcsError::new(line, what)) } else { Ok(()) }
    }
}

/// The wall clocks, from `from` to `to`, of the occurrences of a rule; `start` is the first occurrence.
///
/// # Errors
/// The rule is not supported, or the expansion exceeds the limit.
pub fn expand_rule(
    rule: &ContentLine<'_>,
    start: i64,
    zone: &ZoneRules,
    from: i64,
    to: i64,
    limit: &mut ExpansionLimit<'_>,
) -> Result<Vec<i64>, IcsError> {
    let error = |what: String| IcsError::new(rule.number, what);
    limit.check_time(rule.number)?;
    let RecurrenceRule { text, count, until, period } = RecurrenceRule::parse(rule.value(), zone).map_err(error)?;
    let until = until.map_or(to, |until| until.min(to));
    // A rule with periods of one length may begin a whole number of periods later.
    let skipped = period.filter(|_| count.is_none()).map_or(0, |len| ((from - start) / len - 1).max(0) * len);
    let start = start + skipped;
    if until < start {
        return Ok(Vec::new());
    }
    let set = format!("DTSTART:{}\nRRULE:{text};UNTIL={}", utc_value(timestamp(start)), utc_value(timestamp(until)));
    let set: RRuleSet = set.parse().map_err(|_| error(UNSUPPORTED.to_owned()))?;
    let all = set.all(u16::MAX);
    if all.limited && count.is_none_or(|count| all.dates.len() < count) {
        return Err(error("this rule repeats too often, or never matches a date".to_owned()));
    }
    let mut walls = Vec::new();
    for occurrence in all.dates.into_iter().take(count.unwrap_or(usize::MAX)) {
        // The caller counts the occurrences that it uses.
        match occurrence.timestamp() {
            at if at >= from => walls.push(at),
            _ => limit.spend(rule.number)?,
        }
    }
    Ok(walls)
}

const UNSUPPORTED: &str =
    "this recurrence rule is not supported: write one such as FREQ=WEEKLY;BYDAY=MO (RFC 5545, 3.3.10)";

/// A rule without COUNT and UNTIL, which the caller applies.
struct RecurrenceRule {
    text: String,
    count: Option<usize>,
    /// On the wall clock, inclusive.
    until: Option<i64>,
    /// The seconds of a period, if all periods have the same length.
    period: Option<i64>,
}

impl RecurrenceRule {
    fn parse(rule: &str, zone: &ZoneRules) -> Result<RecurrenceRule, String> {
        let mut parsed = RecurrenceRule { text: String::new(), count: None, until: None, period: None };
        let (mut interval, mut seconds, mut per_period) = (1, None, 1_usize);
        // The crate parses the text again, so only the characters of a rule may enter it.
        for part in rule.trim_end_matches(';').split(';') {
            let (key, value) = part.split_once('=').ok_or(UNSUPPORTED)?;
            let is_safe = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b",+-".contains(&byte));
            let (key, value) = (key.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase());
            if !is_safe(&key) || !is_safe(&value) || value.len() > 2000 {
                return Err(UNSUPPORTED.to_owned());
            }
            match key.as_str() {
                "COUNT" => parsed.count = Some(value.parse().map_err(|_| "COUNT is not a whole number")?),
                "UNTIL" => {
                    parsed.until = Some(parse_until(&value, zone).ok_or("UNTIL is neither a date nor a date-time")?);
                }
                // These change nothing on a Gregorian calendar.
                "RSCALE" | "SKIP" if matches!(value.as_str(), "GREGORIAN" | "OMIT") => continue,
                "INTERVAL" => {
                    let number = value.parse::<u16>().ok().filter(|number| *number > 0);
                    interval = number.ok_or("INTERVAL is not a number from 1 to 65535")?;
                }
                "FREQ" => {
                    let (length, days) = period(&value);
                    (seconds, per_period) = (length, per_period.saturating_mul(days));
                }
                "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                    per_period = per_period.saturating_mul(value.split(',').count());
                }
                _ => {}
            }
            if !matches!(key.as_str(), "COUNT" | "UNTIL") {
                let separator = if parsed.text.is_empty() { "" } else { ";" };
                parsed.text.extend([separator, &key, "=", &value]);
            }
        }
        if per_period > MAX_PER_PERIOD {
            return Err(format!("this rule repeats more than {MAX_PER_PERIOD} times in one period"));
        }
        parsed.period = seconds.map(|seconds| seconds * i64::from(interval));
        Ok(parsed)
    }
}

/// The seconds of a period of this frequency, if all periods have the same length on a wall clock; and the most days of one.
fn period(frequency: &str) -> (Option<i64>, usize) {
    match frequency {
        "SECONDLY" => (Some(1), 1),
        "MINUTELY" => (Some(60), 1),
        "HOURLY" => (Some(3600), 1),
        "DAILY" => (Some(SECONDS_PER_DAY), 1),
        "WEEKLY" => (Some(7 * SECONDS_PER_DAY), 7),
        "MONTHLY" => (None, 31),
        "YEARLY" => (None, 366),
        _ => (None, 1),
    }
}

/// The last wall clock that an UNTIL includes.
fn parse_until(text: &str, zone: &ZoneRules) -> Option<i64> {
    Some(match parse_date_or_time(text)? {
        DateOrTime::Date(midnight) => midnight + SECONDS_PER_DAY - 1,
        DateOrTime::Local(wall) => wall,
        DateOrTime::Utc(instant) => zone.wall(instant),
    })
}
