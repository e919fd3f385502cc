//! What the clock on the wall shows in a frame: texts, hours, steps.

use super::bits;
use super::day::Day;
use super::frame::{DAY, Frame, Kind, MONDAY, QUARTER};
use super::grid::Grid;
use super::zone::Segment;
use jiff::tz::Offset;
use std::ops::Range;

impl Frame {
    /// Seconds the frame's wall clock is ahead of UTC when quarter `q` starts.
    fn offset(&self, q: usize) -> i64 {
        match (&self.kind, self.zone()) {
            (Kind::Window { .. }, Some(zone)) => zone.offset_at(self.second(q)),
            _ => 0,
        }
    }

    /// The wall-clock seconds since Monday 00:00 when quarter `q` starts.
    fn wall(&self, q: usize) -> i64 {
        (self.second(q) + self.offset(q) + MONDAY).rem_euclid(7 * DAY)
    }

    /// The start of quarter `q` (0..=len) as RFC 3339 with the offset valid at that instant, such as
    /// `2026-03-23T09:00:00+01:00`; in a typical week its day and clock, such as `monday 09:00`.
    ///
    /// RFC 3339 has no seconds in offsets: one that has them is rounded to the minute, the clock with
    /// it, so that the instant stays exact.
    pub fn local_text(&self, q: usize) -> String {
        if !self.is_window() {
            return format!("{} {}", self.day_of(q).name(), self.clock(q, false));
        }
        let minutes = (self.offset(q) + 30).div_euclid(60);
        let offset = i32::try_from(60 * minutes).map(Offset::from_seconds);
        let offset = offset.ok().and_then(Result::ok).unwrap_or(Offset::UTC);
        self.instant(q).display_with_offset(offset).to_string()
    }

    /// The day of the week, on the frame's wall clock, on which quarter `q` starts.
    pub fn day_of(&self, q: usize) -> Day {
        let day = usize::try_from(self.wall(q) / DAY).unwrap_or(0);
        Day::ALL[day % 7]
    }

    /// `HH:MM` on the frame's wall clock when quarter `q` starts. `as_end` says that a range ends
    /// there: midnight is then `24:00` (of the day before).
    pub fn clock(&self, q: usize, as_end: bool) -> String {
        let minute = self.wall(q) % DAY / 60;
        match minute {
            0 if as_end => "24:00".to_owned(),
            _ => format!("{:02}:{:02}", minute / 60, minute % 60),
        }
    }

    /// The buckets of a heat map, in order: the hours that the frame's wall clock shows.
    ///
    /// A bucket begins with the frame, with an hour, and where the zone's offset changes, so a jump of
    /// half an hour leaves a bucket of two quarters. No bucket is longer than four.
    pub fn hours(&self) -> Vec<Range<usize>> {
        let mut hours: Vec<Range<usize>> = Vec::with_capacity(self.len() / 4 + 2);
        let mut shown = None;
        for (q, (wall, offset)) in self.walls().enumerate() {
            let now = Some((wall.div_euclid(4 * QUARTER), offset));
            match hours.last_mut() {
                Some(hour) if shown == now => hour.end = q + 1,
                _ => hours.push(q..q + 1),
            }
            shown = now;
        }
        hours
    }

