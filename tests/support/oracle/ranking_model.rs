//! The reference model of ranking: it tries everything, one attendee and one start at a time.

use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use w2meet::calendar::{
    Blocker, DistinctBy, Explanation, NearMiss, Preference, Ranking, RankingOptions, Relaxation, Slot,
};

use super::time_model::runs;

/// An attendee, quarter by quarter.
#[derive(Clone, Debug)]
pub struct Person {
    pub preference: Preference,
    pub required: bool,
    pub weight: u64,
    pub free: Vec<bool>,
    pub if_needed: Vec<bool>,
    /// The fairness points of each quarter on the attendee's clock, if there is a zone.
    pub points: Option<Vec<u64>>,
}

impl Person {
    /// For each quarter, whether `holds` is true for all quarters of a slot of this length from it on.
    fn slots(&self, duration: usize, holds: impl Fn(&Person, usize) -> bool) -> Vec<bool> {
        let mut slots = vec![false; self.free.len()];
        let mut run = 0; // of quarters, up to where we are, backwards
        for q in (0..self.free.len()).rev() {
            run = if holds(self, q) { run + 1 } else { 0 };
            slots[q] = run >= duration;
        }
        slots
    }

    fn is_usable(&self, q: usize) -> bool {
        self.free[q] || self.if_needed[q]
    }
}

/// The input of a ranking.
#[derive(Clone, Debug)]
pub struct Asked {
    pub people: Vec<Person>,
    pub options: RankingOptions,
    /// Whether the clocks of the attendees differ.
    pub has_fairness: bool,
    /// The quarters on the step of the options, and those on a quarter of the hour.
    pub steps: Vec<bool>,
    pub quarters: Vec<bool>,
    /// A number for the local day of each quarter.
    pub dates: Vec<i64>,
}

/// The input, and what follows from it for every start.
pub struct Question {
    asked: Asked,
    /// For every attendee, whether they can come at each start, and without `if_needed` time.
    can: Vec<Vec<bool>>,
    is_free: Vec<Vec<bool>>,
    /// Whether the meeting is possible at each quarter, on any step.
    could_be: Vec<bool>,
}

/// A change of the input: attendees who can always come (bit `i` is attendee `i`), and additional ones who can.
#[derive(Clone, Copy, Default)]
struct Change {
    always: usize,
    additional: usize,
}

/// The tiers of a candidate, compared from the first on; greater is better.
type Tiers = (u64, Reverse<usize>, u64, u64, Reverse<usize>);

impl Asked {
    /// Examines every attendee and every start.
    pub fn evaluate(self) -> Question {
        let duration = self.options.duration;
        let can = self.people.iter().map(|one| one.slots(duration, Person::is_usable)).collect();
        let is_free = self.people.iter().map(|one| one.slots(duration, |one, q| one.free[q])).collect();
        let len = self.steps.len();
        let mut question = Question { asked: self, can, is_free, could_be: Vec::new() };
        question.could_be = (0..len).map(|start| question.would_be(start, Change::default())).collect();
        question
    }

    /// The same input with a relaxation.
    pub fn relaxed(&self, relaxation: Relaxation) -> Asked {
        let mut relaxed = self.clone();
        match relaxation {
            Relaxation::MakeOptional(index) => relaxed.people[index].required = false,
            Relaxation::Shorten(quarters) => relaxed.options.duration = quarters,
            Relaxation::LowerQuorum(quorum) => relaxed.options.quorum = Some(quorum),
            Relaxation::UseQuarters => {
                relaxed.options.step = 1;
                relaxed.steps = self.quarters.clone();
            }
        }
        relaxed
    }
}

impl Question {
    fn slot(&self, start: usize) -> Range<usize> {
        start..start + self.asked.options.duration
    }

    fn indices(&self) -> Range<usize> {
        0..self.asked.people.len()
    }

    fn is_required(&self, index: usize) -> bool {
        self.asked.people[index].required
    }

