//! Meetings as other roles see them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calendar::Preference;
pub use crate::calendar::{Attendance, Participation};
use crate::platform::email::Email;
use crate::platform::endpoint::Tag;
use crate::platform::http::idempotency::IdempotencyKey;
pub use crate::roles::user::api::Period;

/// The group of meetings in the OpenAPI document.
pub const MEETINGS: Tag =
    Tag { name: "meetings", about: "Arranges meetings: finds the time, invites, and reports what happens." };

/// Where a meeting stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = MeetingStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted; nobody has begun to look for a time.
    Queued,
    /// A time is being looked for.
    Running,
    /// A time was found, and the attendees are held for it.
    Suggested,
    /// The invitations are out.
    Invited,
    /// There is none.
    NoCommonTime,
    /// It could not be arranged.
    Failed,
    /// Called off.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 7] = [
        Status::Queued,
        Status::Running,
        Status::Suggested,
        Status::Invited,
        Status::NoCommonTime,
        Status::Failed,
        Status::Cancelled,
    ];

    /// The name, as JSON and routing keys have it.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Suggested => "suggested",
            Status::Invited => "invited",
            Status::NoCommonTime => "no_common_time",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    /// Whether its attendees are held for its time.
    pub const fn holds(self) -> bool {
        matches!(self, Status::Suggested | Status::Invited)
    }

    /// Whether nothing more happens to it by itself.
    pub const fn is_over(self) -> bool {
        matches!(self, Status::Invited | Status::NoCommonTime | Status::Failed | Status::Cancelled)
    }
}

/// One who is asked to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Attendee {
    /// Who.
    pub email: Email,
    /// Whether it must be.
    pub attendance: Attendance,
    /// What they say.
    pub participation: Participation,
}

/// The bot that has acted on behalf of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Actor {
    /// The bot's account.
    pub email: Email,
    /// The name of its API key.
    pub key: String,
    /// The user.
    pub on_behalf_of: Email,
}

/// A state that a meeting was in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StatusChange {
    /// The state.
    pub status: Status,
    /// Since when.
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The bot that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

/// A meeting that suggestion has found the time for already.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScheduledMeeting {
    /// Who calls it; the first attendee when nobody is named.
    pub organizer: Option<Email>,
    /// Who comes, each once.
    pub attendees: Vec<Email>,
    /// Who of them need not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<Email>,
    /// What it is called.
    pub title: Option<String>,
    /// How the slot was picked.
    pub pick: Option<Preference>,
    /// The zone in which people read the time.
    pub time_zone: String,
    /// When it is.
    pub period: Period,
    /// Why then.
    pub reason: String,
    /// What the caller is answered; the meeting comes in as `meeting`.
    pub answer: Value,
    /// The caller's Idempotency-Key, if there is one.
    pub key: Option<IdempotencyKey>,
}
