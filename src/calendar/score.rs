//! The score of a slot: strict tiers, added up so that no lower tier outweighs a higher one.

use super::rank::{Attendee, Factor, Preference};

/// One tier: what it is called, what one point of it adds to the score, and the most points it has.
struct Tier {
    name: &'static str,
    weight: u64,
    most: u64,
}

/// Highest first. The weights are decimal places, so a score can be read: a tier at its most, with all
/// tiers below it at theirs, is less than one point of the tier above. All of it stays below 2^53.
const TIERS: [Tier; 4] = [
    Tier { name: "free", weight: 100_000_000_000, most: 90_000 },
    Tier { name: "if_needed", weight: 10_000_000, most: 9_999 },
    Tier { name: "preference", weight: 10_000, most: 100 },
    Tier { name: "time", weight: 1, most: 9_999 },
];

/// What the candidates of one question are measured against.
pub struct Scale {
    attendees: u64,
    /// How many attendees prefer the first candidate, and how many the last.
    like_first: u64,
    like_last: u64,
    /// Where the first and the last candidate start.
    first: u64,
    last: u64,
    /// Quarters of the frame.
    len: u64,
}

impl Scale {
    /// For candidates that start from `first` to `last` in a frame of `len` quarters.
    pub fn new(attendees: &[Attendee], first: usize, last: usize, len: usize) -> Scale {
        let like = |preference| {
            let fans = attendees.iter().filter(|one| one.preference == preference);
            fans.count() as u64
        };
        Scale {
            attendees: attendees.len() as u64,
            like_first: like(Preference::First),
            like_last: like(Preference::Last),
            first: first as u64,
            last: last as u64,
            len: len as u64,
        }
    }

    /// The score of the candidate that starts at `start`.
    pub fn score(&self, start: usize) -> u64 {
        self.values(start).iter().sum()
    }

    /// What that score is the sum of, highest tier first.
    pub fn factors(&self, start: usize) -> Vec<Factor> {
        let named = TIERS.iter().zip(self.values(start));
        let factors = named.map(|(Tier { name, .. }, value)| Factor { name, value });
        factors.collect()
    }

    fn values(&self, start: usize) -> [u64; 4] {
        let points = self.points(start as u64);
        std::array::from_fn(|tier| TIERS[tier].weight * points[tier].min(TIERS[tier].most))
    }

    /// The points of each tier. Candidates are filtered to those where everybody is free, so nobody
    /// comes only if needed; when attendees may be optional, their counts belong here.
    fn points(&self, start: u64) -> [u64; 4] {
        let more_than_needed = 0;
        let time = self.len.saturating_sub(start + 1);
        [self.attendees, more_than_needed, self.preference(start), time]
    }

    /// 0..=100: how well a place in time suits the attendees, on average. Who prefers `first` gives
    /// 100 to the first candidate, 0 to the last, and in proportion between; `last` the other way
    /// round; everybody else 50.
    fn preference(&self, start: u64) -> u64 {
        let span = self.last - self.first;
        if self.attendees == 0 || span == 0 {
            return 100;
        }
        let neutral = self.attendees - self.like_first - self.like_last;
        let sum = 100 * self.like_first * (self.last - start)
            + 100 * self.like_last * (start - self.first)
            + 50 * neutral * span;
        sum / (self.attendees * span)
    }
}

#[cfg(test)]
mod tests {
    use super::TIERS;

    #[test]
    fn everything_below_a_tier_is_less_than_one_point_of_it() {
        let mut below = 0;
        for tier in TIERS.iter().rev() {
            assert!(below < tier.weight, "{}", tier.name);
            below += tier.weight * tier.most;
        }
        assert!(below < 1 << 53);
    }
}
