//! Picks slots one by one: first, last, at random or best, none overlapping another.

use super::attendance_counts::AttendanceCounts;
use super::attendee_set::AttendeeSet;
use super::preference::Preference;
use super::scorer::Scorer;
use super::types::{DistinctBy, RankingOptions, Slot};
use crate::calendar::time::{Grid, SearchWindow};
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Picks slots from the candidates that are left.
pub struct SlotPicker<'a> {
    window: &'a SearchWindow,
    duration: usize,
    distinct: DistinctBy,
    /// The candidates that do not conflict with a slot picked so far.
    candidates: Grid,
    /// All starts, on any quarter, at which enough attendees can come. Their runs are the blocks of [`DistinctBy::Block`].
    all_starts: Grid,
    scorer: Scorer,
    rng: ChaCha8Rng,
    /// The candidates by score, the earlier of equals first; filled when `best` is first picked.
    by_score: Option<BinaryHeap<(u64, Reverse<usize>)>>,
}

impl<'a> SlotPicker<'a> {
    /// At first all starts on a step at which enough attendees can come are candidates.
    pub fn new(window: &'a SearchWindow, set: &AttendeeSet, common: &Grid, options: &RankingOptions) -> SlotPicker<'a> {
        let counts = AttendanceCounts::new(set);
        let all_starts = set.starts(common, &counts.optional_available);
        let mut candidates = window.steps(options.step);
        candidates.and(&all_starts);
        let first = candidates.runs().next().map_or(0, |run| run.start);
        let last = candidates.runs().last().map_or(first, |run| run.end - 1);
        SlotPicker {
            window,
            duration: set.duration,
            distinct: options.distinct,
            candidates,
            all_starts,
            scorer: Scorer::new(window, set, counts, first, last),
            rng: ChaCha8Rng::from_seed(seed_bytes(options.seed)),
            by_score: None,
        }
    }

    /// The next slot by `pick`; `None` when no candidate is left.
    pub fn next(&mut self, pick: Preference) -> Option<Slot> {
        let start = match pick {
            Preference::Best => self.pick_best(),
            _ if self.scorer.counts.any_if_needed() => {
                let least_forced = self.least_forced()?;
                pick_by(&least_forced, pick, &mut self.rng)
            }
            _ => pick_by(&self.candidates, pick, &mut self.rng),
        }?;
        self.exclude_conflicting(start);
        Some(Slot {
            quarters: start..start + self.duration,
            pick,
            score: self.scorer.score(start),
            factors: self.scorer.factors(start),
        })
    }

    /// The candidates at which the fewest attendees must use `if_needed` time.
    fn least_forced(&self) -> Option<Grid> {
        let forced = |start| self.scorer.counts.forced_if_needed(start);
        let least = self.candidates.iter().map(forced).min()?;
        let mut least_forced = self.candidates.clone();
        for start in self.candidates.iter().filter(|start| forced(*start) > least) {
            least_forced.remove(start..start + 1);
        }
        Some(least_forced)
    }

    /// Removes the candidates that conflict with the slot that starts at `start`.
    fn exclude_conflicting(&mut self, start: usize) {
        // A candidate that starts less than a duration before or after it would overlap.
        let before = (start + 1).saturating_sub(self.duration);
        self.candidates.remove(before..start + self.duration);
        match self.distinct {
            DistinctBy::Slot => {}
            DistinctBy::Block => {
                let block = self.all_starts.runs().find(|run| run.contains(&start));
                block.into_iter().for_each(|block| self.candidates.remove(block));
            }
            DistinctBy::Day => self.window.same_date(start).for_each(|part| self.candidates.remove(part)),
        }
    }

    /// The candidate with the highest score.
    fn pick_best(&mut self) -> Option<usize> {
        let (scorer, candidates) = (&self.scorer, &self.candidates);
        let by_score = self
            .by_score
            .get_or_insert_with(|| candidates.iter().map(|start| (scorer.score(start), Reverse(start))).collect());
        // A candidate that was excluded never returns, so the heap may lose it.
        let mut starts = std::iter::from_fn(|| by_score.pop()).map(|(_, Reverse(start))| start);
        starts.find(|start| candidates.contains(*start))
    }
}

/// The first, the last or any of the candidates, each equally likely.
fn pick_by(candidates: &Grid, pick: Preference, rng: &mut ChaCha8Rng) -> Option<usize> {
    match pick {
        Preference::First => candidates.iter().next(),
        Preference::Last => candidates.runs().last().map(|run| run.end - 1),
        Preference::Random | Preference::Best => {
            let count = candidates.count() as u64;
            let nth = (count > 0).then(|| uniform_below(rng, count))?;
            candidates.iter().nth(usize::try_from(nth).unwrap_or(0))
        }
    }
}

/// The key of ChaCha8: the eight bytes of the seed, little end first, then zeros.
fn seed_bytes(seed: u64) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key
}

/// A uniform number below `bound` (not 0): the remainder of the generator's next 64 bits. The last few values, which would favour
/// small remainders, are drawn again.
///
/// This is our own code because `rand` may change from one release to the next how it uses the bits of a generator.
fn uniform_below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    let last_fair = u64::MAX - (u64::MAX % bound + 1) % bound;
    loop {
        let drawn = rng.next_u64();
        if drawn <= last_fair {
            return drawn % bound;
        }
    }
}
