//! A twin of the engine, slow and written to be obviously right: it looks at every minute by itself.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;
use std::ops::Range;
use w2meet::calendar::{Ask, Choice, Preference, Slot};

/// A week as a table: whether each minute of each day is free.
pub type Table = [[bool; 1440]; 7];

pub fn table(packed: &[u8; 84]) -> Box<Table> {
    let mut table = Box::new([[false; 1440]; 7]);
    for quarter in 0..672 {
        if packed[quarter / 8] >> (quarter % 8) & 1 == 1 {
            let minute = quarter % 96 * 15;
            table[quarter / 96][minute..minute + 15].fill(true);
        }
    }
    table
}

pub fn rules(zone: &str) -> TimeZone {
    let found = TimeZoneDatabase::bundled().get(zone);
    found.expect("the zones of these tests exist")
}

fn civil(second: i64, rules: &TimeZone) -> DateTime {
    let instant = Timestamp::from_second(second).expect("in range");
    rules.to_datetime(instant)
}

fn offset(second: i64, rules: &TimeZone) -> i64 {
    let instant = Timestamp::from_second(second).expect("in range");
    instant.to_zoned(rules.clone()).offset().seconds().into()
}

fn is_free(table: &Table, shown: DateTime) -> bool {
    let day = shown.weekday().to_monday_zero_offset();
    let minute = usize::from(shown.hour() as u8) * 60 + usize::from(shown.minute() as u8);
    table[usize::from(day as u8)][minute]
}

/// Everything in tzdb since 1970 is on full minutes, but Monrovia until 1972: 44:30 behind UTC.
fn grain(seconds: &[i64]) -> usize {
    match seconds.iter().all(|second| second % 60 == 0) {
        true => 60,
        false => 30,
    }
}

/// The first second at which the zone's calendar shows `date` or a later date.
pub fn start_of(date: Date, rules: &TimeZone) -> i64 {
    let utc_midnight = date.to_zoned(TimeZone::UTC).expect("in range");
    let about = utc_midnight.timestamp().as_second();
    // No clock was put back by more than seven hours since 1970 (Vostok, 1994).
    let before = about - offset(about, rules) - 8 * 3600;
    assert!(civil(before, rules).date() < date);
    let mut seconds = (before - before.rem_euclid(30)..).step_by(30);
    let first = seconds.find(|second| civil(*second, rules).date() >= date);
    first.expect("a date comes")
}

/// The Unix seconds at which the quarters of a window start.
pub fn window(zone: &str, from: Date, to: Date) -> Vec<i64> {
    let rules = rules(zone);
    let end = start_of(to.tomorrow().expect("in range"), &rules);
    let starts = (start_of(from, &rules)..).step_by(900);
    starts.take_while(|start| start + 900 <= end).collect()
}

/// Which of these quarters are free throughout on the wall clock of a zone.
pub fn project_window(quarters: &[i64], table: &Table, zone: &str) -> Vec<bool> {
    let rules = rules(zone);
    let start = quarters.first().copied().unwrap_or(0);
    let grain = grain(&[start, offset(start, &rules)]);
    let free = |quarter: &i64| {
        let mut seconds = (*quarter..quarter + 900).step_by(grain);
        seconds.all(|second| is_free(table, civil(second, &rules)))
    };
    quarters.iter().map(free).collect()
}

/// Which quarters of a typical week in `frame_zone` are free throughout on the wall clock of `zone`.
pub fn project_typical(frame_zone: &str, as_of: Date, table: &Table, zone: &str) -> Vec<bool> {
    let noon = as_of.at(12, 0, 0, 0).to_zoned(rules(frame_zone));
    let noon = noon.expect("in range").timestamp().as_second();
    let ahead = offset(noon, &rules(zone)) - offset(noon, &rules(frame_zone));
    let grain = grain(&[ahead]);
    let free = |quarter: i64| {
        let mut seconds = (quarter * 900..quarter * 900 + 900).step_by(grain);
        seconds.all(|second| {
            let minute = (second + ahead).rem_euclid(7 * 86_400) / 60;
            table[(minute / 1440) as usize][(minute % 1440) as usize]
        })
    };
    (0..672).map(free).collect()
}

/// A new hour begins where the clock shows one, and where the offset changes.
pub fn hours(quarters: &[i64], zone: &str) -> Vec<Range<usize>> {
    let rules = rules(zone);
    let begins = |q: usize| {
        let shown = civil(quarters[q], &rules);
        let crossed = q == 0
            || offset(quarters[q], &rules) != offset(quarters[q - 1], &rules)
            || civil(quarters[q - 1], &rules).hour() != shown.hour();
        crossed || (shown.minute(), shown.second()) == (0, 0)
    };
    let mut hours: Vec<Range<usize>> = Vec::new();
    for q in 0..quarters.len() {
        match hours.last_mut() {
            Some(hour) if !begins(q) => hour.end = q + 1,
            _ => hours.push(q..q + 1),
        }
    }
    hours
}

/// The quarters at which the clock shows a multiple of `15 * step` minutes.
pub fn steps(quarters: &[i64], zone: &str, step: usize) -> Vec<bool> {
    let rules = rules(zone);
    let shown = quarters.iter().map(|second| civil(*second, &rules));
    let fits = |shown: DateTime| {
        let seconds = i64::from(shown.minute()) * 60 + i64::from(shown.second());
        seconds % (900 * step as i64) == 0
    };
    shown.map(fits).collect()
}