    /// The quarters at which a slot may start: those where the frame's wall clock shows a multiple of
    /// `step_quarters` (1, 2 or 4) quarters past the hour.
    pub fn steps(&self, step_quarters: usize) -> Grid {
        let step = match step_quarters {
            0 | 1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
        let mut steps = Grid::empty(self.len());
        for (quarters, wall) in self.stretches() {
            if wall % QUARTER != 0 {
                continue;
            }
            let into = usize::try_from((wall / QUARTER).rem_euclid(4)).unwrap_or(0) % step;
            // A word has a whole number of steps, so all words have the same pattern.
            let every: u64 = !0 / ((1 << step) - 1);
            let first = (quarters.start + step - into) % step;
            let words = steps.bits_mut();
            bits::each_mask(words.len(), quarters, |word, mask| words[word] |= mask & every << first);
        }
        steps
    }

    /// The quarters that start on the same date of the frame's wall clock, or day of a typical week, as quarter `q`. Where a
    /// clock is put back over midnight they are more than one run.
    pub(super) fn same_date(&self, q: usize) -> impl Iterator<Item = Range<usize>> {
        let date = (self.second(q) + self.offset(q)).div_euclid(DAY);
        self.stretches().filter_map(move |(quarters, wall)| {
            let at = |second: i64| usize::try_from((second - wall + QUARTER - 1).div_euclid(QUARTER)).unwrap_or(0);
            let start = quarters.start + at(date * DAY);
            let end = quarters.end.min(quarters.start + at((date + 1) * DAY));
            (start < end).then_some(start..end)
        })
    }

    /// The stretches of quarters at whose starts the wall clock is equally far ahead of UTC, with what it shows (in seconds since
    /// 1970-01-01 00:00) when the first one starts.
    fn stretches(&self) -> impl Iterator<Item = (Range<usize>, i64)> {
        let (start, end) = (self.second(0), self.second(self.len()));
        let typical = Segment { start, end, offset: 0 };
        let (typical, segments) = match &self.kind {
            Kind::TypicalWeek { .. } => (Some(typical), [].as_slice()),
            Kind::Window { segments, .. } => (None, segments.as_slice()),
        };
        typical.into_iter().chain(segments.iter().copied()).map(move |segment| {
            let at = |second: i64| usize::try_from((second - start + QUARTER - 1).div_euclid(QUARTER)).unwrap_or(0);
            let quarters = at(segment.start)..at(segment.end).min(self.len());
            let wall = self.second(quarters.start) + segment.offset;
            (quarters, wall)
        })
    }

    /// For every quarter the wall-clock second at which it starts, and the offset there.
    fn walls(&self) -> impl Iterator<Item = (i64, i64)> {
        let segments = match &self.kind {
            Kind::TypicalWeek { .. } => &[],
            Kind::Window { segments, .. } => segments.as_slice(),
        };
        let mut rest = segments.iter().peekable();
        (0..self.len()).map(move |q| {
            let second = self.second(q);
            while rest.next_if(|segment| segment.end <= second).is_some() {}
            let offset = rest.peek().map_or(0, |segment| segment.offset);
            (second + offset, offset)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::calendar::{Day, Frame, Zone, ZoneError};
    use jiff::civil::{Date, date};
    use std::error::Error;

    type Tested = Result<(), Box<dyn Error>>;

    fn window(zone: &str, from: Date, to: Date) -> Result<Frame, Box<dyn Error>> {
        Ok(Frame::window(Zone::parse(zone)?, from, to)?)
    }

    #[test]
    fn local_text_has_the_offset_of_its_own_instant() -> Tested {
        let frame = window("Europe/Paris", date(2026, 3, 29), date(2026, 3, 29))?;
        assert_eq!(frame.local_text(7), "2026-03-29T01:45:00+01:00");
        assert_eq!(frame.local_text(8), "2026-03-29T03:00:00+02:00");
        assert_eq!(frame.local_text(frame.len()), "2026-03-30T00:00:00+02:00");
        assert_eq!(frame.instant(8).to_string(), "2026-03-29T01:00:00Z");
        let utc = Frame::window(Zone::utc(), date(2199, 12, 31), date(2199, 12, 31))?;
        assert_eq!(utc.local_text(96), "2200-01-01T00:00:00+00:00");
        Ok(())
    }

    #[test]
    fn an_offset_with_seconds_is_rounded_and_the_instant_kept() -> Tested {
        let frame = window("Africa/Monrovia", date(1972, 1, 1), date(1972, 1, 1))?;
        assert_eq!(frame.instant(0).to_string(), "1972-01-01T00:44:30Z");
        assert_eq!(frame.local_text(0), "1972-01-01T00:00:30-00:44");
        Ok(())
    }

    #[test]
    fn quarters_of_a_typical_week_are_days_and_clocks() -> Result<(), ZoneError> {
        let frame = Frame::typical_week(Some(Zone::parse("Asia/Tokyo")?), date(2026, 1, 1));
        assert_eq!((frame.len(), frame.is_window()), (672, false));
        assert_eq!((frame.day_of(0), frame.clock(0, false)), (Day::Monday, "00:00".into()));
        assert_eq!((frame.day_of(95), frame.clock(96, true)), (Day::Monday, "24:00".into()));
        assert_eq!((frame.day_of(671), frame.clock(672, true)), (Day::Sunday, "24:00".into()));
        assert_eq!(frame.local_text(38 + 96), "tuesday 09:30");
        Ok(())
    }

    #[test]
    fn hours_are_those_the_wall_clock_shows() -> Tested {
        let typical = Frame::typical_week(None, date(2026, 1, 1)).hours();
        assert_eq!(typical.len(), 168);
        assert_eq!(typical[167], 668..672);
        let paris = window("Europe/Paris", date(2026, 10, 25), date(2026, 10, 25))?;
        assert_eq!(paris.hours().len(), 25);
        // 02:00 jumps back to 01:30: the second half of that hour comes twice.
        let howe = window("Australia/Lord_Howe", date(2026, 4, 5), date(2026, 4, 5))?;
        assert_eq!(howe.hours()[..4], [0..4, 4..8, 8..10, 10..14]);
        Ok(())
    }

    #[test]
    fn slots_start_on_steps_of_the_wall_clock() -> Tested {
        let day = date(2026, 4, 5);
        let howe = window("Australia/Lord_Howe", day, day)?;
        let starts: Vec<_> = howe.steps(4).iter().take(4).collect();
        assert_eq!(starts, [0, 4, 10, 14]);
        assert_eq!(howe.steps(1).count(), howe.len());
        Ok(())
    }
}
