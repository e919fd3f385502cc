//! The other half of the twin: it judges slots and explanations by trying everything, one person and one start at a time.

use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use w2meet::calendar::{
    Blocker, DistinctBy, Explanation, NearMiss, Preference, Ranking, RankingOptions, Relaxation, Slot,
};

use super::time_model::runs;

/// One who is to come, quarter by quarter.
#[derive(Clone, Debug)]
pub struct Person {
    pub preference: Preference,
    pub required: bool,
    pub weight: u64,
    pub free: Vec<bool>,
    pub if_needed: Vec<bool>,
    /// The fairness points of each quarter on their clock, if they have one.
    pub points: Option<Vec<u64>>,
}

impl Person {
    /// For each quarter, whether a slot of this length from it on has only quarters of which something holds.
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

/// A question as it is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub people: Vec<Person>,
    pub ask: RankingOptions,
    /// Whether clocks differ.
    pub is_fairness_told: bool,
    /// The quarters that are on a step of the question, and on a quarter of the hour.
    pub steps: Vec<bool>,
    pub quarters: Vec<bool>,
    /// What tells one local day from another.
    pub dates: Vec<i64>,
}

/// The question put to the exhaustive judge.
pub struct Question {
    asked: Asked,
    /// Of every person, whether they can come to the slot at each start, and without their `if_needed`.
    can: Vec<Vec<bool>>,
    is_free: Vec<Vec<bool>>,
    /// Whether the meeting could start at each quarter, whatever the step.
    could_be: Vec<bool>,
}

/// Who is taken for able to come, whatever their grids say (bit `i` is person `i`); and how many more who are nobody's.
#[derive(Clone, Copy, Default)]
struct Wish {
    able: usize,
    strangers: usize,
}

/// A candidate's tiers, compared from the first on; the greater, the better.
type Tiers = (u64, Reverse<usize>, u64, u64, Reverse<usize>);

impl Asked {
    /// Looks at everybody and every start.
    pub fn judge(self) -> Question {
        let duration = self.ask.duration;
        let can = self.people.iter().map(|one| one.slots(duration, Person::is_usable)).collect();
        let is_free = self.people.iter().map(|one| one.slots(duration, |one, q| one.free[q])).collect();
        let len = self.steps.len();
        let mut question = Question { asked: self, can, is_free, could_be: Vec::new() };
        question.could_be = (0..len).map(|start| question.would_be(start, Wish::default())).collect();
        question
    }

    /// The same question, with one thing asked less of.
    pub fn relaxed(&self, relaxation: Relaxation) -> Asked {
        let mut relaxed = self.clone();
        match relaxation {
            Relaxation::MakeOptional(index) => relaxed.people[index].required = false,
            Relaxation::Shorten(quarters) => relaxed.ask.duration = quarters,
            Relaxation::LowerQuorum(quorum) => relaxed.ask.quorum = Some(quorum),
            Relaxation::UseQuarters => {
                relaxed.ask.step = 1;
                relaxed.steps = self.quarters.clone();
            }
        }
        relaxed
    }
}

impl Question {
    fn slot(&self, start: usize) -> Range<usize> {
        start..start + self.asked.ask.duration
    }

    fn everybody(&self) -> Range<usize> {
        0..self.asked.people.len()
    }

    fn is_required(&self, index: usize) -> bool {
        self.asked.people[index].required
    }

    fn would_rather_not(&self, index: usize, start: usize) -> bool {
        self.can[index][start] && !self.is_free[index][start]
    }

    fn would_be(&self, start: usize, wish: Wish) -> bool {
        let comes = |index: usize| wish.able >> index & 1 == 1 || self.can[index][start];
        let missing = self.everybody().any(|index| self.is_required(index) && !comes(index));
        let coming = self.everybody().filter(|index| comes(*index)).count() + wish.strangers;
        let fits = start + self.asked.ask.duration <= self.asked.steps.len();
        fits && !missing && coming >= self.asked.ask.quorum.unwrap_or(0) && coming > 0
    }

    /// The starts on a step from which on a slot fits.
    fn starts(&self) -> Vec<usize> {
        let len = self.asked.steps.len();
        (0..len).filter(|start| self.asked.steps[*start] && start + self.asked.ask.duration <= len).collect()
    }

    pub fn candidates(&self) -> Vec<usize> {
        let mut candidates = self.starts();
        candidates.retain(|start| self.could_be[*start]);
        candidates
    }