/// For each hour, how many people have all of its quarters.
pub fn free_count(hours: &[Range<usize>], people: &[Vec<bool>]) -> Vec<u32> {
    let has = |hour: &Range<usize>, free: &[bool]| hour.clone().all(|q| free[q]);
    let count = |hour| people.iter().filter(|free| has(hour, free)).count() as u32;
    hours.iter().map(count).collect()
}

/// The runs of set quarters.
pub fn runs(free: &[bool]) -> Vec<Range<usize>> {
    let starts = (0..free.len()).filter(|q| free[*q] && (*q == 0 || !free[q - 1]));
    let run = |start: usize| start..(start..free.len()).find(|q| !free[*q]).unwrap_or(free.len());
    starts.map(run).collect()
}

/// Where `duration` quarters in a row are free.
pub fn starts(free: &[bool], duration: usize) -> Vec<usize> {
    let fits =
        |start: &usize| start + duration <= free.len() && free[*start..start + duration].iter().all(|free| *free);
    (0..free.len()).filter(fits).collect()
}

/// The question put to the exhaustive chooser, and every start of a slot that suits everybody.
#[derive(Clone, Debug)]
pub struct Question {
    pub people: Vec<(Preference, Vec<bool>)>,
    pub duration: usize,
    pub common: Vec<bool>,
    candidates: Vec<usize>,
}

impl Question {
    pub fn new(people: Vec<(Preference, Vec<bool>)>, steps: &[bool], duration: usize) -> Question {
        let all_free = |q: usize| people.iter().all(|(_, free)| free[q]);
        let common: Vec<bool> = (0..steps.len()).map(all_free).collect();
        let mut candidates = starts(&common, duration);
        candidates.retain(|start| steps[*start]);
        Question { people, duration, common, candidates }
    }

    /// What is left of the candidates when these slots are taken.
    pub fn open(&self, taken: &[usize]) -> Vec<usize> {
        let apart = |a: usize, b: usize| a + self.duration <= b || b + self.duration <= a;
        let mut open = self.candidates.clone();
        open.retain(|start| taken.iter().all(|other| apart(*start, *other)));
        open
    }

    /// How much better than others a candidate is: its tiers, compared from the first on. Whoever is
    /// a candidate has everybody free and needs nobody's `if_needed`.
    pub fn tiers(&self, start: usize) -> (i64, i64) {
        let (Some(first), Some(last)) = (self.candidates.first(), self.candidates.last()) else {
            return (0, 0);
        };
        let (first, last, start) = (*first as i64, *last as i64, start as i64);
        if first == last {
            return (100, -start);
        }
        let suits = |(preference, _): &(Preference, Vec<bool>)| match preference {
            Preference::First => 2 * (last - start),
            Preference::Last => 2 * (start - first),
            Preference::Random | Preference::Best => last - first,
        };
        let sum: i64 = self.people.iter().map(suits).sum();
        (50 * sum / ((last - first) * self.people.len() as i64), -start)
    }

    /// The slot that follows those taken; `None` where only chance knows, or none is left.
    pub fn next(&self, pick: Preference, taken: &[usize]) -> Option<usize> {
        let open = self.open(taken);
        match pick {
            Preference::First => open.first().copied(),
            Preference::Last => open.last().copied(),
            Preference::Best => open.into_iter().max_by_key(|start| self.tiers(*start)),
            Preference::Random => None,
        }
    }

    /// Every slot is the one the exhaustive chooser takes, or one that chance may take.
    pub fn check(&self, ask: &Ask, choice: &Choice) -> Result<(), TestCaseError> {
        let mut wishes: Vec<Preference> = Vec::new();
        for (preference, _) in &self.people {
            if !wishes.contains(preference) {
                wishes.push(*preference);
            }
        }
        let shared = ask.pick.or((wishes.len() == 1).then(|| wishes[0]));
        prop_assert_eq!(choice.pick, shared);
        let limit = ask.limit.unwrap_or(match shared {
            Some(Preference::Best) => 5,
            Some(_) => 1,
            None => 4,
        });
        let picks = match shared {
            Some(pick) => vec![pick; limit],
            None => wishes.into_iter().take(limit).collect(),
        };
        let mut taken = Vec::new();
        for (place, pick) in picks.into_iter().enumerate() {
            let open = self.open(&taken);
            let Some(slot) = choice.slots.get(place) else {
                prop_assert!(open.is_empty(), "a slot is missing at {place}");
                break;
            };
            let start = slot.quarters.start;
            prop_assert_eq!(slot.quarters.len(), self.duration);
            prop_assert_eq!(slot.pick, pick);
            prop_assert!(open.contains(&start), "{start} is taken or no candidate");
            if pick != Preference::Random {
                prop_assert_eq!(Some(start), self.next(pick, &taken));
            }
            prop_assert_eq!(slot.score, slot.factors.iter().map(|factor| factor.value).sum::<u64>());
            prop_assert!(slot.score < 1 << 53);
            taken.push(start);
        }
        prop_assert_eq!(choice.slots.len(), taken.len());
        let random = |slot: &Slot| slot.pick == Preference::Random;
        prop_assert_eq!(choice.random_used, choice.slots.iter().any(random));
        let longest = runs(&self.common).iter().map(Range::len).max();
        prop_assert_eq!(choice.longest_common, longest.unwrap_or(0));
        let by_score = |pair: &[Slot]| {
            let tiers = |at: usize| self.tiers(pair[at].quarters.start);
            pair[0].score.cmp(&pair[1].score) == tiers(0).cmp(&tiers(1))
        };
        prop_assert!(choice.slots.windows(2).all(by_score));
        Ok(())
    }
}
