//! From an attendee's wall-clock week to the quarters of a search window.

use super::bits;
use super::day::Day;
use super::grid::Grid;
use super::overrides::Overrides;
use super::search_window::{MONDAY_TO_EPOCH, SECONDS_PER_DAY, SearchWindow};
use super::week::{QUARTERS_PER_DAY, Week};
use super::zone::Zone;
use super::zone_mapping::{WallClockBits, ZoneMapping};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use std::collections::HashMap;
use std::ops::Range;

/// Projects weeks onto one search window. It keeps the mapping of each zone, so use one projector for all attendees.
#[derive(Debug)]
pub struct Projector<'a> {
    window: &'a SearchWindow,
    mappings: HashMap<Zone, ZoneMapping>,
}

impl<'a> Projector<'a> {
    /// A projector onto `window`.
    pub fn new(window: &'a SearchWindow) -> Projector<'a> {
        Projector { window, mappings: HashMap::new() }
    }

    /// The quarters of the window of which every second lies inside `week` on the wall clock of `zone`.
    ///
    /// In a range of dates that clock follows the rules of the zone: a time that a gap skips does not exist, and a time that a
    /// fold repeats exists twice.
    pub fn project(&mut self, week: &Week, zone: &Zone) -> Grid {
        self.project_wall_clock(&WallClockBits::cyclic_week(week), zone)
    }

    /// The same, but on an overridden date (of the zone's own calendar) the override replaces the day of the week. A typical week
    /// has no dates, and so no overrides.
    pub fn project_with(&mut self, week: &Week, overrides: &Overrides, zone: &Zone) -> Grid {
        if overrides.is_empty() || !self.window.has_dates() {
            return self.project(week, zone);
        }
        let wall = self.mapping(zone).wall_range();
        let per_day = QUARTERS_PER_DAY as i64;
        let days = wall.start.div_euclid(per_day)..wall.end.div_euclid(per_day) + 1;
        if !overrides.has_any(date_of(days.start)..=date_of(days.end)) {
            return self.project(week, zone);
        }
        self.project_wall_clock(&dated_wall_clock(week, overrides, days), zone)
    }

    /// The quarters of the window that lie between `earliest` and `latest`, minutes of the zone's own day (0..=1440), which
    /// default to the start and the end of the day. `earliest` is rounded up and `latest` down to quarters. The grid is empty if
    /// they are not in order.
    pub fn within_hours(&mut self, zone: &Zone, earliest: Option<u16>, latest: Option<u16>) -> Grid {
        let from = usize::from(earliest.unwrap_or(0).div_ceil(15));
        let to = usize::from(latest.unwrap_or(1440) / 15).min(QUARTERS_PER_DAY);
        let mut week = Week::EMPTY;
        Day::ALL.into_iter().for_each(|day| week.insert_on(day, from..to));
        self.project(&week, zone)
    }

    fn project_wall_clock<W: AsRef<[u64]>>(&mut self, wall: &WallClockBits<W>, zone: &Zone) -> Grid {
        let mut grid = Grid::full(self.window.len());
        self.mapping(zone).retain_free(grid.bits_mut(), wall);
        grid
    }

    fn mapping(&mut self, zone: &Zone) -> &ZoneMapping {
        self.mappings.entry(zone.clone()).or_insert_with(|| ZoneMapping::new(self.window, zone))
    }
}

/// The wall clock of these days (numbered from Monday 1969-12-29), each with its override or the day of the week.
fn dated_wall_clock(week: &Week, overrides: &Overrides, days: Range<i64>) -> WallClockBits<Vec<u64>> {
    let per_day = QUARTERS_PER_DAY as i64;
    let (from, period_len) = (days.start * per_day, (days.end - days.start) * per_day);
    let mut words = vec![0; usize::try_from(period_len).unwrap_or(0).div_ceil(64) + 1];
    for (day, midnight) in days.zip((0..).step_by(QUARTERS_PER_DAY)) {
        let mut fill = |run: Range<usize>| bits::fill(&mut words, midnight + run.start..midnight + run.end);
        match overrides.runs_of(date_of(day)) {
            Some(runs) => runs.for_each(&mut fill),
            None => week.runs_of(weekday_of(day)).for_each(&mut fill),
        }
    }
    WallClockBits { from, period_len, words }
}

/// The date of a day numbered from Monday 1969-12-29.
fn date_of(day: i64) -> Date {
    date(1970, 1, 1).saturating_add((day - MONDAY_TO_EPOCH / SECONDS_PER_DAY).days())
}

/// The day of the week of such a day.
fn weekday_of(day: i64) -> Day {
    Day::ALL[usize::try_from(day.rem_euclid(7)).unwrap_or(0)]
}
