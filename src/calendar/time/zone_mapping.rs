//! The map from the quarters of a search window to those of a zone's wall clock, in runs without a change of offset.

use super::bits;
use super::search_window::{Kind, MONDAY_TO_EPOCH, QUARTER, SearchWindow};
use super::week::{QUARTERS_PER_DAY, QUARTERS_PER_WEEK, Week};
use super::zone::Zone;
use std::ops::Range;

/// The wall clock of one zone over one search window.
///
/// Together the runs cover every quarter of the window. A quarter that a change of offset divides is in two of them.
#[derive(Clone, Debug)]
pub struct ZoneMapping(Vec<MappedRun>);

/// Consecutive quarters of the window that lie on consecutive wall-clock quarters.
#[derive(Clone, Copy, Debug)]
struct MappedRun {
    /// The first quarter of the window.
    first: usize,
    /// How many quarters of the window.
    len: usize,
    /// The wall-clock quarter in which the first one begins, counted from Monday 1969-12-29, 00:00; in a typical week from its
    /// own Monday.
    wall: i64,
    /// Whether each quarter of the window extends into a second wall-clock quarter.
    is_unaligned: bool,
}

/// The free quarters of a wall clock.
#[derive(Clone, Debug)]
pub struct WallClockBits<W> {
    /// The wall-clock quarter of the first bit.
    pub from: i64,
    /// After this many quarters the clock begins again.
    pub period_len: i64,
    /// Quarter `q` is bit `q % 64` of word `q / 64`. At least 64 quarters more than the period can be read.
    pub words: W,
}

impl WallClockBits<[u64; 12]> {
    /// A week that repeats, so that 64 quarters can be read from any quarter on.
    pub fn cyclic_week(week: &Week) -> WallClockBits<[u64; 12]> {
        // The week ends in the middle of its eleventh word. 64 quarters from its last quarter on end in the first half of the
        // twelfth word.
        let (week, mut words) = (week.bits(), [0; 12]);
        words[..11].copy_from_slice(week);
        words[10] |= week[0] << 32;
        words[11] = week[0] >> 32;
        WallClockBits { from: 0, period_len: QUARTERS_PER_WEEK as i64, words }
    }
}

impl ZoneMapping {
    /// The mapping of `zone` over `window`.
    pub fn new(window: &SearchWindow, zone: &Zone) -> ZoneMapping {
        let start = match window.kind {
            Kind::TypicalWeek { noon } => {
                let ahead = |own: &Zone| zone.offset_at(noon) - own.offset_at(noon);
                let wall = window.zone().map_or(0, ahead);
                return ZoneMapping(vec![MappedRun::new(0, window.len(), wall, QUARTER)]);
            }
            Kind::Dates { start, .. } => start,
        };
        let mut runs = Vec::new();
        let end = start + QUARTER * i64::try_from(window.len()).unwrap_or(0);
        for segment in zone.segments(start, end) {
            let mut at = segment.start;
            while at < segment.end {
                // Whole quarters make one run. The part of a quarter before or after a change of offset is a run of its own.
                let into = (at - start) % QUARTER;
                let left = segment.end - at;
                let until = match into {
                    0 if left >= QUARTER => segment.end - left % QUARTER,
                    _ => segment.end.min(at - into + QUARTER),
                };
                // Neither number is negative: a segment lies inside the window.
                let quarter = usize::try_from((at - start) / QUARTER).unwrap_or(0);
                let len = usize::try_from((until - at) / QUARTER).unwrap_or(0).max(1);
                let wall = at + segment.offset + MONDAY_TO_EPOCH;
                runs.push(MappedRun::new(quarter, len, wall, (until - at).min(QUARTER)));
                at = until;
            }
        }
        ZoneMapping(runs)
    }

    /// Unsets the quarters of the window of which some part is not free on the wall clock.
    pub fn retain_free<W: AsRef<[u64]>>(&self, window: &mut [u64], wall: &WallClockBits<W>) {
        let source = wall.words.as_ref();
        for run in &self.0 {
            let bit = |quarter: i64| usize::try_from((quarter - wall.from).rem_euclid(wall.period_len)).unwrap_or(0);
            let (mut from, period) = (bit(run.wall), usize::try_from(wall.period_len).unwrap_or(usize::MAX));
            bits::each_mask(window.len(), run.first..run.first + run.len, |word, mask| {
                let shift = mask.trailing_zeros();
                let mut free = bits::read(source, from);
                if run.is_unaligned {
                    free &= bits::read(source, if from + 1 < period { from + 1 } else { 0 });
                }
                window[word] &= free << shift | !mask;
                from += mask.count_ones() as usize;
                if from >= period {
                    from -= period;
                }
            });
        }
    }

    /// Whether the two clocks show the same time of day throughout; the date may differ.
    pub fn has_same_times(&self, other: &ZoneMapping) -> bool {
        self.times().eq(other.times())
    }

    /// For every quarter of the window, the quarter of the wall clock's day in which it begins, and whether it is unaligned.
    fn times(&self) -> impl Iterator<Item = (i64, bool)> {
        self.0.iter().flat_map(|run| {
            let quarters = (run.wall..).take(run.len);
            quarters.map(|quarter| (quarter.rem_euclid(QUARTERS_PER_DAY as i64), run.is_unaligned))
        })
    }

    /// The wall-clock quarters, from the first to past the last.
    pub fn wall_range(&self) -> Range<i64> {
        let end = |run: &MappedRun| run.wall + i64::try_from(run.len).unwrap_or(0) + 1;
        let first = self.0.iter().map(|run| run.wall).min();
        first.unwrap_or(0)..self.0.iter().map(end).max().unwrap_or(0)
    }
}

impl MappedRun {
    /// `len` quarters of the window from `first` on. `wall` is the second, counted from a Monday 00:00, that the wall clock shows
    /// at the start; `seconds` of each quarter (900 or a part of them) belong to the run.
    fn new(first: usize, len: usize, wall: i64, seconds: i64) -> MappedRun {
        let is_unaligned = wall.rem_euclid(QUARTER) + seconds > QUARTER;
        MappedRun { first, len, wall: wall.div_euclid(QUARTER), is_unaligned }
    }
}
