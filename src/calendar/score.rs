//! The score of a slot: strict tiers, added up so that no lower tier outweighs a higher one.

use super::fairness::Fairness;
use super::frame::Frame;
use super::group::Group;
use super::rank::{Factor, Preference};
use super::turnout::Turnout;

/// One tier: what it is called, what one point of it adds to the score, and the most points it has.
struct Tier {
    name: &'static str,
    weight: u64,
    most: u64,
}

/// Highest first. The weights are decimal places, so a score can be read: a tier at its most, with all
/// tiers below it at theirs, is less than one point of the tier above. All of it stays below 2^53.
const TIERS: [Tier; 5] = [
    Tier { name: "free", weight: 100_000_000_000, most: 90_000 },
    Tier { name: "if_needed", weight: 10_000_000, most: 9_999 },
    Tier { name: FAIRNESS, weight: 1_000_000, most: 9 },
    Tier { name: "preference", weight: 10_000, most: 99 },
    Tier { name: "time", weight: 1, most: 9_999 },
];
/// Left out of the factors where no clocks differ.
const FAIRNESS: &str = "fairness";

/// What the candidates of one question are measured against.
#[derive(Debug)]
pub struct Scale {
    turnout: Turnout,
    fairness: Option<Fairness>,
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
    /// For candidates that start from `first` to `last`.
    pub fn new(frame: &Frame, group: &Group, turnout: Turnout, first: usize, last: usize) -> Scale {
        let like = |preference| group.attendees.iter().filter(|one| one.preference == preference).count() as u64;
        Scale {
            turnout,
            fairness: Fairness::new(frame, group),
            attendees: group.attendees.len() as u64,
            like_first: like(Preference::First),
            like_last: like(Preference::Last),
            first: first as u64,
            last: last as u64,
            len: frame.len() as u64,
        }
    }

    /// The score of the candidate that starts at `start`.
    pub fn score(&self, start: usize) -> u64 {
        self.values(start).iter().sum()
    }

    /// What that score is the sum of, highest tier first.
    pub fn factors(&self, start: usize) -> Vec<Factor> {
        let named = TIERS.iter().zip(self.values(start));
        let told = named.filter(|(tier, _)| tier.name != FAIRNESS || self.fairness.is_some());
        told.map(|(Tier { name, .. }, value)| Factor { name, value }).collect()
    }

    /// How many must come who would rather not.
    pub fn pressed(&self, start: usize) -> usize {
        self.turnout.pressed(start)
    }

    /// Whether anybody could be.
    pub fn can_press(&self) -> bool {
        self.turnout.is_hesitant()
    }

    fn values(&self, start: usize) -> [u64; 5] {
        let points = self.points(start);
        std::array::from_fn(|tier| TIERS[tier].weight * points[tier].min(TIERS[tier].most))
    }

    /// The points of each tier.
    fn points(&self, start: usize) -> [u64; 5] {
        [
            self.turnout.weight(start),
            self.turnout.at_ease(start),
            self.fairness.as_ref().map_or(0, |fairness| fairness.points(start)),
            self.preference(start as u64),
            self.len.saturating_sub(start as u64 + 1),
        ]
    }

    /// 0..=99: how well a place in time suits the attendees, on average. Who prefers `first` gives
    /// 99 to the first candidate, 0 to the last, and in proportion between; `last` the other way
    /// round; everybody else half.
    fn preference(&self, start: u64) -> u64 {
        let span = self.last - self.first;
        if self.attendees == 0 || span == 0 {
            return 99;
        }
        let neutral = self.attendees - self.like_first - self.like_last;
        let halves =
            2 * self.like_first * (self.last - start) + 2 * self.like_last * (start - self.first) + neutral * span;
        99 * halves / (2 * self.attendees * span)
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
