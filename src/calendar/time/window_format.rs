//! Quarters of a search window as text: the one formatter for the window's own zone and for others.

use super::day::Day;
use super::search_window::{DAY, Kind, MONDAY_TO_EPOCH, SearchWindow};
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
    let minute = (wall + MONDAY_TO_EPOCH).rem_euclid(7 * DAY) / 60;
    let day = usize::try_from(minute / 1440).unwrap_or(0);
    match minute % 1440 {
        0 if as_end => (Day::ALL[(day + 6) % 7], "24:00".to_owned()),
        of_day => (Day::ALL[day], format!("{:02}:{:02}", of_day / 60, of_day % 60)),
    }
}

#[cfg(test)]
mod tests {
    use crate::calendar::{Day, SearchWindow, Zone};
    use jiff::civil::{Date, date};
    use std::error::Error;

    type Tested = Result<(), Box<dyn Error>>;

    fn window(zone: &str, date: Date) -> Result<SearchWindow, Box<dyn Error>> {
        Ok(SearchWindow::dates(Zone::parse(zone)?, date, date)?)
    }

    #[test]
    fn a_quarter_has_the_offset_of_its_own_instant() -> Tested {
        let paris = window("Europe/Paris", date(2026, 3, 29))?;
        assert_eq!(paris.format_quarter(7), "2026-03-29T01:45:00+01:00");
        assert_eq!(paris.format_quarter(8), "2026-03-29T03:00:00+02:00");
        assert_eq!(paris.format_quarter(paris.len()), "2026-03-30T00:00:00+02:00");
        assert_eq!(paris.instant(8).to_string(), "2026-03-29T01:00:00Z");
        assert_eq!(window("UTC", date(2199, 12, 31))?.format_quarter(96), "2200-01-01T00:00:00+00:00");
        Ok(())
    }

    #[test]
    fn an_offset_with_seconds_is_rounded_and_the_instant_kept() -> Tested {
        let monrovia = window("Africa/Monrovia", date(1972, 1, 1))?;
        assert_eq!(monrovia.instant(0).to_string(), "1972-01-01T00:44:30Z");
        assert_eq!(monrovia.format_quarter(0), "1972-01-01T00:00:30-00:44");
        Ok(())
    }

    #[test]
    fn quarters_of_a_typical_week_are_days_and_times() -> Tested {
        let week = SearchWindow::typical_week(Some(Zone::parse("Asia/Tokyo")?), date(2026, 1, 1));
        assert_eq!((week.len(), week.has_dates()), (672, false));
        assert_eq!(week.day_and_time(0, false), (Day::Monday, "00:00".into()));
        assert_eq!(week.day_and_time(96, true), (Day::Monday, "24:00".into()));
        assert_eq!(week.day_and_time(672, true), (Day::Sunday, "24:00".into()));
        assert_eq!(week.format_quarter(38 + 96), "tuesday 09:30");
        Ok(())
    }

    #[test]
    fn a_typical_week_is_circular_in_other_zones() -> Tested {
        let week = SearchWindow::typical_week(Some(Zone::parse("Europe/Paris")?), date(2026, 1, 15));
        let tokyo = Zone::parse("Asia/Tokyo")?;
        assert_eq!(week.day_and_time_in(&tokyo, 36, false), (Day::Monday, "17:00".to_owned()));
        assert_eq!(week.day_and_time_in(&tokyo, 64, true), (Day::Monday, "24:00".to_owned()));
        assert_eq!(week.day_and_time_in(&tokyo, 64, false), (Day::Tuesday, "00:00".to_owned()));
        assert_eq!(week.day_and_time_in(&tokyo, 671, false), (Day::Monday, "07:45".to_owned()));
        let new_york = Zone::parse("America/New_York")?;
        assert_eq!(week.day_and_time_in(&new_york, 0, false), (Day::Sunday, "18:00".to_owned()));
        let floating = SearchWindow::typical_week(None, date(2026, 1, 15));
        assert_eq!(floating.day_and_time_in(&tokyo, 36, false), (Day::Monday, "09:00".to_owned()));
        Ok(())
    }
}
