//! The dates of a search window: ISO weeks, and which dates are refused.

use super::fault::truncate_for_message;
use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::{ToSpan, civil::date};
use std::ops::RangeInclusive;

/// The longest window, in days.
pub const MAX_DAYS: i64 = 62;
/// The years a window may lie in.
pub const YEARS: RangeInclusive<i16> = 1970..=2199;

/// Why a search window is refused: a sentence for the caller that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WindowError(String);

/// Refuses a year without known time zone rules.
pub(super) fn check_year(year: i16) -> Result<(), WindowError> {
    match YEARS.contains(&year) {
        true => Ok(()),
        false => Err(WindowError(format!("the year {year} is not supported: use 1970 to 2199"))),
    }
}

/// The Monday and the Sunday of an ISO week such as `2026-W48`.
///
/// # Errors
/// [`WindowError`] if the text is not a week, its year lacks that week, or the year is not supported.
pub fn iso_week(text: &str) -> Result<(Date, Date), WindowError> {
    let found = truncate_for_message(text);
    let malformed = || WindowError(format!("{found:?} is not an ISO week: write it as 2026-W48"));
    let (year, week) = parse_iso_week(text).ok_or_else(malformed)?;
    check_year(year)?;
    // 28 December is always in the last week of its ISO year.
    let last = date(year, 12, 28).iso_week_date().week();
    let absent = |_| WindowError(format!("{year} has no week {week}: its last one is W{last}"));
    let monday = ISOWeekDate::new(year, week, Weekday::Monday).map_err(absent)?.date();
    Ok((monday, monday.saturating_add(6.days())))
}

/// Year and week of `YYYY-Www`; the `W` in any case.
fn parse_iso_week(text: &str) -> Option<(i16, i8)> {
    let (year, week) = text.split_once("-W").or_else(|| text.split_once("-w"))?;
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = year.len() == 4 && week.len() == 2 && all_digits(year) && all_digits(week);
    shaped.then_some((year.parse().ok()?, week.parse().ok()?))
}

/// Refuses dates that are not a search window.
///
/// # Errors
/// [`WindowError`] if they are out of order, too many, or in a year that is not supported.
pub fn check_dates(from: Date, to: Date) -> Result<(), WindowError> {
    check_year(from.year())?;
    check_year(to.year())?;
    let days = to.duration_since(from).as_hours() / 24 + 1;
    let refuse = |why: String| Err(WindowError(why));
    match days {
        ..=0 => refuse(format!("the window ends on {to}, before it starts on {from}: give from <= to")),
        1..=MAX_DAYS => Ok(()),
        _ => refuse(format!("the window has {days} days: search at most {MAX_DAYS} at a time")),
    }
}

#[cfg(test)]
mod tests {
    use super::{WindowError, check_dates, iso_week};
    use jiff::civil::date;

    fn message(error: Option<WindowError>) -> String {
        error.map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn an_iso_week_is_its_monday_and_sunday() {
        let week = Ok((date(2026, 11, 23), date(2026, 11, 29)));
        assert_eq!(iso_week("2026-W48"), week);
        assert_eq!(iso_week("2026-w48"), week);
        let first = Ok((date(2024, 12, 30), date(2025, 1, 5)));
        assert_eq!(iso_week("2025-W01"), first);
        assert!(iso_week("2026-W53").is_ok());
    }

    #[test]
    fn weeks_that_do_not_exist_are_refused() {
        let text = "2025 has no week 53: its last one is W52";
        assert_eq!(message(iso_week("2025-W53").err()), text);
        assert!(iso_week("2025-W00").is_err());
        for bad in ["2026-48", "2026W48", "2026-W4", "2026-W+8", "-026-W48", "", "2026-W488"] {
            assert_eq!(message(iso_week(bad).err()), format!("{bad:?} is not an ISO week: write it as 2026-W48"));
        }
    }

    #[test]
    fn windows_are_bounded_in_length_order_and_years() {
        assert_eq!(check_dates(date(2026, 1, 1), date(2026, 3, 3)), Ok(()));
        let text = "the window has 63 days: search at most 62 at a time";
        assert_eq!(message(check_dates(date(2026, 1, 1), date(2026, 3, 4)).err()), text);
        let text = "the window ends on 2026-01-01, before it starts on 2026-01-02: give from <= to";
        assert_eq!(message(check_dates(date(2026, 1, 2), date(2026, 1, 1)).err()), text);
        let text = "the year 1969 is not supported: use 1970 to 2199";
        assert_eq!(message(check_dates(date(1969, 12, 31), date(1970, 1, 1)).err()), text);
        assert!(check_dates(date(-9999, 1, 1), date(9999, 12, 31)).is_err());
    }
}
