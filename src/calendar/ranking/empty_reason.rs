//! The code and the sentence that say why a group has no time in common.

use serde::{Deserialize, Serialize};

/// Attendees that a sentence names.
const MAX_NAMES: usize = 5;

/// Microsoft Graph's reasons for no suggestions, in snake_case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmptyCode {
    /// Not enough attendees can come at once.
    AttendeesUnavailable,
    /// Not enough attendees can come at once, but unknown attendees were skipped.
    AttendeesUnavailableOrUnknown,
    /// The required organizer can never come.
    OrganizerUnavailable,
    /// No attendee is the cause: the search has no time.
    Unknown,
    /// No room is free. Reserved.
    LocationsUnavailable,
}

/// The facts about a search that found nothing.
#[derive(Clone, Debug, Default)]
pub struct EmptySearch<'a> {
    /// The starts, or quarters, that were searched.
    pub starts: usize,
    /// Minutes of the meeting, if the search is for one.
    pub duration: Option<usize>,
    /// The number of known attendees.
    pub known: usize,
    /// The number of required attendees among them.
    pub required: usize,
    /// The number of unknown attendees, who were skipped.
    pub unknown: usize,
    /// How many attendees must be able to come.
    pub quorum: Option<usize>,
    /// The organizer, if the meeting needs them and they can never come.
    pub absent_organizer: Option<&'a str>,
    /// The required attendees who are never free.
    pub never_free: Vec<&'a str>,
    /// Minutes of the longest time that all required attendees share.
    pub longest_common: usize,
}

impl EmptySearch<'_> {
    /// Why nothing was found.
    pub fn explain(&self) -> (EmptyCode, String) {
        use EmptyCode::{AttendeesUnavailable, AttendeesUnavailableOrUnknown, OrganizerUnavailable, Unknown};
        let (starts, all) = (self.starts, self.known + self.unknown);
        match (self.absent_organizer, self.quorum) {
            _ if starts == 0 => (Unknown, self.no_start()),
            (Some(organizer), _) => (
                OrganizerUnavailable,
                format!("the organizer, {organizer}, cannot come at any of the {starts} possible starts"),
            ),
            _ if self.known == 0 => (AttendeesUnavailableOrUnknown, "none of the attendees is known".to_owned()),
            (None, Some(quorum)) if self.unknown > 0 => {
                let unknown = unknown_attendees(self.unknown);
                (
                    AttendeesUnavailableOrUnknown,
                    format!("{quorum} of {all} attendees can never come at once; {unknown}"),
                )
            }
            (None, Some(quorum)) => {
                let and = if self.required > 0 { "all required attendees, and " } else { "" };
                (AttendeesUnavailable, format!("at no time can {and}at least {quorum} of {all} attendees come"))
            }
            (None, None) => (AttendeesUnavailable, self.required_unavailable()),
        }
    }

    fn no_start(&self) -> String {
        match self.duration {
            Some(minutes) => format!("the searched time has no start for a meeting of {minutes} minutes"),
            None => "the searched dates contain no time: the clocks skip them".to_owned(),
        }
    }

    fn required_unavailable(&self) -> String {
        let all = if self.required < self.known { "all required attendees" } else { "all attendees" };
        match (self.never_free.as_slice(), self.duration, self.longest_common) {
            ([one], ..) => format!("{one} is never free in the searched time"),
            ([_, ..], ..) => format!("{} are never free in the searched time", list_names(&self.never_free)),
            _ if self.required == 0 => "no attendee is free for that long".to_owned(),
            (_, _, 0) | (_, None, _) => format!("{all} are free at some time, but never at the same time"),
            (_, Some(asked), longest) if longest < asked => {
                format!("the longest time that {all} share is {longest} minutes, and the meeting needs {asked}")
            }
            _ => format!("the time that {all} share has no start on a multiple of step_minutes"),
        }
    }
}

/// `1 of them is unknown`.
pub fn unknown_attendees(count: usize) -> String {
    format!("{count} of them {} unknown", if count == 1 { "is" } else { "are" })
}

/// The first names of a list, separated by commas.
pub fn list_names(names: &[&str]) -> String {
    let more = if names.len() > MAX_NAMES { " and more" } else { "" };
    format!("{}{more}", names[..names.len().min(MAX_NAMES)].join(", "))
}
