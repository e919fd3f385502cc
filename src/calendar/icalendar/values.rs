//! Parses dates, times, durations and UTC offsets (RFC 5545, 3.3). A wall clock is counted in seconds as if it were UTC.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan as _};

use crate::calendar::time::SECONDS_PER_DAY;

/// More digits than any calendar needs, but few enough that no sum overflows.
const MAX_DIGITS: usize = 7;

/// A DATE or a DATE-TIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrTime {
    /// A whole day: its midnight on the wall clock.
    Date(i64),
    /// A wall clock. Its zone, if it has one, is in the TZID parameter.
    Local(i64),
    /// An instant: Unix seconds.
    Utc(i64),
}

impl DateOrTime {
    /// The clock as written.
    pub fn wall(self) -> i64 {
        match self {
            DateOrTime::Date(wall) | DateOrTime::Local(wall) | DateOrTime::Utc(wall) => wall,
        }
    }
}

/// `20261127`, `20261127T090000` or `20261127T090000Z`; also in the extended format of ISO 8601, with fractions or an offset
/// (`2026-11-27T09:00:00.000+01:00`).
pub fn parse_date_or_time(text: &str) -> Option<DateOrTime> {
    let text = text.trim();
    let (day, time) = match text.split_once(['T', 't', ' ']) {
        None => return Some(DateOrTime::Date(wall_to_seconds(parse_date(text)?.at(0, 0, 0, 0)))),
        Some((day, time)) => (parse_date(day)?, time.trim()),
    };
    let (time, offset) = match time.find(['Z', 'z', '+', '-']) {
        None => (time, None),
        Some(at) if matches!(&time[at..], "Z" | "z") => (&time[..at], Some(0)),
        Some(at) => (&time[..at], Some(parse_utc_offset(&time[at..])?)),
    };
    let (time, fraction) = time.trim_end().split_once(['.', ',']).unwrap_or((time.trim_end(), "0"));
    let time = time.replace(':', "");
    if !matches!(time.len(), 4 | 6) || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| time.get(at..at + 2).map_or(Some(0), parse_number);
    let (hour, minute, second) = (part(0)?, part(2)?, part(4)?);
    // Some programs write 24:00:00, which is not in the RFC; 60 is a leap second.
    if hour > 24 || minute > 59 || second > 60 || hour == 24 && (minute, second) != (0, 0) {
        return None;
    }
    let wall = wall_to_seconds(day.at(0, 0, 0, 0)) + hour * 3600 + minute * 60 + second.min(59);
    Some(offset.map_or(DateOrTime::Local(wall), |offset| DateOrTime::Utc(wall - offset)))
}

fn parse_date(text: &str) -> Option<Date> {
    let mut text = text.trim().to_owned();
    if text.len() == 10 && text.is_ascii() && text[4..5] == text[7..8] && &text[4..5] == "-" {
        text.retain(|c| c != '-');
    }
    if text.len() != 8 || !text.is_ascii() {
        return None;
    }
    let part = |at: std::ops::Range<usize>| parse_number(&text[at]);
    let small = |at| i8::try_from(part(at)?).ok();
    Date::new(i16::try_from(part(0..4)?).ok()?, small(4..6)?, small(6..8)?).ok()
}

fn parse_number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A DURATION: nominal days and exact seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurationValue {
    pub days: i64,
    pub seconds: i64,
}

/// `P1DT2H`, `PT45M`, `P2W`; also with the `T` in the wrong place (`PT1D`, `P1H`), where only one reading is possible. A negative
/// duration is refused: no event has one.
pub fn parse_duration(text: &str) -> Option<DurationValue> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
    let rest = text.trim_start_matches('+').strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut duration = DurationValue::default();
    let (days, time) = (split_units(days)?, split_units(time)?);
    let has_units = !days.is_empty() || !time.is_empty();
    let is_after_t = std::iter::repeat_n(false, days.len()).chain(std::iter::repeat_n(true, time.len()));
    for ((value, unit), is_after_t) in days.into_iter().chain(time).zip(is_after_t) {
        match unit {
            'W' => duration.days += value * 7,
            'D' => duration.days += value,
            'H' => duration.seconds += value * 3600,
            // Before the T it might mean months.
            'M' if is_after_t => duration.seconds += value * 60,
            'S' => duration.seconds += value,
            _ => return None,
        }
    }
    has_units.then_some(duration)
}

/// Numbers and their units: `2H30M`.
fn split_units(text: &str) -> Option<Vec<(i64, char)>> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(at) = rest.find(|c: char| !c.is_ascii_digit()) {
        let unit = rest[at..].chars().next()?;
        found.push((parse_number(&rest[..at])?, unit));
        rest = &rest[at + unit.len_utf8()..];
    }
    (rest.is_empty() && found.len() <= 4).then_some(found)
}

