//! The score of a slot: strict tiers, added up so that no lower tier outweighs a higher one.

use super::attendance_counts::AttendanceCounts;
use super::attendee_set::AttendeeSet;
use super::preference::Preference;
use super::time_zone_fairness::TimeZoneFairness;
use super::types::Factor;
use crate::calendar::time::SearchWindow;

/// One tier: its name, what one point of it adds to the score, and the maximum of points.
struct Tier {
    name: &'static str,
    weight: u64,
    max_points: u64,
}

/// Highest first. The weights are decimal places, so a score can be read: a tier at its maximum, with all tiers below it at
/// theirs, is less than one point of the tier above. The sum stays below 2^53.
const TIERS: [Tier; 5] = [
    Tier { name: "free", weight: 100_000_000_000, max_points: 90_000 },
    Tier { name: "if_needed", weight: 10_000_000, max_points: 9_999 },
    Tier { name: FAIRNESS, weight: 1_000_000, max_points: 9 },
    Tier { name: "preference", weight: 10_000, max_points: 99 },
    Tier { name: "time", weight: 1, max_points: 9_999 },
];
/// Left out of the factors where all clocks show the same time.
const FAIRNESS: &str = "fairness";

/// Scores the candidates of one ranking.
#[derive(Debug)]
pub struct Scorer {
    pub counts: AttendanceCounts,
    fairness: Option<TimeZoneFairness>,
    attendees: u64,
    /// How many attendees prefer the first candidate, and how many the last.
    prefer_first: u64,
    prefer_last: u64,
    /// Where the first and the last candidate start.
    first: u64,
    last: u64,
    /// Quarters of the search window.
    len: u64,
}

impl Scorer {
    /// For candidates that start from `first` to `last`.
    pub fn new(
        window: &SearchWindow,
        set: &AttendeeSet,
        counts: AttendanceCounts,
        first: usize,
        last: usize,
    ) -> Scorer {
        let prefer = |preference| set.attendees.iter().filter(|one| one.preference == preference).count() as u64;
        Scorer {
            counts,
            fairness: TimeZoneFairness::new(window, set),
            attendees: set.attendees.len() as u64,
            prefer_first: prefer(Preference::First),
            prefer_last: prefer(Preference::Last),
            first: first as u64,
            last: last as u64,
            len: window.len() as u64,
        }
    }

    /// The score of the candidate that starts at `start`.
    pub fn score(&self, start: usize) -> u64 {
        self.values(start).iter().sum()
    }

    /// The terms whose sum is that score, highest tier first.
    pub fn factors(&self, start: usize) -> Vec<Factor> {
        let named = TIERS.iter().zip(self.values(start));
        let shown = named.filter(|(tier, _)| tier.name != FAIRNESS || self.fairness.is_some());
        shown.map(|(Tier { name, .. }, value)| Factor { name, value }).collect()
    }

    fn values(&self, start: usize) -> [u64; 5] {
        let points = self.points(start);
        std::array::from_fn(|tier| TIERS[tier].weight * points[tier].min(TIERS[tier].max_points))
    }

    /// The points of each tier.
    fn points(&self, start: usize) -> [u64; 5] {
        [
            self.counts.weight(start),
            self.counts.not_if_needed_count(start),
            self.fairness.as_ref().map_or(0, |fairness| fairness.points(start)),
            self.preference_points(start as u64),
            self.len.saturating_sub(start as u64 + 1),
        ]
    }

    /// 0..=99: how well a start suits the attendees' preferences, on average. An attendee who prefers `first` gives 99 to the first
    /// candidate, 0 to the last, and in proportion between; `last` is the reverse; all others give half.
    fn preference_points(&self, start: u64) -> u64 {
        let span = self.last - self.first;
        if self.attendees == 0 || span == 0 {
            return 99;
        }
        let neutral = self.attendees - self.prefer_first - self.prefer_last;
        let halves =
            2 * self.prefer_first * (self.last - start) + 2 * self.prefer_last * (start - self.first) + neutral * span;
        99 * halves / (2 * self.attendees * span)
    }
}

#[cfg(test)]
mod tests {
    use super::TIERS;

    #[test]
    fn all_lower_tiers_together_are_less_than_one_point_of_a_tier() {
        let mut below = 0;
        for tier in TIERS.iter().rev() {
            assert!(below < tier.weight, "{}", tier.name);
            below += tier.weight * tier.max_points;
        }
        assert!(below < 1 << 53);
    }
}