    /// How many must come who would rather not: the fewest of them with whom, beside those who are free, the meeting could be.
    fn pressed(&self, start: usize) -> usize {
        let reluctant: Vec<usize> = self.everybody().filter(|index| self.would_rather_not(*index, start)).collect();
        let needed = reluctant.iter().filter(|index| self.is_required(**index)).count();
        let free = self.everybody().filter(|index| self.is_free[*index][start]).count();
        let least = self.asked.ask.quorum.unwrap_or(0).max(1);
        (needed..=reluctant.len()).find(|pressed| free + pressed >= least).expect("it is a candidate")
    }

    fn tiers(&self, start: usize, candidates: &[usize]) -> Tiers {
        let come: Vec<usize> = self.everybody().filter(|index| self.can[*index][start]).collect();
        let worst = |points: &Vec<u64>| self.slot(start).map(|q| points[q]).min().expect("a quarter");
        let clocks = come.iter().filter_map(|index| self.asked.people[*index].points.as_ref());
        (
            come.iter().map(|index| self.asked.people[*index].weight).sum(),
            Reverse(come.iter().filter(|index| self.would_rather_not(**index, start)).count()),
            if self.asked.is_fairness_told { clocks.map(worst).min().unwrap_or(9) } else { 0 },
            self.liking(start, candidates),
            Reverse(start),
        )
    }