    fn needs_if_needed(&self, index: usize, start: usize) -> bool {
        self.can[index][start] && !self.is_free[index][start]
    }

    fn would_be(&self, start: usize, change: Change) -> bool {
        let comes = |index: usize| change.always >> index & 1 == 1 || self.can[index][start];
        let missing = self.indices().any(|index| self.is_required(index) && !comes(index));
        let coming = self.indices().filter(|index| comes(*index)).count() + change.additional;
        let fits = start + self.asked.options.duration <= self.asked.steps.len();
        fits && !missing && coming >= self.asked.options.quorum.unwrap_or(0) && coming > 0
    }

    /// The starts on a step from which a slot fits.
    fn starts(&self) -> Vec<usize> {
        let len = self.asked.steps.len();
        (0..len).filter(|start| self.asked.steps[*start] && start + self.asked.options.duration <= len).collect()
    }

    pub fn candidates(&self) -> Vec<usize> {
        let mut candidates = self.starts();
        candidates.retain(|start| self.could_be[*start]);
        candidates
    }

    /// The number of attendees that must use `if_needed` time: the smallest that makes the meeting possible.
    fn forced_if_needed(&self, start: usize) -> usize {
        let if_needed_only: Vec<usize> = self.indices().filter(|index| self.needs_if_needed(*index, start)).collect();
        let needed = if_needed_only.iter().filter(|index| self.is_required(**index)).count();
        let free = self.indices().filter(|index| self.is_free[*index][start]).count();
        let least = self.asked.options.quorum.unwrap_or(0).max(1);
        (needed..=if_needed_only.len()).find(|forced| free + forced >= least).expect("it is a candidate")
    }

    fn tiers(&self, start: usize, candidates: &[usize]) -> Tiers {
        let come: Vec<usize> = self.indices().filter(|index| self.can[*index][start]).collect();
        let worst = |points: &Vec<u64>| self.slot(start).map(|q| points[q]).min().expect("a quarter");
        let clocks = come.iter().filter_map(|index| self.asked.people[*index].points.as_ref());
        (
            come.iter().map(|index| self.asked.people[*index].weight).sum(),
            Reverse(come.iter().filter(|index| self.needs_if_needed(**index, start)).count()),
            if self.asked.has_fairness { clocks.map(worst).min().unwrap_or(9) } else { 0 },
            self.preference_points(start, candidates),
            Reverse(start),
        )
    }

    fn preference_points(&self, start: usize, candidates: &[usize]) -> u64 {
        let (first, last) = (candidates[0], candidates[candidates.len() - 1]);
        if first == last {
            return 99;
        }
        // in halves of the span, so that indifference is a whole number
        let suits = |one: &Person| match one.preference {
            Preference::First => 2 * (last - start),
            Preference::Last => 2 * (start - first),
            Preference::Random | Preference::Best => last - first,
        };
        let people = &self.asked.people;
        let sum: usize = people.iter().map(suits).sum();
        (99 * sum / (2 * (last - first) * people.len())) as u64
    }

    /// Whether two slots must not be in one answer.
    fn clash(&self, a: usize, b: usize) -> bool {
        let (first, second) = (a.min(b), a.max(b));
        second < first + self.asked.options.duration
            || match self.asked.options.distinct {
                DistinctBy::Slot => false,
                DistinctBy::Block => (first..=second).all(|start| self.could_be[start]),
                DistinctBy::Day => self.asked.dates[first] == self.asked.dates[second],
            }
    }

