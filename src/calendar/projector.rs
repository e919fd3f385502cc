//! From an attendee's wall-clock week to the quarters of a frame.

use super::clockwork::{Clockwork, Wall};
use super::day::Day;
use super::frame::{Frame, MONDAY};
use super::grid::Grid;
use super::overrides::Overrides;
use super::week::{QUARTERS_PER_DAY, QUARTERS_PER_WEEK, Week};
use super::zone::Zone;
use super::{bits, frame};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use std::collections::HashMap;
use std::ops::Range;

/// Projects weeks onto one frame; what a zone does there is worked out once and kept.
#[derive(Debug)]
pub struct Projector<'a> {
    frame: &'a Frame,
    clocks: HashMap<Zone, Clockwork>,
}

impl<'a> Projector<'a> {
    pub(super) fn new(frame: &'a Frame) -> Projector<'a> {
        Projector { frame, clocks: HashMap::new() }
    }

    /// The quarters of the frame of which every second lies inside `week` on the wall clock of `zone`.
    ///
    /// In a window that clock follows the zone's rules: what a gap skips does not exist, what a fold
    /// repeats exists twice.
    pub fn project(&mut self, week: &Week, zone: &Zone) -> Grid {
        let mut grid = Grid::full(self.frame.len());
        self.clock(zone).keep(grid.bits_mut(), &ring(week));
        grid
    }

    /// The same, but on an overridden date (of the zone's own calendar) the override counts in the place of the week's day. A
    /// typical week has no dates, and so no overrides.
    pub fn project_with(&mut self, week: &Week, overrides: &Overrides, zone: &Zone) -> Grid {
        if overrides.is_empty() || !self.frame.is_window() {
            return self.project(week, zone);
        }
        let clock = self.clock(zone);
        let shown = clock.shown();
        let per_day = QUARTERS_PER_DAY as i64;
        let days = shown.start.div_euclid(per_day)..shown.end.div_euclid(per_day) + 1;
        if !overrides.touch(date_of(days.start)..=date_of(days.end)) {
            return self.project(week, zone);
        }
        let wall = stretch(week, overrides, days);
        let mut grid = Grid::full(self.frame.len());
        self.clock(zone).keep(grid.bits_mut(), &wall);
        grid
    }

    /// The quarters of the frame that lie wholly between `earliest` and `latest`, minutes of the zone's own day (0..=1440); left
    /// out, they are its ends. `earliest` is rounded up and `latest` down to quarters; nothing lies between them if they are not
    /// in order.
    pub fn within_hours(&mut self, zone: &Zone, earliest: Option<u16>, latest: Option<u16>) -> Grid {
        let from = usize::from(earliest.unwrap_or(0).div_ceil(15));
        let to = usize::from(latest.unwrap_or(1440) / 15).min(QUARTERS_PER_DAY);
        let mut week = Week::EMPTY;
        for midnight in (0..QUARTERS_PER_WEEK).step_by(QUARTERS_PER_DAY) {
            week.insert(midnight + from..midnight + to);
        }
        self.project(&week, zone)
    }

    fn clock(&mut self, zone: &Zone) -> &Clockwork {
        self.clocks.entry(zone.clone()).or_insert_with(|| Clockwork::new(self.frame, zone))
    }
}

/// A week and its beginning again, so that 64 quarters can be read from any quarter of it on.
pub(super) fn ring(week: &Week) -> Wall<[u64; 12]> {
    // The week ends in the middle of its last word. From its last quarter on, 64 quarters reach into
    // the twelfth by less than half.
    let (week, mut words) = (week.bits(), [0; 12]);
    words[..11].copy_from_slice(week);
    words[10] |= week[0] << 32;
    words[11] = week[0] >> 32;
    Wall { from: 0, round: QUARTERS_PER_WEEK as i64, words }
}

/// The wall clock of these days (numbered from Monday 1969-12-29), each with its override, else the week's day.
fn stretch(week: &Week, overrides: &Overrides, days: Range<i64>) -> Wall<Vec<u64>> {
    let per_day = QUARTERS_PER_DAY as i64;
    let (from, round) = (days.start * per_day, (days.end - days.start) * per_day);
    let mut words = vec![0; usize::try_from(round).unwrap_or(0).div_ceil(64) + 1];
    for (day, midnight) in days.zip((0..).step_by(QUARTERS_PER_DAY)) {
        let mut fill = |run: Range<usize>| bits::fill(&mut words, midnight + run.start..midnight + run.end);
        match overrides.runs_of(date_of(day)) {
            Some(runs) => runs.for_each(&mut fill),
            None => week.runs_of(day_of(day)).for_each(&mut fill),
        }
    }
    Wall { from, round, words }
}

/// The date of a day numbered from Monday 1969-12-29.
fn date_of(day: i64) -> Date {
    date(1970, 1, 1).saturating_add((day - MONDAY / frame::DAY).days())
}

/// Its day of the week.
fn day_of(day: i64) -> Day {
    Day::ALL[usize::try_from(day.rem_euclid(7)).unwrap_or(0)]
}
