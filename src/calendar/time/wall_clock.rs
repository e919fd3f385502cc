//! The wall clock of a search window's own zone: its hours, steps and dates.

use super::bits;
use super::grid::Grid;
use super::search_window::{Kind, QUARTER, SECONDS_PER_DAY, SearchWindow};
use super::zone::Segment;
use std::ops::Range;

/// Consecutive quarters at whose starts the wall clock has the same offset from UTC.
struct OffsetRun {
    quarters: Range<usize>,
    /// The wall clock when the first quarter starts, in seconds since 1970-01-01 00:00.
    wall: i64,
    /// Wall clock minus UTC, in seconds.
    offset: i64,
}

impl SearchWindow {
    /// The hours of a heat map, in order, as the window's wall clock shows them.
    ///
    /// An hour begins with the window, with an hour of the clock, and where the zone's offset changes, so a jump of half an hour
    /// leaves one of two quarters. None is longer than four quarters.
    pub fn hours(&self) -> Vec<Range<usize>> {
        let mut hours: Vec<Range<usize>> = Vec::with_capacity(self.len() / 4 + 2);
        let mut last = None;
        for run in self.offset_runs() {
            for (q, wall) in run.quarters.zip((run.wall..).step_by(QUARTER as usize)) {
                let now = Some((wall.div_euclid(4 * QUARTER), run.offset));
                match hours.last_mut() {
                    Some(hour) if last == now => hour.end = q + 1,
                    _ => hours.push(q..q + 1),
                }
                last = now;
            }
        }
        hours
    }

    /// The quarters at which a slot may start: those where the window's wall clock shows a multiple of `step_quarters` (1, 2 or 4)
    /// quarters past the hour.
    pub fn steps(&self, step_quarters: usize) -> Grid {
        let step = match step_quarters {
            0 | 1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
        let mut steps = Grid::empty(self.len());
        for OffsetRun { quarters, wall, .. } in self.offset_runs() {
            if wall % QUARTER != 0 {
                continue;
            }
            let past_step = usize::try_from((wall / QUARTER).rem_euclid(4)).unwrap_or(0) % step;
            // A word has a whole number of steps, so all words have the same pattern.
            let every: u64 = !0 / ((1 << step) - 1);
            let first = (quarters.start + step - past_step) % step;
            let words = steps.bits_mut();
            bits::each_mask(words.len(), quarters, |word, mask| words[word] |= mask & every << first);
        }
        steps
    }

    /// The quarters that start on the same date as quarter `q` on the window's wall clock, or on the same day of a typical week.
    /// Where a clock is put back over midnight they are more than one run.
    pub(in crate::calendar) fn same_date(&self, q: usize) -> impl Iterator<Item = Range<usize>> {
        let date = (self.second(q) + self.offset(q)).div_euclid(SECONDS_PER_DAY);
        self.offset_runs().filter_map(move |OffsetRun { quarters, wall, .. }| {
            let start = quarters.start + quarters_until(date * SECONDS_PER_DAY - wall);
            let end = quarters.end.min(quarters.start + quarters_until((date + 1) * SECONDS_PER_DAY - wall));
            (start < end).then_some(start..end)
        })
    }

    /// Wall clock minus UTC, in seconds, when quarter `q` starts; 0 in a typical week.
    pub(super) fn offset(&self, q: usize) -> i64 {
        match (&self.kind, self.zone()) {
            (Kind::Dates { .. }, Some(zone)) => zone.offset_at(self.second(q)),
            _ => 0,
        }
    }

    fn offset_runs(&self) -> impl Iterator<Item = OffsetRun> {
        let (start, end) = (self.second(0), self.second(self.len()));
        let (typical, segments) = match &self.kind {
            Kind::TypicalWeek { .. } => (Some(Segment { start, end, offset: 0 }), [].as_slice()),
            Kind::Dates { segments, .. } => (None, segments.as_slice()),
        };
        typical.into_iter().chain(segments.iter().copied()).map(move |segment| {
            let quarters = quarters_until(segment.start - start)..quarters_until(segment.end - start).min(self.len());
            OffsetRun { wall: self.second(quarters.start) + segment.offset, quarters, offset: segment.offset }
        })
    }
}

/// How many quarters start in this many seconds; 0 for negative ones.
fn quarters_until(seconds: i64) -> usize {
    usize::try_from((seconds + QUARTER - 1).div_euclid(QUARTER)).unwrap_or(0)
}