    /// Checks that every slot is the best one, or a possible random one, and that no slot is missing.
    pub fn check(&self, ranking: &Ranking) -> Result<(), TestCaseError> {
        let mut preferences: Vec<Preference> = Vec::new();
        for one in &self.asked.people {
            if !preferences.contains(&one.preference) {
                preferences.push(one.preference);
            }
        }
        let shared = self.asked.options.pick.or((preferences.len() == 1).then(|| preferences[0]));
        prop_assert_eq!(ranking.pick, shared);
        let limit = self.asked.options.limit.unwrap_or(match shared {
            Some(Preference::Best) => 5,
            Some(_) => 1,
            None => 4,
        });
        let picks = match shared {
            Some(pick) => vec![pick; limit],
            None => preferences.into_iter().take(limit).collect(),
        };
        let candidates = self.candidates();
        let tiers: BTreeMap<usize, Tiers> =
            candidates.iter().map(|start| (*start, self.tiers(*start, &candidates))).collect();
        let forced: BTreeMap<usize, usize> =
            candidates.iter().map(|start| (*start, self.forced_if_needed(*start))).collect();
        let mut open = candidates;
        let mut taken = 0;
        for pick in picks {
            let Some(slot) = ranking.slots.get(taken) else {
                prop_assert!(open.is_empty(), "a slot is missing at {taken} of {open:?}");
                break;
            };
            let start = slot.quarters.start;
            prop_assert_eq!(&slot.quarters, &self.slot(start));
            prop_assert_eq!(slot.pick, pick);
            prop_assert!(open.contains(&start), "{start} is taken or no candidate");
            let least = open.iter().map(|start| forced[start]).min();
            let least_forced: Vec<usize> = open.iter().copied().filter(|start| Some(forced[start]) == least).collect();
            match pick {
                Preference::First => prop_assert_eq!(Some(&start), least_forced.first()),
                Preference::Last => prop_assert_eq!(Some(&start), least_forced.last()),
                Preference::Random => prop_assert!(least_forced.contains(&start)),
                Preference::Best => {
                    let better = open.iter().find(|other| tiers[other] > tiers[&start]);
                    prop_assert_eq!(better, None, "beats {}", start);
                }
            }
            check_score(slot, &tiers[&start], self.asked.has_fairness)?;
            open.retain(|other| !self.clash(start, *other));
            taken += 1;
        }
        prop_assert_eq!(ranking.slots.len(), taken);
        let random = |slot: &Slot| slot.pick == Preference::Random;
        prop_assert_eq!(ranking.random_used, ranking.slots.iter().any(random));
        prop_assert_eq!(ranking.longest_common, self.longest_common());
        let by_score = |a: &Slot, b: &Slot| {
            let tiers = |slot: &Slot| tiers[&slot.quarters.start];
            a.score.cmp(&b.score) == tiers(a).cmp(&tiers(b))
        };
        prop_assert!(ranking.slots.iter().all(|a| ranking.slots.iter().all(|b| by_score(a, b))));
        Ok(())
    }

    fn longest_common(&self) -> usize {
        let required: Vec<&Person> = self.asked.people.iter().filter(|one| one.required).collect();
        let common = |q: usize| !required.is_empty() && required.iter().all(|one| one.is_usable(q));
        let common: Vec<bool> = (0..self.asked.steps.len()).map(common).collect();
        runs(&common).iter().map(Range::len).max().unwrap_or(0)
    }

    /// The attendees whose absence counts: required ones, or all if the required ones are not enough for the quorum.
    fn blocking_attendees(&self) -> Vec<usize> {
        let required = self.indices().filter(|index| self.is_required(*index)).count();
        let all = self.asked.options.quorum.unwrap_or(0).max(1) > required;
        self.indices().filter(|index| all || self.is_required(*index)).collect()
    }

    /// The fewest attendees, of the input or additional, who would have to be able to come to make the meeting possible.
    fn shortfall(&self, start: usize) -> usize {
        let works = |few: usize, always: usize| {
            let size = always.count_ones() as usize;
            size <= few && self.would_be(start, Change { always, additional: few - size })
        };
        let subsets = 1 << self.asked.people.len();
        let enough = |few: &usize| (0..subsets).any(|always| works(*few, always));
        (0..).find(enough).expect("some number is enough")
    }

