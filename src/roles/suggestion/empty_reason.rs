//! Why there is no suggestion, and what would help. Pure.

use serde_json::{Value, json};

use crate::calendar::{self, Attendance, Explanation, Grid, RankingOptions, SearchWindow, count_starts, explain};
use crate::platform::email::Email;

use super::api::{Blocker, EmptyReason, NearMiss, Relaxation};
use super::model::Candidates;
use super::reason::not_known;

impl Candidates<'_> {
    /// Says why nothing was found.
    pub(super) fn empty_reason(&self) -> EmptyReason {
        let why = explain(&self.frame, &self.attendees, &self.ask);
        let (code, detail) = self.why(&why);
        let blocking = why.blocking.iter().map(|one| Blocker {
            email: self.emails[one.attendee].clone(),
            slots: one.slots,
            alone: one.alone,
        });
        // of a quorum those whom nobody knows are missing, too
        let strangers = if self.quorum().is_some() { self.unknown.as_slice() } else { &[] };
        let nearest = why.nearest.iter().map(|miss| {
            let (day, start, end) = self.clock(&miss.quarters);
            NearMiss { day, start, end, missing: self.names(&miss.missing).chain(strangers).cloned().collect() }
        });
        let relaxations = why.relaxations.iter().map(|(kind, slots)| self.relaxation(kind, *slots));
        EmptyReason {
            code: code.into(),
            detail,
            blocking: blocking.collect(),
            nearest: nearest.collect(),
            relaxations: relaxations.collect(),
        }
    }

    fn names<'a>(&'a self, places: &'a [usize]) -> impl Iterator<Item = &'a Email> {
        places.iter().map(|at| &self.emails[*at])
    }

    /// The code, and the sentence.
    fn why(&self, why: &Explanation) -> (&'static str, String) {
        let asked = self.ask.duration * 15;
        let starts = starting_times(&self.frame, &self.ask);
        if starts == 0 {
            return ("unknown", format!("what was searched has no starting time for a meeting of {asked} minutes"));
        }
        if let Some(organizer) = self.absent_organizer() {
            let detail = format!("the organizer, {organizer}, can come to none of the {starts} starting times");
            return ("organizer_unavailable", detail);
        }
        let all = self.attendees.len() + self.unknown.len();
        match self.quorum() {
            _ if self.attendees.is_empty() => {
                ("attendees_unavailable_or_unknown", "nobody of those who were asked for is known".to_owned())
            }
            Some(quorum) if !self.unknown.is_empty() => {
                let unknown = not_known(self.unknown.len());
                let detail = format!("never can {quorum} of all {all} come at once; {unknown}");
                ("attendees_unavailable_or_unknown", detail)
            }
            Some(quorum) => {
                ("attendees_unavailable", format!("at no time can all who must come, and {quorum} of all {all}"))
            }
            None => ("attendees_unavailable", self.why_not_all(why)),
        }
    }

    /// The sentence where nobody counts but those who must come.
    fn why_not_all(&self, why: &Explanation) -> String {
        let asked = self.ask.duration * 15;
        let must = |at: &&usize| self.attendees[**at].attendance == Attendance::Required;
        let never: Vec<usize> = why.never.iter().filter(must).copied().collect();
        match why.longest_common * 15 {
            _ if !never.is_empty() => {
                let names: Vec<&str> = self.names(&never).take(5).map(Email::as_str).collect();
                let more = if never.len() > names.len() { ", and more" } else { "" };
                format!("somebody is never free in what was searched: {}{more}", names.join(", "))
            }
            _ if self.required() == 0 => "nobody of them is free for that long".to_owned(),
            0 => "everybody is free at some time, but there is none at which all are".to_owned(),
            longest if longest < asked => {
                format!("the longest time that all share is {longest} minutes, and {asked} were asked for")
            }
            _ => "what all share begins at no multiple of step_minutes".to_owned(),
        }
    }

    /// The organizer, if there is one who must come, and cannot to anything.
    fn absent_organizer(&self) -> Option<&Email> {
        let organizer = self.request.organizer.as_ref()?;
        let one = &self.attendees[self.emails.iter().position(|email| email == organizer)?];
        let ask = RankingOptions { quorum: None, ..self.ask.clone() };
        let absent = || count_starts(&self.frame, std::slice::from_ref(one), &ask) == 0;
        (one.attendance == Attendance::Required && absent()).then_some(organizer)
    }

    fn relaxation(&self, kind: &calendar::Relaxation, slots: usize) -> Relaxation {
        let (kind, what, change) = match *kind {
            calendar::Relaxation::MakeOptional(at) => {
                let email = &self.emails[at];
                let change = json!({ "optional": self.request.optional_with(email) });
                ("make_optional", format!("without {email} having to come"), change)
            }
            calendar::Relaxation::Shorten(quarters) => {
                let (minutes, asked) = (15 * quarters, 15 * self.ask.duration);
                let change = json!({ "duration_minutes": minutes });
                ("shorten", format!("with {minutes} minutes instead of {asked}"), change)
            }
            calendar::Relaxation::LowerQuorum(people) => {
                let asked = self.ask.quorum.unwrap_or(people);
                ("lower_quorum", format!("with at least {people} instead of {asked}"), json!({ "quorum": people }))
            }
            calendar::Relaxation::UseQuarters => {
                ("use_quarters", "starting on any quarter of an hour".to_owned(), json!({ "step_minutes": 15 }))
            }
        };
        relaxation(kind, &what, change, slots)
    }
}

/// A change that was tried out.
pub fn relaxation(kind: &'static str, what: &str, change: Value, slots: usize) -> Relaxation {
    let times = if slots == 1 { "is 1 starting time" } else { &format!("are {slots} starting times") };
    Relaxation { kind: kind.into(), detail: format!("{what} there {times}"), change, slots }
}

/// At how many times a meeting could start that suits everybody.
fn starting_times(frame: &SearchWindow, ask: &RankingOptions) -> usize {
    let mut starts = Grid::full(frame.len()).starts(ask.duration);
    starts.and(&frame.steps(ask.step));
    starts.count()
}
