//! Quarters of a search window as text: the one formatter for the window's own zone and for others.

use super::day::Day;
use super::search_window::{Kind, MONDAY_TO_EPOCH, SECONDS_PER_DAY, SearchWindow};
use super::zone::Zone;

impl SearchWindow {
    /// The start of quarter `q` (0..=len) on the window's wall clock: in a range of dates as RFC 3339 with the offset valid at that
    /// instant, such as `2026-03-23T09:00:00+01:00`; in a typical week as its day and time, such as `monday 09:00`.
    pub fn format_quarter(&self, q: usize) -> String {
        match self.zone().filter(|_| self.has_dates()) {
            Some(zone) => zone.format_rfc3339(self.instant(q)),
            None => {
                let (day, time) = self.day_and_time(q, false);
                format!("{} {time}", day.name())
            }
        }
    }

    /// The day and the time, `HH:MM`, on the window's wall clock when quarter `q` starts. `as_end` says that a period ends there:
    /// midnight is then `24:00` of the day before.
    pub fn day_and_time(&self, q: usize, as_end: bool) -> (Day, String) {
        day_and_time(self.second(q) + self.offset(q), as_end)
    }

    /// The same on the wall clock of `zone`. A typical week is circular, and a floating one shows the same time in every zone.
    pub fn day_and_time_in(&self, zone: &Zone, q: usize, as_end: bool) -> (Day, String) {
        let offset = match (&self.kind, self.zone()) {
            (Kind::Dates { .. }, _) => zone.offset_at(self.second(q)),
            (Kind::TypicalWeek { noon }, Some(own)) => zone.offset_at(*noon) - own.offset_at(*noon),
            (Kind::TypicalWeek { .. }, None) => 0,
        };
        day_and_time(self.second(q) + offset, as_end)
    }
}

/// `wall` is a wall clock in seconds since 1970-01-01 00:00.
fn day_and_time(wall: i64, as_end: bool) -> (Day, String) {
    let minute = (wall + MONDAY_TO_EPOCH).rem_euclid(7 * SECONDS_PER_DAY) / 60;
    let day = usize::try_from(minute / 1440).unwrap_or(0);
    match minute % 1440 {
        0 if as_end => (Day::ALL[(day + 6) % 7], "24:00".to_owned()),
        of_day => (Day::ALL[day], format!("{:02}:{:02}", of_day / 60, of_day % 60)),
    }
}
