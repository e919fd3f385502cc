//! From everybody's time to ranked slots and the reasons for them. Pure.

use std::ops::Range;

use crate::calendar::{Ask, Attendee, Choice, Fault, Frame, Grid, Preference, Slot, suggest};
use crate::platform::email::Email;
use crate::platform::extract::Fields;
use crate::platform::problem::Problem;
use crate::platform::window::{self, LARGEST_SEED};
use crate::roles::availability::api::Detail;

use super::api::{EmptyReason, Factor, Suggestion, Suggestions};

/// Raised whenever the same data may give another answer.
const ALGORITHM_VERSION: u32 = 1;
const MOST_SUGGESTIONS: u64 = 100;
/// Names in one answer: a few megabytes.
const MOST_NAMES: u64 = 100_000;

/// A request for suggestions: how to rank, and the answer's size.
pub struct Request {
    ask: Ask,
    seed: Option<u64>,
}

impl Request {
    /// Reads it, refusing everything that is not known. `whom` reads who is to come, and counts them.
    pub fn read<T>(
        mut fields: Fields,
        whom: impl FnOnce(&mut Fields) -> Option<(T, usize)>,
    ) -> Result<(Request, T), Problem> {
        let whom = whom(&mut fields);
        let duration = window::duration(&mut fields).unwrap_or(60);
        let step = fields.number("step_minutes", 15..=60).unwrap_or(15);
        let pick = window::pick(&mut fields);
        let seed = window::seed(&mut fields);
        let limit = fields.number("limit", 1..=MOST_SUGGESTIONS);
        if ![15, 30, 60].contains(&step) {
            fields.fault(Fault::new("#/step_minutes", "not_a_step", "must be 15, 30 or 60"));
        }
        let names = whom.as_ref().map_or(0, |(_, count)| *count as u64) * limit.unwrap_or(1);
        if names > MOST_NAMES {
            let detail =
                format!("times the number of attendees must be at most {MOST_NAMES}: each suggestion names them all");
            fields.fault(Fault::new("#/limit", "answer_too_long", detail));
        }
        let quarters = |minutes: u64| usize::try_from(minutes / 15).unwrap_or(1);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let ask = Ask { pick, seed: 0, duration: quarters(duration), step: quarters(step), limit };
        fields.finish(whom.map(|(whom, _)| (Request { ask, seed }, whom)))
    }

    /// Ranks what availability found. `draw` gives a seed where one is needed and none was given.
    pub fn answer(&self, detail: Detail, draw: impl FnOnce() -> u64) -> Result<Suggestions, Problem> {
        let frame = detail.frame().map_err(Problem::internal)?;
        let seed = self.seed.unwrap_or_else(|| draw() & LARGEST_SEED);
        let ask = Ask { seed, ..self.ask.clone() };
        let mut emails = Vec::with_capacity(detail.attendees.len());
        let mut attendees = Vec::with_capacity(detail.attendees.len());
        for presence in detail.attendees {
            let grid = |text: &str| {
                Grid::from_text(frame.len(), text)
                    .ok_or_else(|| Problem::internal("a grid that does not fit its frame"))
            };
            let free = grid(&presence.free)?;
            let if_needed = presence.if_needed.as_deref().map_or_else(|| Ok(Grid::empty(frame.len())), grid)?;
            attendees.push(Attendee { preference: presence.preference, free, if_needed });
            emails.push(presence.email);
        }
        let choice = suggest(&frame, &attendees, &ask);
        let room = Room { frame: &frame, emails: &emails, attendees: &attendees, ask: &ask, choice: &choice };
        Ok(Suggestions {
            suggestions: choice.slots.iter().zip(1..).map(|(slot, rank)| room.suggestion(slot, rank)).collect(),
            empty_reason: choice.slots.is_empty().then(|| room.empty_reason()),
            pick: choice.pick.map(|pick| pick.name().into()),
            seed: if choice.random_used { Some(seed) } else { self.seed },
            algorithm_version: ALGORITHM_VERSION,
            data_version: detail.data_version,
        })
    }
}

/// Everything that a suggestion is told from.
struct Room<'a> {
    frame: &'a Frame,
    emails: &'a [Email],
    attendees: &'a [Attendee],
    ask: &'a Ask,
    choice: &'a Choice,
}

impl Room<'_> {
    fn suggestion(&self, slot: &Slot, rank: usize) -> Suggestion {
        let Range { start, end } = slot.quarters;
        let [mut free, mut if_needed, mut busy] = [const { Vec::new() }; 3];
        for (email, attendee) in self.emails.iter().zip(self.attendees) {
            let mut can = (start..end).map(|quarter| match quarter {
                quarter if attendee.free.contains(quarter) => 0,
                quarter if attendee.if_needed.contains(quarter) => 1,
                _ => 2,
            });
            let list = match can.by_ref().max() {
                Some(0) => &mut free,
                Some(1) => &mut if_needed,
                _ => &mut busy,
            };
            list.push(email.clone());
        }
        let window = self.frame.is_window();
        let clock = |quarter, as_end| match window {
            true => self.frame.local_text(quarter),
            false => self.frame.clock(quarter, as_end),
        };
        Suggestion {
            rank,
            day: (!window).then(|| self.frame.day_of(start).name().into()),
            start: clock(start, false),
            end: clock(end, true),
            free,
            if_needed,
            busy,
            unknown: Vec::new(),
            score: slot.score,
            factors: slot.factors.iter().map(|it| Factor { name: it.name.into(), value: it.value }).collect(),
            reason: self.reason(slot.pick, rank),
        }
    }

    fn reason(&self, pick: Preference, rank: usize) -> String {
        let all = match self.attendees.len() {
            1 => "the one attendee is".to_owned(),
            2 => "both attendees are".to_owned(),
            many => format!("all {many} attendees are"),
        };
        let what = match (pick, rank, self.choice.pick.is_some()) {
            (Preference::First, 1, _) | (Preference::First, _, false) => {
                format!("the earliest time at which {all} free")
            }
            (Preference::Last, 1, _) | (Preference::Last, _, false) => format!("the latest time at which {all} free"),
            (Preference::Best, 1, _) | (Preference::Best, _, false) => {
                format!("the highest score of all times at which {all} free")
            }
            (Preference::First, ..) => format!("the next time at which {all} free"),
            (Preference::Last, ..) => format!("the latest time before that at which {all} free"),
            (Preference::Best, ..) => format!("the next highest score of all times at which {all} free"),
            (Preference::Random, ..) => format!("drawn by seed {} from the times at which {all} free", self.ask.seed),
        };
        match self.choice.pick {
            Some(_) => what,
            None => format!("{what}, for those who prefer {}", pick.name()),
        }
    }

    fn empty_reason(&self) -> EmptyReason {
        let never = self.emails.iter().zip(self.attendees).filter(|(_, attendee)| attendee.free.is_empty());
        let blocking: Vec<Email> = never.map(|(email, _)| email.clone()).collect();
        let (longest, asked) = (self.choice.longest_common * 15, self.ask.duration * 15);
        let detail = match (blocking.is_empty(), longest) {
            (false, _) => "somebody is never free in what was searched".to_owned(),
            (true, 0) => "everybody is free at some time, but there is none at which all are".to_owned(),
            (true, longest) if longest < asked => {
                format!("the longest time that all share is {longest} minutes, and {asked} were asked for")
            }
            (true, _) => "what all share begins at no multiple of step_minutes".to_owned(),
        };
        EmptyReason { code: "attendees_unavailable".into(), detail, blocking }
    }
}
