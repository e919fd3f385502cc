//! The suggestion role as other roles see it: its name, its wire types, and a client.

#[expect(dead_code, reason = "the fields of requests are parsed one by one")]
pub mod openapi;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calendar::{EmptyCode, Preference};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;
use crate::roles::availability::api::GroupDetail;

/// The name in the table of roles.
pub const ROLE: &str = "suggestion";

/// A request to rank the answer of availability, which the caller has already. The caller lends it (`D` is a reference).
#[derive(Debug, Serialize, Deserialize)]
pub struct RankRequest<D = GroupDetail> {
    /// The availability of the group.
    pub detail: D,
    /// The length of the meeting.
    pub duration_minutes: u32,
    /// How to pick; the attendees' preferences decide if it is absent.
    pub pick: Option<Preference>,
    /// The seed of random picks.
    pub seed: Option<u64>,
    /// Slots start on multiples of these minutes.
    pub step_minutes: u32,
    /// The organizer, so that an empty answer can say what the organizer may change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organizer: Option<Email>,
}

/// A client of the suggestion role.
#[derive(Clone)]
pub struct SuggestionClient(Peer);

impl SuggestionClient {
    /// A client for one worker thread.
    pub fn new(context: &Context) -> SuggestionClient {
        SuggestionClient(Peer::new(context, ROLE))
    }

    /// Ranks the slots of a group.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn rank(&self, request: &RankRequest<&GroupDetail>) -> Result<Suggestions, Problem> {
        self.0.call(RpcRequest::query_by_post("/internal/suggestions/rank", request)?).await
    }
}

/// The answer to a request for suggestions. The role borrows the addresses (`E` is a reference); a client of the role owns them.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suggestions<E = Email> {
    /// The suggestions, the best first.
    #[schema(value_type = Vec<Suggestion>)]
    pub suggestions: Vec<Suggestion<E>>,
    /// Why there are no suggestions.
    pub empty_reason: Option<EmptyReason>,
    /// How slots were picked; null if the attendees' preferences differ, and each preference picked one slot.
    pub pick: Option<Cow<'static, str>>,
    /// The seed of random picks; the same seed picks the same slots.
    pub seed: Option<u64>,
    /// The version of the ranking; it grows when the same data may give another answer.
    pub algorithm_version: u32,
    /// The version of the data: the same for the same users with the same weeks and busy times.
    pub data_version: String,
}

/// A proposed slot.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suggestion<E = Email> {
    /// The rank, from 1.
    pub rank: usize,
    /// The day of the typical week; absent in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Cow<'static, str>>,
    /// The start: `HH:MM`, or an instant in a window.
    pub start: String,
    /// The end, written like `start`; `24:00` is the end of a day.
    pub end: String,
    /// The slot in each time zone of the attendees.
    #[serde(default = "Vec::new")]
    #[schema(value_type = Vec<Local>, required = true)]
    pub local: Vec<Local<E>>,
    /// The attendees who are free throughout.
    pub free: Vec<E>,
    /// The attendees who can come, but prefer not to.
    pub if_needed: Vec<E>,
    /// The attendees who cannot come.
    pub busy: Vec<E>,
    /// The attendees who are unknown.
    pub unknown: Vec<E>,
    /// The score: the sum of the factors, comparable within one answer.
    pub score: u64,
    /// The terms of the score, the weightiest first.
    pub factors: Vec<Factor>,
    /// Why the slot was picked, as a sentence.
    pub reason: String,
}

/// A slot in one time zone.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Local<E = Email> {
    /// The time zone.
    pub time_zone: Cow<'static, str>,
    /// The day on which the slot starts there, in the typical week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Cow<'static, str>>,
    /// The start there.
    pub start: String,
    /// The end there.
    pub end: String,
    /// The attendees of this time zone.
    pub attendees: Vec<E>,
}

/// One term of a score.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Factor {
    /// The name of the term.
    pub name: Cow<'static, str>,
    /// The value that it adds.
    pub value: u64,
}

/// Why there is no suggestion.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EmptyReason {
    /// The code: a reason of Microsoft Graph, in snake_case.
    pub code: EmptyCode,
    /// The reason as a sentence.
    pub detail: String,
    /// The attendees who block starts, the worst first.
    pub blocking: Vec<Blocker>,
    /// The slots that lack the fewest attendees.
    pub nearest: Vec<NearMiss>,
    /// Changes of the request that give suggestions.
    pub relaxations: Vec<Relaxation>,
}

/// An attendee who blocks starts.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Blocker {
    /// The attendee.
    pub email: Email,
    /// The number of starts at which the attendee cannot come.
    pub slots: usize,
    /// The number of those starts that are possible without this attendee.
    pub alone: usize,
}

/// A slot to which too few attendees can come.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NearMiss {
    /// The day, as in a suggestion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Cow<'static, str>>,
    /// The start, as in a suggestion.
    pub start: String,
    /// The end, as in a suggestion.
    pub end: String,
    /// The attendees who cannot come.
    pub missing: Vec<Email>,
}

/// A change of the request that gives suggestions.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Relaxation {
    /// The kind of change.
    pub kind: Cow<'static, str>,
    /// The change and its effect, as a sentence.
    pub detail: String,
    /// The fields of the request to change; null removes one.
    pub change: Value,
    /// The number of possible starts after the change.
    pub slots: usize,
}