/// `+0100`, `-043000`: seconds east of UTC; also `+01:00`, `+1`, and without a plus.
pub fn parse_utc_offset(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = match text.bytes().next()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => (1, text),
    };
    let mut digits = digits.replace(':', "");
    if !matches!(digits.len(), 1..=4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.len() % 2 == 1 {
        digits.insert(0, '0');
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), parse_number);
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    let total = hours * 3600 + minutes * 60 + seconds;
    (total < SECONDS_PER_DAY && minutes < 60 && seconds < 60).then_some(sign * total)
}

/// A wall clock in seconds. The last days of the year 9999, which mean "for ever", become one instant.
pub fn wall_to_seconds(wall: DateTime) -> i64 {
    let beyond = if wall.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    Offset::UTC.to_timestamp(wall).unwrap_or(beyond).as_second()
}

/// The wall clock of [`wall_to_seconds`].
pub fn seconds_to_wall(seconds: i64) -> DateTime {
    let bounds = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Offset::UTC.to_datetime(Timestamp::from_second(seconds.clamp(bounds.0, bounds.1)).unwrap_or_default())
}

/// The midnight before a wall clock.
pub fn midnight_before(wall: i64) -> i64 {
    wall - wall.rem_euclid(SECONDS_PER_DAY)
}

/// The first midnight of the month of a wall clock, and that of the next month.
pub fn month_bounds(wall: i64) -> (i64, i64) {
    let first = seconds_to_wall(wall).date().first_of_month();
    let next = first.checked_add(1.month()).unwrap_or(first);
    (wall_to_seconds(first.at(0, 0, 0, 0)), wall_to_seconds(next.at(0, 0, 0, 0)))
}

#[cfg(test)]
mod tests {
    use super::{
        DateOrTime, DurationValue, SECONDS_PER_DAY, month_bounds, parse_date_or_time, parse_duration, parse_utc_offset,
    };

    #[test]
    fn dates_and_times_are_read_where_there_is_no_doubt() {
        assert_eq!(parse_date_or_time("19700102"), Some(DateOrTime::Date(SECONDS_PER_DAY)));
        assert_eq!(parse_date_or_time("19700101T010203"), Some(DateOrTime::Local(3723)));
        assert_eq!(parse_date_or_time("19700101T010203Z"), Some(DateOrTime::Utc(3723)));
        assert_eq!(parse_date_or_time("19700101T240000Z"), Some(DateOrTime::Utc(SECONDS_PER_DAY)));
        assert_eq!(parse_date_or_time("19700101T235960Z"), Some(DateOrTime::Utc(SECONDS_PER_DAY - 1)));
        assert_eq!(parse_date_or_time("1970-01-02"), Some(DateOrTime::Date(SECONDS_PER_DAY)));
        for same in ["1970-01-01T01:02:03Z", "19700101T010203.000Z", "1970-01-01 02:02:03+01:00", "19700101T010203 Z"] {
            assert_eq!(parse_date_or_time(same), Some(DateOrTime::Utc(3723)), "{same}");
        }
        assert_eq!(parse_date_or_time("1970-01-01T01:02"), Some(DateOrTime::Local(3720)));
        for bad in [
            "",
            "1970",
            "19700101T",
            "19700101T2500",
            "19700101T250000",
            "19700101T240001",
            "19701301",
            "é9700101",
            "19700230",
            "19700101T18300",
            "1.1.1970",
            "1970-1-1",
            "01/02/1970",
            "1970-01-01T01:02:03+99:00",
            "é970-01-01",
        ] {
            assert_eq!(parse_date_or_time(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_are_nominal_days_and_exact_seconds() {
        assert_eq!(parse_duration("P1DT2H30M5S"), Some(DurationValue { days: 1, seconds: 9005 }));
        assert_eq!(parse_duration("+P2W"), Some(DurationValue { days: 14, seconds: 0 }));
        assert_eq!(parse_duration("PT0S"), Some(DurationValue::default()));
        assert_eq!(parse_duration("PT1D"), Some(DurationValue { days: 1, seconds: 0 }));
        assert_eq!(parse_duration("PT1W"), Some(DurationValue { days: 7, seconds: 0 }));
        assert_eq!(parse_duration("P1H"), Some(DurationValue { days: 0, seconds: 3600 }));
        assert_eq!(parse_duration("p1dt"), Some(DurationValue { days: 1, seconds: 0 }));
        for bad in ["", "P", "PT", "-PT1H", "1H", "P30M", "P99999999D", "PT1H2", "PT45"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn offsets_are_hours_minutes_and_seconds() {
        assert_eq!((parse_utc_offset("+0530"), parse_utc_offset("-013015")), (Some(19_800), Some(-5415)));
        for hour in ["0100", "+01:00", "+1", "1", "+100", "+01"] {
            assert_eq!(parse_utc_offset(hour), Some(3600), "{hour}");
        }
        for bad in ["", "+", "+2400", "+0160", "+é11", "+12345", "++1"] {
            assert_eq!(parse_utc_offset(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_month_is_bounded_by_two_midnights() {
        assert_eq!(month_bounds(5), (0, 31 * SECONDS_PER_DAY));
        assert_eq!(month_bounds(-1), (-31 * SECONDS_PER_DAY, 0));
    }
}
