//! What a recurrence rule says, worked out by the `rrule` crate on the wall clock, and never longer than a budget allows.

use std::time::{Duration, Instant};

use rrule::RRuleSet;

use super::values::{DAY, When, civil, when};
use super::vtimezone_reader::ZoneRules;

/// Occurrences that are looked at, of one calendar.
const MOST: usize = 100_000;
/// Occurrences that one period of a rule may have: the crate works out a whole period at once.
const MOST_AT_ONCE: usize = 10_000;
/// How long all of one calendar may take. A rule that never fits costs the crate a hundred thousand tries.
const LONGEST: Duration = Duration::from_millis(1500);

/// What one calendar may cost.
pub struct ExpansionLimit {
    left: usize,
    until: Instant,
}

impl ExpansionLimit {
    pub fn new() -> ExpansionLimit {
        ExpansionLimit { left: MOST, until: Instant::now() + LONGEST }
    }

    /// Pays for one step.
    pub fn spend(&mut self) -> Result<(), String> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            format!("the calendar has more than {MOST} occurrences: leave out what repeats that often")
        })?;
        // asking the clock costs more than a step
        if self.left.is_multiple_of(64) { self.check() } else { Ok(()) }
    }

    /// Whether there is time left.
    pub fn check(&self) -> Result<(), String> {
        match Instant::now() > self.until {
            true => Err("the calendar takes too long to work out: its rules repeat too often, or never fit".to_owned()),
            false => Ok(()),
        }
    }
}

/// The wall clocks, between two of them, at which a rule says that something begins which begins first at `start`.
///
/// # Errors
/// A fragment of a sentence: why the rule cannot be followed.
pub fn starts(
    rule: &str,
    start: i64,
    clock: &ZoneRules,
    from: i64,
    to: i64,
    budget: &mut ExpansionLimit,
) -> Result<Vec<i64>, String> {
    budget.check()?;
    let Rule { text, count, until, step } = Rule::read(rule, clock)?;
    let until = until.map_or(to, |until| until.min(to));
    // what repeats every so many seconds may begin later: its rhythm stays
    let skipped = step.filter(|_| count.is_none()).map_or(0, |step| ((from - start) / step - 1).max(0) * step);
    let start = start + skipped;
    if until < start {
        return Ok(Vec::new());
    }
    let set = format!("DTSTART:{}\nRRULE:{text};UNTIL={}", stamp(start), stamp(until));
    let set: RRuleSet = set.parse().map_err(|_| UNREADABLE)?;
    let all = set.all(u16::MAX);
    if all.limited && count.is_none_or(|count| all.dates.len() < count) {
        return Err("this rule repeats too often, or never fits any date".to_owned());
    }
    let mut found = Vec::new();
    for occurrence in all.dates.into_iter().take(count.unwrap_or(usize::MAX)) {
        // what is in reach is paid for where it is used
        match occurrence.timestamp() {
            at if at >= from => found.push(at),
            _ => budget.spend()?,
        }
    }
    Ok(found)
}

const UNREADABLE: &str =
    "this is no recurrence rule that can be followed: write one such as FREQ=WEEKLY;BYDAY=MO (RFC 5545, 3.3.10)";

/// A rule without its end, which is minded here.
struct Rule {
    text: String,
    count: Option<usize>,
    /// On the wall clock, inclusive.
    until: Option<i64>,
    /// Seconds after which its periods begin anew, where all are equally long.
    step: Option<i64>,
}

impl Rule {
    fn read(rule: &str, clock: &ZoneRules) -> Result<Rule, String> {
        let mut read = Rule { text: String::new(), count: None, until: None, step: None };
        let (mut interval, mut unit, mut at_once) = (1, None, 1_usize);
        // the zone cannot be named by a rule, so nothing that is no rule may get into the crate's text
        for part in rule.trim().trim_end_matches(';').split(';') {
            let (key, value) = part.split_once('=').ok_or(UNREADABLE)?;
            let fine = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b",+-".contains(&byte));
            let (key, value) = (key.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase());
            if !fine(&key) || !fine(&value) || value.len() > 2000 {
                return Err(UNREADABLE.to_owned());
            }
            match key.as_str() {
                "COUNT" => read.count = Some(value.parse().map_err(|_| "COUNT is no whole number")?),
                "UNTIL" => read.until = Some(end(&value, clock).ok_or("UNTIL is neither a date nor a date-time")?),
                // these change nothing on a Gregorian calendar
                "RSCALE" | "SKIP" if matches!(value.as_str(), "GREGORIAN" | "OMIT") => continue,
                "INTERVAL" => {
                    interval =
                        value.parse::<u16>().ok().filter(|it| *it > 0).ok_or("INTERVAL is no number from 1 to 65535")?
                }
                "FREQ" => {
                    unit = period(&value);
                    at_once = at_once.saturating_mul(days(&value));
                }
                "BYHOUR" | "BYMINUTE" | "BYSECOND" => at_once = at_once.saturating_mul(value.split(',').count()),
                _ => {}
            }
            if !matches!(key.as_str(), "COUNT" | "UNTIL") {
                read.text = format!("{}{}{key}={value}", read.text, if read.text.is_empty() { "" } else { ";" });
            }
        }
        if at_once > MOST_AT_ONCE {
            return Err(format!("this rule repeats more than {MOST_AT_ONCE} times in one period"));
        }
        read.step = unit.map(|unit| unit * i64::from(interval));
        Ok(read)
    }
}

/// Seconds of a frequency whose periods are all equally long on a wall clock.
fn period(frequency: &str) -> Option<i64> {
    match frequency {
        "SECONDLY" => Some(1),
        "MINUTELY" => Some(60),
        "HOURLY" => Some(3600),
        "DAILY" => Some(DAY),
        "WEEKLY" => Some(7 * DAY),
        _ => None,
    }
}

/// Days that one period of a frequency may have.
fn days(frequency: &str) -> usize {
    match frequency {
        "YEARLY" => 366,
        "MONTHLY" => 31,
        "WEEKLY" => 7,
        _ => 1,
    }
}

/// The last wall clock that an UNTIL lets through.
fn end(text: &str, clock: &ZoneRules) -> Option<i64> {
    Some(match when(text)? {
        When::Day(midnight) => midnight + DAY - 1,
        When::Wall(wall) => wall,
        When::Utc(instant) => clock.wall(instant),
    })
}

fn stamp(wall: i64) -> String {
    civil(wall).strftime("%Y%m%dT%H%M%SZ").to_string()
}
