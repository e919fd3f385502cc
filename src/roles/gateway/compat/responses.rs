//! The responses of the legacy API.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::Week;

/// A user. It is read from a user of the API with `format=hours`.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ReferenceUser {
    pub email: Email,
    /// Hours that are wholly free.
    #[serde(alias = "availability")]
    #[schema(value_type = Week)]
    pub availabilities: Value,
    #[serde(alias = "preference")]
    pub preferences: Preference,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// The legacy API does not show it.
    #[serde(skip_serializing)]
    #[schema(ignore)]
    pub name: String,
}

/// The common free time of two users.
#[derive(Serialize, ToSchema)]
pub struct ReferenceCommon {
    /// Hours that are wholly free.
    #[schema(value_type = Week)]
    pub common_availabilities: Value,
    #[schema(value_type = Preference)]
    pub user1preference: Value,
    #[schema(value_type = Preference)]
    pub user2preference: Value,
}

/// Hours in which two users could meet.
#[derive(Serialize, ToSchema)]
pub struct ReferenceSuggestions {
    pub case_id: String,
    pub suggestions: Vec<ReferenceSlot>,
}

/// An hour.
#[derive(Serialize, ToSchema)]
pub struct ReferenceSlot {
    #[schema(value_type = String)]
    pub day: Option<Cow<'static, str>>,
    /// The hours of its start and its end.
    #[schema(value_type = Vec<u32>, min_items = 2, max_items = 2)]
    pub slot: [u32; 2],
}

/// A meeting that was accepted.
#[derive(Serialize, ToSchema)]
pub struct ReferenceAccepted<'a> {
    pub case_id: String,
    pub status: &'static str,
    #[schema(value_type = String)]
    pub job_id: &'a Value,
    pub queue: &'a str,
    #[schema(value_type = String)]
    pub meeting_id: &'a Value,
}

/// An error.
#[derive(Serialize, ToSchema)]
pub struct ReferenceError {
    pub case_id: String,
    pub detail: Vec<ReferenceFault>,
}

/// One fault.
#[derive(Serialize, ToSchema)]
pub struct ReferenceFault {
    /// The path to the invalid value: names, and indexes in lists.
    pub loc: Vec<ReferenceStep>,
    pub msg: String,
    pub r#type: String,
}

/// A segment of the path to an invalid value.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum ReferenceStep {
    /// A member.
    Name(String),
    /// An item.
    Index(u64),
}
