//! Taking slots one by one: first, last, at random or best, none overlapping another.

use super::frame::Frame;
use super::grid::Grid;
use super::group::Group;
use super::preference::Preference;
use super::rank::{Ask, Distinct, Slot};
use super::score::Scale;
use super::turnout::Turnout;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Takes one slot after the other from the candidates that are still open.
pub struct Chooser<'a> {
    frame: &'a Frame,
    duration: usize,
    distinct: Distinct,
    /// The candidates that share with no slot chosen so far what they must not.
    open: Grid,
    /// Where a slot could start if any quarter would do.
    blocks: Grid,
    scale: Scale,
    rng: ChaCha8Rng,
    /// The candidates by score, the earlier of equals first; worked out when `best` is first asked for.
    ranked: Option<BinaryHeap<(u64, Reverse<usize>)>>,
}

impl<'a> Chooser<'a> {
    /// Every candidate is open: enough can come, it starts on a step, it lies inside the frame.
    pub fn new(frame: &'a Frame, group: &Group, common: &Grid, ask: &Ask) -> Chooser<'a> {
        let turnout = Turnout::new(group);
        let blocks = group.starts(common, &turnout.coming);
        let mut open = frame.steps(ask.step);
        open.and(&blocks);
        let first = open.runs().next().map_or(0, |run| run.start);
        let last = open.runs().last().map_or(first, |run| run.end - 1);
        Chooser {
            frame,
            duration: group.duration,
            distinct: ask.distinct,
            open,
            blocks,
            scale: Scale::new(frame, group, turnout, first, last),
            rng: ChaCha8Rng::from_seed(seed(ask.seed)),
            ranked: None,
        }
    }

    /// The next slot by `pick`; `None` when no candidate is left.
    pub fn next(&mut self, pick: Preference) -> Option<Slot> {
        let start = match pick {
            Preference::Best => self.best(),
            _ if self.scale.can_press() => {
                let least = self.open.iter().map(|start| self.scale.pressed(start)).min()?;
                let mut gentle = self.open.clone();
                for start in self.open.iter().filter(|start| self.scale.pressed(*start) > least) {
                    gentle.remove(start..start + 1);
                }
                one_of(&gentle, pick, &mut self.rng)
            }
            _ => one_of(&self.open, pick, &mut self.rng),
        }?;
        self.close(start);
        Some(Slot {
            quarters: start..start + self.duration,
            pick,
            score: self.scale.score(start),
            factors: self.scale.factors(start),
        })
    }

    /// Takes away the candidates that share something with the slot that starts at `start`.
    fn close(&mut self, start: usize) {
        // What starts less than a duration before or after it would overlap.
        let before = (start + 1).saturating_sub(self.duration);
        self.open.remove(before..start + self.duration);
        match self.distinct {
            Distinct::Slot => {}
            Distinct::Block => {
                let block = self.blocks.runs().find(|run| run.contains(&start));
                block.into_iter().for_each(|block| self.open.remove(block));
            }
            Distinct::Day => self.frame.same_date(start).for_each(|part| self.open.remove(part)),
        }
    }

    /// The open candidate with the highest score.
    fn best(&mut self) -> Option<usize> {
        let (scale, open) = (&self.scale, &self.open);
        let ranked =
            self.ranked.get_or_insert_with(|| open.iter().map(|start| (scale.score(start), Reverse(start))).collect());
        // What is no longer open never will be again.
        std::iter::from_fn(|| ranked.pop()).map(|(_, Reverse(start))| start).find(|start| open.contains(*start))
    }
}

/// The first, the last or any of the candidates, each equally likely.
fn one_of(candidates: &Grid, pick: Preference, rng: &mut ChaCha8Rng) -> Option<usize> {
    match pick {
        Preference::First => candidates.iter().next(),
        Preference::Last => candidates.runs().last().map(|run| run.end - 1),
        Preference::Random | Preference::Best => {
            let count = candidates.count() as u64;
            let nth = (count > 0).then(|| below(rng, count))?;
            candidates.iter().nth(usize::try_from(nth).unwrap_or(0))
        }
    }
}

/// ChaCha8 is keyed with the seed's eight bytes, little end first, and zeros.
fn seed(seed: u64) -> [u8; 32] {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key
}

/// A number below `bound` (not 0), uniform: the remainder of the generator's next 64 bits, drawn again
/// if they are among the last few that would favour small remainders.
///
/// Written out, because what `rand` makes of a generator's bits may change from one release to the next.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    let last_fair = u64::MAX - (u64::MAX % bound + 1) % bound;
    loop {
        let drawn = rng.next_u64();
        if drawn <= last_fair {
            return drawn % bound;
        }
    }
}
