//! The OpenAPI schemas of the older API.

#![expect(dead_code, reason = "types of the API, which are read and written by hand")]

use jiff::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{ChangedWeek, GivenWeek, Week};

/// A user, as the reference has it.
#[derive(ToSchema)]
pub struct ReferenceUser {
    email: Email,
    /// Hours that are wholly free.
    availabilities: Week,
    preferences: Preference,
    created_at: Timestamp,
}

/// A user to be made, as the reference has it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReferenceUser {
    email: Email,
    /// The local part of the address if left out.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    preferences: Option<Preference>,
    availabilities: Option<GivenWeek>,
}

/// What of a user to replace, as the reference has it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceUserPatch {
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    preferences: Option<Preference>,
    availabilities: Option<ChangedWeek>,
}

/// Who is looked up.
#[derive(IntoParams)]
#[into_params(rename_all = "lowercase")]
pub struct One {
    #[param(example = "ana@example.com")]
    user1email: Email,
}

/// Two who want to meet.
#[derive(IntoParams)]
#[into_params(rename_all = "camelCase")]
pub struct Two {
    #[param(example = "ana@example.com")]
    user_id1: Email,
    #[param(example = "emre@example.com")]
    user_id2: Email,
    #[param(inline)]
    preference: Option<Preference>,
}

/// When two can meet.
#[derive(ToSchema)]
pub struct ReferenceCommon {
    /// Hours that are wholly free.
    common_availabilities: Week,
    user1preference: Preference,
    user2preference: Preference,
}

/// Hours in which two could meet.
#[derive(ToSchema)]
pub struct ReferenceSuggestions {
    case_id: String,
    suggestions: Vec<ReferenceSlot>,
}

/// An hour.
#[derive(ToSchema)]
pub struct ReferenceSlot {
    day: String,
    /// The hours at which it begins and ends.
    #[schema(min_items = 2, max_items = 2)]
    slot: Vec<u32>,
}

/// Two who are to meet.
#[derive(ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReferenceTask {
    user_id1: Email,
    user_id2: Email,
    preference: Option<Preference>,
}

/// A meeting that was accepted.
#[derive(ToSchema)]
pub struct ReferenceAccepted {
    case_id: String,
    status: String,
    job_id: String,
    queue: String,
    meeting_id: String,
}

/// An error.
#[derive(ToSchema)]
pub struct ReferenceError {
    case_id: String,
    detail: Vec<ReferenceFault>,
}

/// One fault.
#[derive(ToSchema)]
pub struct ReferenceFault {
    /// Steps that lead to it: names, and places in lists.
    #[schema(value_type = Vec<ReferenceStep>)]
    loc: Vec<ReferenceStep>,
    msg: String,
    r#type: String,
}

/// A step towards a fault.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ReferenceStep {
    /// A member.
    Name(String),
    /// An item.
    Place(u64),
}
