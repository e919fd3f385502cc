//! Dates, times, durations and UTC offsets as RFC 5545 (3.3) writes them. A wall clock is counted in seconds as if it were UTC.

use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan as _};

/// Seconds in a day.
pub const DAY: i64 = 86_400;
/// More digits than any calendar needs, and no sum of them overflows.
const LONGEST_NUMBER: usize = 7;

/// What a date or date-time says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A whole day: its midnight on the wall clock.
    Day(i64),
    /// A wall clock, whose zone stands elsewhere, if anywhere.
    Wall(i64),
    /// An instant: Unix seconds.
    Utc(i64),
}

/// `20261127`, `20261127T090000` or `20261127T090000Z`.
pub fn when(text: &str) -> Option<When> {
    let text = text.trim();
    let (day, time) = match text.split_once(['T', 't']) {
        None => return Some(When::Day(seconds(date(text)?.at(0, 0, 0, 0)))),
        Some((day, time)) => (date(day)?, time),
    };
    let utc = time.ends_with(['Z', 'z']);
    let time = time.trim_end_matches(['Z', 'z']);
    if time.len() != 6 {
        return None;
    }
    let part = |at: usize| number(time.get(at..at + 2)?);
    let (hour, minute, second) = (part(0)?, part(2)?, part(4)?);
    // 24:00:00 is none of the RFC's, but some write it; 60 is a leap second
    if hour > 24 || minute > 59 || second > 60 || hour == 24 && (minute, second) != (0, 0) {
        return None;
    }
    let wall = seconds(day.at(0, 0, 0, 0)) + hour * 3600 + minute * 60 + second.min(59);
    Some(if utc { When::Utc(wall) } else { When::Wall(wall) })
}

fn date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.is_ascii() {
        return None;
    }
    let part = |at: std::ops::Range<usize>| number(&text[at]);
    let small = |at| i8::try_from(part(at)?).ok();
    Date::new(i16::try_from(part(0..4)?).ok()?, small(4..6)?, small(6..8)?).ok()
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= LONGEST_NUMBER && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// A length of time: days as the calendar has them, and exact seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurationValue {
    pub days: i64,
    pub seconds: i64,
}

/// `P1DT2H`, `PT45M`, `P2W`; negative ones are no length of an event, and are none here either.
pub fn length(text: &str) -> Option<DurationValue> {
    let text = text.trim().trim_start_matches('+').to_ascii_uppercase();
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut length = DurationValue::default();
    for (value, unit) in parts(days)? {
        match unit {
            'W' => length.days += value * 7,
            'D' => length.days += value,
            _ => return None,
        }
    }
    for (value, unit) in parts(time)? {
        length.seconds += value
            * match unit {
                'H' => 3600,
                'M' => 60,
                'S' => 1,
                _ => return None,
            };
    }
    let said = rest.len() > 1 && !rest.ends_with('T');
    said.then_some(length)
}

/// Numbers and their units: `2H30M`.
fn parts(text: &str) -> Option<Vec<(i64, char)>> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(at) = rest.find(|c: char| !c.is_ascii_digit()) {
        let unit = rest[at..].chars().next()?;
        found.push((number(&rest[..at])?, unit));
        rest = &rest[at + unit.len_utf8()..];
    }
    (rest.is_empty() && found.len() <= 4).then_some(found)
}

/// `+0100`, `-043000`: seconds east of UTC.
pub fn offset(text: &str) -> Option<i64> {
    let text = text.trim();
    let sign = match text.bytes().next()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = &text[1..];
    if !matches!(digits.len(), 4 | 6) || !digits.is_ascii() {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), number);
    let seconds = part(0)? * 3600 + part(2)? * 60 + part(4)?;
    (seconds < DAY).then_some(sign * seconds)
}

/// A wall clock in seconds. The last days of the year 9999, which are written for "for ever", are one moment to us.
pub fn seconds(wall: DateTime) -> i64 {
    let beyond = if wall.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    Offset::UTC.to_timestamp(wall).unwrap_or(beyond).as_second()
}

/// The wall clock of [`seconds`].
pub fn civil(seconds: i64) -> DateTime {
    let bounds = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Offset::UTC.to_datetime(Timestamp::from_second(seconds.clamp(bounds.0, bounds.1)).unwrap_or_default())
}

/// The midnight that begins a day some days after a wall clock's.
pub fn midnight(wall: i64) -> i64 {
    wall - wall.rem_euclid(DAY)
}

/// The first midnight of the month of a wall clock, and of the next one.
pub fn month_of(wall: i64) -> (i64, i64) {
    let first = civil(wall).date().first_of_month();
    let next = first.checked_add(1.month()).unwrap_or(first);
    (seconds(first.at(0, 0, 0, 0)), seconds(next.at(0, 0, 0, 0)))
}

#[cfg(test)]
mod tests {
    use super::{DAY, DurationValue, When, length, month_of, offset, when};

    #[test]
    fn dates_and_times_are_read_strictly() {
        assert_eq!(when("19700102"), Some(When::Day(DAY)));
        assert_eq!(when("19700101T010203"), Some(When::Wall(3723)));
        assert_eq!(when("19700101T010203Z"), Some(When::Utc(3723)));
        assert_eq!(when("19700101T240000Z"), Some(When::Utc(DAY)));
        assert_eq!(when("19700101T235960Z"), Some(When::Utc(DAY - 1)));
        for bad in
            ["", "1970", "19700101T", "19700101T2500", "19700101T250000", "19700101T240001", "19701301", "é9700101"]
        {
            assert_eq!(when(bad), None, "{bad}");
        }
    }

    #[test]
    fn lengths_are_nominal_days_and_exact_seconds() {
        assert_eq!(length("P1DT2H30M5S"), Some(DurationValue { days: 1, seconds: 9005 }));
        assert_eq!(length("+P2W"), Some(DurationValue { days: 14, seconds: 0 }));
        assert_eq!(length("PT0S"), Some(DurationValue::default()));
        for bad in ["", "P", "PT", "-PT1H", "1H", "PT1D", "P1H", "P99999999D", "PT1H2", "P1DT"] {
            assert_eq!(length(bad), None, "{bad}");
        }
    }

    #[test]
    fn offsets_have_a_sign() {
        assert_eq!((offset("+0530"), offset("-013015")), (Some(19_800), Some(-5415)));
        for bad in ["", "0100", "+01:00", "+1", "+2400", "+é11"] {
            assert_eq!(offset(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_month_is_told_by_its_two_midnights() {
        assert_eq!(month_of(5), (0, 31 * DAY));
        assert_eq!(month_of(-1), (-31 * DAY, 0));
    }
}
