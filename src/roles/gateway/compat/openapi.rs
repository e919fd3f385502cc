//! The OpenAPI schemas of the legacy API.

#![expect(dead_code, reason = "types of the API, which the handlers parse and write without serde")]

use jiff::Timestamp;
use utoipa::ToSchema;

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{ChangedWeek, GivenWeek, Week};

/// A user.
#[derive(ToSchema)]
pub struct ReferenceUser {
    email: Email,
    /// Hours that are wholly free.
    availabilities: Week,
    preferences: Preference,
    created_at: Timestamp,
}

/// A new user.
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

/// The fields of a user to replace.
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

/// The user to find.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub struct UserQuery {
    #[schema(value_type = String, format = "idn-email", example = "ana@example.com")]
    user1email: Email,
}

/// Two users, and the preference.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct TwoUsersQuery {
    #[schema(value_type = String, format = "idn-email", example = "ana@example.com")]
    user_id1: Email,
    #[schema(value_type = String, format = "idn-email", example = "emre@example.com")]
    user_id2: Email,
    preference: Option<Preference>,
}

/// The common free time of two users.
#[derive(ToSchema)]
pub struct ReferenceCommon {
    /// Hours that are wholly free.
    common_availabilities: Week,
    user1preference: Preference,
    user2preference: Preference,
}

/// Hours in which two users could meet.
#[derive(ToSchema)]
pub struct ReferenceSuggestions {
    case_id: String,
    suggestions: Vec<ReferenceSlot>,
}

/// An hour.
#[derive(ToSchema)]
pub struct ReferenceSlot {
    day: String,
    /// The hours of its start and its end.
    #[schema(min_items = 2, max_items = 2)]
    slot: Vec<u32>,
}

/// A meeting of two users to arrange.
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
    /// The path to the invalid value: names, and indexes in lists.
    #[schema(value_type = Vec<ReferenceStep>)]
    loc: Vec<ReferenceStep>,
    msg: String,
    r#type: String,
}

/// A segment of the path to an invalid value.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ReferenceStep {
    /// A member.
    Name(String),
    /// An item.
    Index(u64),
}
