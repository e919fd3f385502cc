//! What is searched: a typical week, or a range of dates in a zone, divided into quarters of an hour.

use super::date_window::{WindowError, check_dates};
use super::week::QUARTERS_PER_WEEK;
use super::zone::{Segment, Zone, timestamp};
use jiff::Timestamp;
use jiff::civil::{Date, date};
use std::ops::Range;

/// Seconds in a quarter.
pub const QUARTER: i64 = 900;
/// Seconds in a day.
pub const SECONDS_PER_DAY: i64 = 86_400;
/// Unix time began on a Thursday: the seconds from the Monday of that week to it.
pub const MONDAY_TO_EPOCH: i64 = 3 * SECONDS_PER_DAY;

/// The quarters that are searched, numbered from 0. Each is 15 minutes of real time.
#[derive(Clone, Debug)]
pub struct SearchWindow {
    zone: Option<Zone>,
    pub(super) kind: Kind,
    len: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Monday 00:00 to Sunday 24:00 on a wall clock. The offsets between zones are those of the Unix second `noon`.
    TypicalWeek { noon: i64 },
    /// From a Unix second on. The segments are those of the window's own zone.
    Dates { start: i64, segments: Vec<Segment> },
}

impl SearchWindow {
    /// The typical week: 672 quarters from Monday 00:00 on the wall clock of `zone`.
    ///
    /// Other zones are shifted by the difference of the UTC offsets at 12:00 of `as_of` in `zone`. An `as_of` outside the years
    /// 1970..=2199 counts as the nearest day inside. Without a zone the week floats: the wall clock of each attendee counts
    /// unchanged, in every zone.
    pub fn typical_week(zone: Option<Zone>, as_of: Date) -> SearchWindow {
        let as_of = as_of.clamp(date(1970, 1, 1), date(2199, 12, 31));
        let noon = zone.as_ref().map_or(0, |zone| zone.noon(as_of));
        SearchWindow { zone, kind: Kind::TypicalWeek { noon }, len: QUARTERS_PER_WEEK }
    }

    /// The dates `from` to `to`, both included, in `zone`: from the first instant of `from` to the first instant of the day
    /// after `to`.
    ///
    /// A day that a zone skipped gives an empty window. Where the clocks of a zone once jumped by less than a quarter of an
    /// hour (none since 1979), the rest at the end that fills no quarter is left out.
    ///
    /// # Errors
    /// [`WindowError`] if `from` is after `to`, there are more than 62 days, or a year is outside 1970..=2199.
    pub fn dates(zone: Zone, from: Date, to: Date) -> Result<SearchWindow, WindowError> {
        check_dates(from, to)?;
        let start = zone.start_of_day(from);
        let end = zone.start_of_day(to.tomorrow().unwrap_or(to));
        let len = usize::try_from((end - start) / QUARTER).unwrap_or(0);
        let segments = zone.segments(start, end);
        Ok(SearchWindow { zone: Some(zone), kind: Kind::Dates { start, segments }, len })
    }

    /// How many quarters there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no quarter: the zone skipped these days.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The zone of the answer; `None` for a floating week.
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// Whether the window is a range of dates rather than a typical week.
    pub fn has_dates(&self) -> bool {
        matches!(self.kind, Kind::Dates { .. })
    }

    /// The instant at which quarter `q` (0..=len) starts.
    ///
    /// A typical week has no instants: there it is the wall clock read as UTC, in the week of Monday 1970-01-05.
    pub fn instant(&self, q: usize) -> Timestamp {
        timestamp(self.second(q))
    }

    /// The Unix second of [`SearchWindow::instant`].
    pub(super) fn second(&self, q: usize) -> i64 {
        let start = match self.kind {
            Kind::TypicalWeek { .. } => 7 * SECONDS_PER_DAY - MONDAY_TO_EPOCH,
            Kind::Dates { start, .. } => start,
        };
        start + QUARTER * i64::try_from(q.min(self.len)).unwrap_or(0)
    }

    /// The quarters that `start..end` overlaps: what a busy period takes away. Empty if the period is outside the window, empty
    /// or backwards.
    pub fn quarters_overlapping(&self, start: Timestamp, end: Timestamp) -> Range<usize> {
        // One nanosecond of a quarter is an overlap, so the end is rounded up.
        let start = start.as_nanosecond().div_euclid(1_000_000_000);
        let end = (end.as_nanosecond() + 999_999_999).div_euclid(1_000_000_000);
        if start >= end {
            return 0..0;
        }
        let first = (start - i128::from(self.second(0))).div_euclid(QUARTER.into());
        let past = (end - i128::from(self.second(0)) + i128::from(QUARTER) - 1).div_euclid(QUARTER.into());
        let inside = |q: i128| usize::try_from(q.max(0)).map_or(self.len, |q| q.min(self.len));
        inside(first)..inside(past).max(inside(first))
    }
}
