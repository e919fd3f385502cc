//! Why there is no suggestion, and which changes of the request would help. Pure.

use serde_json::{Value, json};

use crate::calendar::{self, EmptyCode, EmptySearch, Explanation, Grid, RankingOptions, count_starts, explain};
use crate::platform::email::Email;

use super::api::{Blocker, EmptyReason, NearMiss, Relaxation};
use super::model::Candidates;

impl Candidates<'_> {
    /// Explains why nothing was found.
    pub(super) fn empty_reason(&self) -> EmptyReason {
        let explanation = explain(&self.window, &self.attendees, &self.options);
        let (code, detail) = self.empty_search(&explanation).explain();
        let detail = match (code, self.absent_organizer()) {
            (EmptyCode::OrganizerUnavailable, Some(email)) if self.with_empty_week.contains(email) => no_week(email),
            _ => detail,
        };
        let blocking = explanation.blocking.iter().map(|one| Blocker {
            email: self.emails[one.attendee].clone(),
            slots: one.slots,
            alone: one.alone,
        });
        // with a quorum, unknown attendees are missing too
        let unknown = if self.quorum().is_some() { self.unknown.as_slice() } else { &[] };
        let nearest = explanation.nearest.iter().map(|miss| {
            let (day, start, end) = self.format_slot(&miss.quarters);
            NearMiss { day, start, end, missing: self.emails_of(&miss.missing).chain(unknown).cloned().collect() }
        });
        let relaxations = explanation.relaxations.iter().map(|(kind, slots)| self.relaxation(kind, *slots));
        EmptyReason {
            code,
            detail,
            blocking: blocking.collect(),
            nearest: nearest.collect(),
            relaxations: relaxations.collect(),
        }
    }

    fn emails_of<'a>(&'a self, indices: &'a [usize]) -> impl Iterator<Item = &'a Email> {
        indices.iter().map(|index| &self.emails[*index])
    }

    fn empty_search(&self, explanation: &Explanation) -> EmptySearch<'_> {
        let is_required = |index: &&usize| self.attendees[**index].attendance.is_required();
        let never_free: Vec<usize> = explanation.never.iter().filter(is_required).copied().collect();
        EmptySearch {
            starts: self.count_all_starts(),
            duration: Some(15 * self.options.duration),
            known: self.attendees.len(),
            required: self.required_count(),
            unknown: self.unknown.len(),
            quorum: self.quorum(),
            absent_organizer: self.absent_organizer().map(Email::as_str),
            never_free: never_free.into_iter().map(|index| self.emails[index].as_str()).collect(),
            longest_common: 15 * explanation.longest_common,
        }
    }

    /// The starts at which a meeting fits into the searched time. Attendees do not count.
    fn count_all_starts(&self) -> usize {
        let mut starts = Grid::full(self.window.len()).starts(self.options.duration);
        starts.and(&self.window.steps(self.options.step));
        starts.count()
    }

    /// The organizer, if the meeting needs them and they can never come.
    fn absent_organizer(&self) -> Option<&Email> {
        let organizer = self.request.organizer.as_ref()?;
        let one = &self.attendees[self.emails.iter().position(|email| email == organizer)?];
        let options = RankingOptions { quorum: None, ..self.options.clone() };
        let is_absent = || count_starts(&self.window, std::slice::from_ref(one), &options) == 0;
        (one.attendance.is_required() && is_absent()).then_some(organizer)
    }

    fn relaxation(&self, kind: &calendar::Relaxation, slots: usize) -> Relaxation {
        let (kind, condition, change) = match *kind {
            calendar::Relaxation::MakeOptional(index) => {
                let email = &self.emails[index];
                let change = json!({ "optional": self.request.optional_with(email) });
                ("make_optional", format!("if {email} is optional"), change)
            }
            calendar::Relaxation::Shorten(quarters) => {
                let (minutes, asked) = (15 * quarters, 15 * self.options.duration);
                (
                    "shorten",
                    format!("with {minutes} minutes instead of {asked}"),
                    json!({ "duration_minutes": minutes }),
                )
            }
            calendar::Relaxation::LowerQuorum(quorum) => {
                let asked = self.options.quorum.unwrap_or(quorum);
                ("lower_quorum", format!("with a quorum of {quorum} instead of {asked}"), json!({ "quorum": quorum }))
            }
            calendar::Relaxation::UseQuarters => {
                ("use_quarters", "with starts on every quarter of an hour".to_owned(), json!({ "step_minutes": 15 }))
            }
        };
        relaxation(kind, &condition, change, slots)
    }
}

/// What an organizer without a week can do.
fn no_week(organizer: &Email) -> String {
    let path = format!("/api/users/{}/availability", organizer.path_segment());
    let as_optional = json!({ "email": organizer, "attendance": "optional" });
    format!(
        "the organizer, {organizer}, has no week stored, and so is never free: store it with PUT {path}, \
         or leave the organizer out of the search with {as_optional} in attendees"
    )
}

/// A change of the request, and the number of starts that it gives.
pub fn relaxation(kind: &'static str, condition: &str, change: Value, slots: usize) -> Relaxation {
    let starts = if slots == 1 { "is 1 starting time" } else { &format!("are {slots} starting times") };
    Relaxation { kind: kind.into(), detail: format!("{condition}, there {starts}"), change, slots }
}
