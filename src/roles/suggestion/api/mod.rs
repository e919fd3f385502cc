//! What other roles see of the suggestion role: its name and its wire types.

pub mod openapi;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;
use crate::roles::availability::api::GroupDetail;

/// Its name in the table of roles.
pub const ROLE: &str = "suggestion";

/// Asks to rank what availability has found already.
#[derive(Debug, Serialize)]
pub struct Ranking<'a> {
    /// Everybody's time.
    pub detail: &'a GroupDetail,
    /// How long.
    pub duration_minutes: u32,
    /// How to pick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pick: Option<Preference>,
    /// What random draws come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A client of the suggestion role.
#[derive(Clone)]
pub struct SuggestionClient(Peer);

impl SuggestionClient {
    /// For one worker thread.
    pub fn new(context: &Context) -> SuggestionClient {
        SuggestionClient(Peer::new(context, ROLE))
    }

    /// Ranks what availability has found.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn rank(&self, ranking: &Ranking<'_>) -> Result<Suggestions, Problem> {
        self.0.call(RpcRequest::ask("/suggestions", ranking)?).await
    }
}

/// The answer to a request for suggestions. Who writes it lends the addresses (`E` is a reference); who reads it owns them.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suggestions<E = Email> {
    /// The best first.
    #[schema(value_type = Vec<Suggestion>)]
    pub suggestions: Vec<Suggestion<E>>,
    /// Why there are none.
    pub empty_reason: Option<EmptyReason>,
    /// How slots were picked; none when the attendees' preferences differ and each picked one.
    pub pick: Option<Cow<'static, str>>,
    /// What random draws came from; the same seed draws the same.
    pub seed: Option<u64>,
    /// Changes when the same data may give another answer.
    pub algorithm_version: u32,
    /// The same for the same users with the same weeks and busy times.
    pub data_version: String,
}

/// A proposed slot.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Suggestion<E = Email> {
    /// From 1.
    pub rank: usize,
    /// The day of the typical week; left out in a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Cow<'static, str>>,
    /// `HH:MM`, or an instant in a window.
    pub start: String,
    /// As `start`; `24:00` at the end of a day.
    pub end: String,
    /// What everybody's own clock shows, one row for each zone, in the order of the attendees.
    #[serde(default = "Vec::new")]
    #[schema(value_type = Vec<Local>, required = true)]
    pub local: Vec<Local<E>>,
    /// Who is free throughout.
    pub free: Vec<E>,
    /// Who could, if it must be.
    pub if_needed: Vec<E>,
    /// Who cannot.
    pub busy: Vec<E>,
    /// Who is not known.
    pub unknown: Vec<E>,
    /// The sum of the factors; comparable within one answer.
    pub score: u64,
    /// What the score is made of, the weightiest first.
    pub factors: Vec<Factor>,
    /// A sentence for people.
    pub reason: String,
}

/// A slot on the clock of one zone.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Local<E = Email> {
    /// The zone.
    pub time_zone: Cow<'static, str>,
    /// The day on which it starts there, in the typical week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Cow<'static, str>>,
    /// As the slot's.
    pub start: String,
    /// As the slot's.
    pub end: String,
    /// Whose clock it is.
    pub attendees: Vec<E>,
}

/// A part of a score.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Factor {
    /// What it is for.
    pub name: Cow<'static, str>,
    /// What it adds.
    pub value: u64,
}

/// Why there is no suggestion.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EmptyReason {
    /// One of Microsoft Graph's five, in snake_case.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub detail: String,
    /// Who stands in the way of how much, the worst first.
    pub blocking: Vec<Blocker>,
    /// The slots that fail by the fewest.
    pub nearest: Vec<NearMiss>,
    /// What to ask for instead, each with what it yields.
    pub relaxations: Vec<Relaxation>,
}

/// One who stands in the way.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Blocker {
    /// Who.
    pub email: Email,
    /// To how many of the starting times they cannot come.
    pub slots: usize,
    /// To how many of them everybody else can.
    pub alone: usize,
}

/// A slot to which not enough can come.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NearMiss {
    /// As a suggestion's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Cow<'static, str>>,
    /// As a suggestion's.
    pub start: String,
    /// As a suggestion's.
    pub end: String,
    /// Who cannot come.
    pub missing: Vec<Email>,
}

/// A change of the request that gives suggestions.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Relaxation {
    /// What is given up.
    pub kind: Cow<'static, str>,
    /// A sentence for people.
    pub detail: String,
    /// The fields of the request to change; null leaves one out.
    pub change: Value,
    /// How many starting times there are then.
    pub slots: usize,
}