    fn liking(&self, start: usize, candidates: &[usize]) -> u64 {
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

    /// Whether two slots may not be in one answer.
    fn clash(&self, a: usize, b: usize) -> bool {
        let (first, second) = (a.min(b), a.max(b));
        second < first + self.asked.ask.duration
            || match self.asked.ask.distinct {
                DistinctBy::Slot => false,
                DistinctBy::Block => (first..=second).all(|start| self.could_be[start]),
                DistinctBy::Day => self.asked.dates[first] == self.asked.dates[second],
            }
    }

    /// Every slot is the one that no other beats, or one that chance may take; and nothing is missing.
    pub fn check(&self, choice: &Ranking) -> Result<(), TestCaseError> {
        let mut wishes: Vec<Preference> = Vec::new();
        for one in &self.asked.people {
            if !wishes.contains(&one.preference) {
                wishes.push(one.preference);
            }
        }
        let shared = self.asked.ask.pick.or((wishes.len() == 1).then(|| wishes[0]));
        prop_assert_eq!(choice.pick, shared);
        let limit = self.asked.ask.limit.unwrap_or(match shared {
            Some(Preference::Best) => 5,
            Some(_) => 1,
            None => 4,
        });
        let picks = match shared {
            Some(pick) => vec![pick; limit],
            None => wishes.into_iter().take(limit).collect(),
        };
        let candidates = self.candidates();
        let tiers: BTreeMap<usize, Tiers> =
            candidates.iter().map(|start| (*start, self.tiers(*start, &candidates))).collect();
        let pressed: BTreeMap<usize, usize> = candidates.iter().map(|start| (*start, self.pressed(*start))).collect();
        let mut open = candidates;
        let mut taken = 0;
        for pick in picks {
            let Some(slot) = choice.slots.get(taken) else {
                prop_assert!(open.is_empty(), "a slot is missing at {taken} of {open:?}");
                break;
            };
            let start = slot.quarters.start;
            prop_assert_eq!(&slot.quarters, &self.slot(start));
            prop_assert_eq!(slot.pick, pick);
            prop_assert!(open.contains(&start), "{start} is taken or no candidate");
            let least = open.iter().map(|start| pressed[start]).min();
            let gentle: Vec<usize> = open.iter().copied().filter(|start| Some(pressed[start]) == least).collect();
            match pick {
                Preference::First => prop_assert_eq!(Some(&start), gentle.first()),
                Preference::Last => prop_assert_eq!(Some(&start), gentle.last()),
                Preference::Random => prop_assert!(gentle.contains(&start)),
                Preference::Best => {
                    let better = open.iter().find(|other| tiers[other] > tiers[&start]);
                    prop_assert_eq!(better, None, "beats {}", start);
                }
            }
            check_score(slot, &tiers[&start], self.asked.is_fairness_told)?;
            open.retain(|other| !self.clash(start, *other));
            taken += 1;
        }
        prop_assert_eq!(choice.slots.len(), taken);
        let random = |slot: &Slot| slot.pick == Preference::Random;
        prop_assert_eq!(choice.random_used, choice.slots.iter().any(random));
        prop_assert_eq!(choice.longest_common, self.longest_common());
        let by_score = |a: &Slot, b: &Slot| {
            let tiers = |slot: &Slot| tiers[&slot.quarters.start];
            a.score.cmp(&b.score) == tiers(a).cmp(&tiers(b))
        };
        prop_assert!(choice.slots.iter().all(|a| choice.slots.iter().all(|b| by_score(a, b))));
        Ok(())
    }

    fn longest_common(&self) -> usize {
        let required: Vec<&Person> = self.asked.people.iter().filter(|one| one.required).collect();
        let common = |q: usize| !required.is_empty() && required.iter().all(|one| one.is_usable(q));
        let common: Vec<bool> = (0..self.asked.steps.len()).map(common).collect();
        runs(&common).iter().map(Range::len).max().unwrap_or(0)
    }

    /// Whom a meeting may be waiting for: those who are required, and anybody if they do not make the quorum.
    fn awaited(&self) -> Vec<usize> {
        let required = self.everybody().filter(|index| self.is_required(*index)).count();
        let all = self.asked.ask.quorum.unwrap_or(0).max(1) > required;
        self.everybody().filter(|index| all || self.is_required(*index)).collect()
    }

    /// The fewest who would have to be able to come for the meeting to be, be they attendees or strangers.
    fn short_of(&self, start: usize) -> usize {
        let works = |few: usize, able: usize| {
            let size = able.count_ones() as usize;
            size <= few && self.would_be(start, Wish { able, strangers: few - size })
        };
        let anybody = 1 << self.asked.people.len();
        let enough = |few: &usize| (0..anybody).any(|able| works(*few, able));
        (0..).find(enough).expect("some number is enough")
    }

    /// The whole explanation.
    pub fn explanation(&self) -> Explanation {
        let starts = self.starts();
        let never = |index: &usize| !(0..self.asked.steps.len()).any(|q| self.asked.people[*index].is_usable(q));
        let mut blocking: Vec<Blocker> = Vec::new();
        for attendee in self.awaited() {
            let barred: Vec<usize> = starts.iter().copied().filter(|start| !self.can[attendee][*start]).collect();
            let wish = Wish { able: 1 << attendee, strangers: 0 };
            let alone = barred.iter().filter(|start| self.would_be(**start, wish) && !self.could_be[**start]).count();
            blocking.push(Blocker { attendee, slots: barred.len(), alone });
        }
        blocking.retain(|one| one.slots > 0);
        blocking.sort_by_key(|one| (Reverse(one.slots), Reverse(one.alone), one.attendee));
        Explanation {
            longest_common: self.longest_common(),
            never: self.everybody().filter(never).collect(),
            blocking,
            nearest: self.nearest(),
            relaxations: if self.candidates().is_empty() { self.relaxations() } else { Vec::new() },
        }
    }

    fn nearest(&self) -> Vec<NearMiss> {
        let away = |start: usize| -> Vec<usize> {
            let awaited = self.awaited().into_iter();
            awaited.filter(|index| !self.can[*index][start]).collect()
        };
        let misses = self.starts().into_iter().map(|start| (self.short_of(start), away(start), start));
        let mut misses: Vec<_> = misses.filter(|(short_of, ..)| *short_of > 0).collect();
        misses.sort_by_key(|(short_of, away, start)| (*short_of, away.len(), *start));
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
        let tried = |relaxation| (relaxation, self.asked.relaxed(relaxation).judge().candidates().len());
        let helps = |(_, count): &(Relaxation, usize)| *count > 0;
        let mut found = Vec::new();
        if self.asked.ask.step > 1 {
            found.extend(Some(tried(Relaxation::UseQuarters)).filter(helps));
        }
        found.extend((1..self.asked.ask.duration).rev().map(Relaxation::Shorten).map(tried).find(helps));
        let lower = (1..self.asked.ask.quorum.unwrap_or(0)).rev().map(Relaxation::LowerQuorum);
        found.extend(lower.map(tried).find(helps));
        let required = self.everybody().filter(|index| self.is_required(*index));
        let mut let_off: Vec<_> = required.map(Relaxation::MakeOptional).map(tried).filter(helps).collect();
        let_off.sort_by_key(|(_, count)| Reverse(*count));
        found.extend(let_off.into_iter().take(3));
        found
    }
}

/// The factors are those of the tiers, and the score is their sum.
fn check_score(slot: &Slot, tiers: &Tiers, is_fairness_told: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(slot.score, slot.factors.iter().map(|factor| factor.value).sum::<u64>());
    prop_assert!(slot.score < 1 << 53);
    let names: Vec<&str> = slot.factors.iter().map(|factor| factor.name).collect();
    let mut expected = vec!["free", "if_needed", "fairness", "preference", "time"];
    expected.retain(|name| *name != "fairness" || is_fairness_told);
    prop_assert_eq!(names, expected);
    let value = |name: &str| slot.factors.iter().find(|factor| factor.name == name).map_or(0, |factor| factor.value);
    let told = [value("free") / 100_000_000_000, value("fairness") / 1_000_000, value("preference") / 10_000];
    prop_assert_eq!(told, [tiers.0, tiers.2, tiers.3]);
    Ok(())
}