    /// The whole explanation.
    pub fn explanation(&self) -> Explanation {
        let starts = self.starts();
        let never = |index: &usize| !(0..self.asked.steps.len()).any(|q| self.asked.people[*index].is_usable(q));
        let mut blocking: Vec<Blocker> = Vec::new();
        for attendee in self.blocking_attendees() {
            let blocked: Vec<usize> = starts.iter().copied().filter(|start| !self.can[attendee][*start]).collect();
            let change = Change { always: 1 << attendee, additional: 0 };
            let alone =
                blocked.iter().filter(|start| self.would_be(**start, change) && !self.could_be[**start]).count();
            blocking.push(Blocker { attendee, slots: blocked.len(), alone });
        }
        blocking.retain(|one| one.slots > 0);
        blocking.sort_by_key(|one| (Reverse(one.slots), Reverse(one.alone), one.attendee));
        Explanation {
            longest_common: self.longest_common(),
            never: self.indices().filter(never).collect(),
            blocking,
            nearest: self.nearest(),
            relaxations: if self.candidates().is_empty() { self.relaxations() } else { Vec::new() },
        }
    }

    fn nearest(&self) -> Vec<NearMiss> {
        let away = |start: usize| -> Vec<usize> {
            let awaited = self.blocking_attendees().into_iter();
            awaited.filter(|index| !self.can[*index][start]).collect()
        };
        let misses = self.starts().into_iter().map(|start| (self.shortfall(start), away(start), start));
        let mut misses: Vec<_> = misses.filter(|(shortfall, ..)| *shortfall > 0).collect();
        misses.sort_by_key(|(shortfall, away, start)| (*shortfall, away.len(), *start));
        let mut nearest: Vec<NearMiss> = Vec::new();
        for (_, missing, start) in misses {
            let quarters = self.slot(start);
            let apart = |other: &NearMiss| other.quarters.end <= quarters.start || quarters.end <= other.quarters.start;
            if nearest.len() < 3 && nearest.iter().all(apart) {
                nearest.push(NearMiss { quarters, missing });
            }
        }
        nearest
    }

    fn relaxations(&self) -> Vec<(Relaxation, usize)> {
        let tried = |relaxation| (relaxation, self.asked.relaxed(relaxation).evaluate().candidates().len());
        let helps = |(_, count): &(Relaxation, usize)| *count > 0;
        let mut found = Vec::new();
        if self.asked.options.step > 1 {
            found.extend(Some(tried(Relaxation::UseQuarters)).filter(helps));
        }
        found.extend((1..self.asked.options.duration).rev().map(Relaxation::Shorten).map(tried).find(helps));
        let lower = (1..self.asked.options.quorum.unwrap_or(0)).rev().map(Relaxation::LowerQuorum);
        found.extend(lower.map(tried).find(helps));
        let required = self.indices().filter(|index| self.is_required(*index));
        let mut exempted: Vec<_> = required.map(Relaxation::MakeOptional).map(tried).filter(helps).collect();
        exempted.sort_by_key(|(_, count)| Reverse(*count));
        found.extend(exempted.into_iter().take(3));
        found
    }
}

/// Checks that the factors are those of the tiers, and that the score is their sum.
fn check_score(slot: &Slot, tiers: &Tiers, has_fairness: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(slot.score, slot.factors.iter().map(|factor| factor.value).sum::<u64>());
    prop_assert!(slot.score < 1 << 53);
    let names: Vec<&str> = slot.factors.iter().map(|factor| factor.name).collect();
    let mut expected = vec!["free", "if_needed", "fairness", "preference", "time"];
    expected.retain(|name| *name != "fairness" || has_fairness);
    prop_assert_eq!(names, expected);
    let value = |name: &str| slot.factors.iter().find(|factor| factor.name == name).map_or(0, |factor| factor.value);
    let values = [value("free") / 100_000_000_000, value("fairness") / 1_000_000, value("preference") / 10_000];
    prop_assert_eq!(values, [tiers.0, tiers.2, tiers.3]);
    Ok(())
}
