//! Taking slots one by one: first, last, at random or best, none overlapping another.

use super::frame::Frame;
use super::grid::Grid;
use super::preference::Preference;
use super::rank::{Ask, Attendee, Slot};
use super::score::Scale;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};
use std::cmp::Reverse;

/// Takes one slot after the other from the candidates that are still open.
pub struct Chooser {
    duration: usize,
    /// Where a slot may start that overlaps none chosen so far.
    open: Grid,
    scale: Scale,
    rng: ChaCha8Rng,
    /// The candidates from worst to best; worked out when `best` is first asked for.
    ranked: Option<Vec<usize>>,
}

impl Chooser {
    /// Every candidate is open: all are free, it starts on a step, it lies inside the frame.
    pub fn new(frame: &Frame, attendees: &[Attendee], common: &Grid, ask: &Ask) -> Chooser {
        let duration = ask.duration.max(1);
        let mut open = common.starts(duration);
        open.and(&frame.steps(ask.step));
        let first = open.runs().next().map_or(0, |run| run.start);
        let last = open.iter().last().unwrap_or(first);
        Chooser {
            duration,
            scale: Scale::new(attendees, first, last, frame.len()),
            open,
            rng: ChaCha8Rng::from_seed(seed(ask.seed)),
            ranked: None,
        }
    }

    /// The next slot by `pick`; `None` when no candidate is left.
    pub fn next(&mut self, pick: Preference) -> Option<Slot> {
        let start = match pick {
            Preference::First => self.open.iter().next(),
            Preference::Last => self.open.runs().last().map(|run| run.end - 1),
            Preference::Random => self.draw(),
            Preference::Best => self.best(),
        }?;
        // What starts less than a duration before or after it would overlap.
        let before = (start + 1).saturating_sub(self.duration);
        self.open.remove(before..start + self.duration);
        Some(Slot {
            quarters: start..start + self.duration,
            pick,
            score: self.scale.score(start),
            factors: self.scale.factors(start),
        })
    }

    /// The open candidate with the highest score; the earliest of equals.
    fn best(&mut self) -> Option<usize> {
        let (scale, open) = (&self.scale, &self.open);
        let ranked = self.ranked.get_or_insert_with(|| {
            let mut ranked: Vec<usize> = open.iter().collect();
            ranked.sort_by_cached_key(|start| (scale.score(*start), Reverse(*start)));
            ranked
        });
        // What is no longer open never will be again.
        while let Some(start) = ranked.pop() {
            if open.contains(start) {
                return Some(start);
            }
        }
        None
    }

    /// One open candidate, each equally likely.
    fn draw(&mut self) -> Option<usize> {
        let candidates = self.open.count() as u64;
        if candidates == 0 {
            return None;
        }
        let nth = below(&mut self.rng, candidates);
        self.open.iter().nth(usize::try_from(nth).unwrap_or(0))
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
