//! A quarter of a frame on a clock that is not the frame's own.

use super::day::Day;
use super::frame::{DAY, Frame, Kind, MONDAY};
use super::zone::Zone;
use jiff::tz::Offset;

impl Frame {
    /// In a window: the start of quarter `q` (0..=len) as RFC 3339 on the wall clock of `zone`, as [`Frame::local_text`] writes it.
    pub fn text_in(&self, zone: &Zone, q: usize) -> String {
        let minutes = (zone.offset_at(self.second(q)) + 30).div_euclid(60);
        let offset = i32::try_from(60 * minutes).map(Offset::from_seconds);
        let offset = offset.ok().and_then(Result::ok).unwrap_or(Offset::UTC);
        self.instant(q).display_with_offset(offset).to_string()
    }

    /// In a typical week: the day and the clock in `zone` when quarter `q` starts, or with `as_end`, when a range ends there
    /// (midnight is then `24:00` of the day before). The week goes round; in a floating week all clocks show the same.
    pub fn shown_in(&self, zone: &Zone, q: usize, as_end: bool) -> (Day, String) {
        let ahead = match (&self.kind, self.zone()) {
            (Kind::TypicalWeek { noon }, Some(own)) => zone.offset_at(*noon) - own.offset_at(*noon),
            _ => 0,
        };
        let minute = (self.second(q) + ahead + MONDAY).rem_euclid(7 * DAY) / 60;
        let day = usize::try_from(minute / 1440).unwrap_or(0);
        match minute % 1440 {
            0 if as_end => (Day::ALL[(day + 6) % 7], "24:00".to_owned()),
            of_day => (Day::ALL[day % 7], format!("{:02}:{:02}", of_day / 60, of_day % 60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::calendar::{Day, Frame, Zone};
    use jiff::civil::date;
    use std::error::Error;

    type Tested = Result<(), Box<dyn Error>>;

    #[test]
    fn a_quarter_of_a_window_shows_the_offset_that_each_zone_has_then() -> Tested {
        let paris = Zone::parse("Europe/Paris")?;
        let frame = Frame::window(paris.clone(), date(2026, 3, 9), date(2026, 3, 9))?;
        assert_eq!(frame.text_in(&Zone::parse("America/New_York")?, 56), "2026-03-09T09:00:00-04:00");
        assert_eq!(frame.text_in(&Zone::parse("Asia/Kathmandu")?, 56), "2026-03-09T18:45:00+05:45");
        assert_eq!(frame.text_in(&paris, 56), frame.local_text(56));
        Ok(())
    }

    #[test]
    fn a_typical_week_goes_round_on_other_clocks() -> Tested {
        let frame = Frame::typical_week(Some(Zone::parse("Europe/Paris")?), date(2026, 1, 15));
        let tokyo = Zone::parse("Asia/Tokyo")?;
        assert_eq!(frame.shown_in(&tokyo, 36, false), (Day::Monday, "17:00".to_owned()));
        assert_eq!(frame.shown_in(&tokyo, 64, true), (Day::Monday, "24:00".to_owned()));
        assert_eq!(frame.shown_in(&tokyo, 64, false), (Day::Tuesday, "00:00".to_owned()));
        assert_eq!(frame.shown_in(&tokyo, 671, false), (Day::Monday, "07:45".to_owned()));
        assert_eq!(frame.shown_in(&Zone::parse("America/New_York")?, 0, false), (Day::Sunday, "18:00".to_owned()));
        let floating = Frame::typical_week(None, date(2026, 1, 15));
        assert_eq!(floating.shown_in(&tokyo, 36, false), (Day::Monday, "09:00".to_owned()));
        Ok(())
    }
}
