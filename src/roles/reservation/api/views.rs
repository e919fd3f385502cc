//! What callers read of meetings.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::meetings::{Actor, Attendee, Status, StatusChange};
use crate::calendar::{Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::window::Window;
use crate::platform::jobs::api::DeliveryOutcome;
use crate::roles::user::api::openapi::jobs::{Job, JobKind};

/// A meeting, as callers read it.
#[derive(Serialize, ToSchema)]
#[schema(as = Meeting)]
pub struct MeetingView<'a> {
    /// The id.
    pub id: Uuid,
    /// The state.
    pub status: Status,
    /// The title.
    pub title: &'a str,
    /// The place.
    pub location: Option<&'a str>,
    /// The description, perhaps in several lines.
    pub description: Option<&'a str>,
    /// The URL of the video conference.
    pub url: Option<&'a str>,
    /// The user who calls it, and comes too.
    pub organizer: &'a Email,
    /// All attendees.
    pub attendees: &'a [Attendee],
    /// The required attendees who have declined; the meeting does not move by itself.
    pub declined: Vec<&'a Email>,
    /// The duration.
    pub duration_minutes: u32,
    /// The rule that picks the slot.
    pub pick: Option<Preference>,
    /// The seed of random picks.
    pub seed: Option<u64>,
    /// The search looks at starts on multiples of these minutes on the clock of `time_zone`.
    pub step_minutes: u32,
    /// The zone of the dates, and of the start and the end.
    pub time_zone: &'a Zone,
    /// The dates searched, if they were given.
    pub window: Option<Window>,
    /// On the clock of `time_zone`.
    #[schema(format = DateTime)]
    pub start: Option<String>,
    /// On the clock of `time_zone`.
    #[schema(format = DateTime)]
    pub end: Option<String>,
    /// Why it is as it is.
    pub reason: Option<&'a str>,
    /// The URL that is told of changes; null for everybody but the organizer.
    pub callback_url: Option<&'a str>,
    /// Which revision the attendees are told (RFC 5545, SEQUENCE).
    pub sequence: i64,
    /// What it was before.
    pub history: &'a [StatusChange],
    /// The bot that made the last change, if a bot did.
    pub actor: Option<&'a Actor>,
    /// Grows with every change; the `ETag`.
    #[schema(minimum = 1)]
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A meeting that was accepted.
#[derive(Serialize, ToSchema)]
pub struct AcceptedMeeting<'a> {
    /// The meeting.
    #[serde(flatten)]
    pub meeting: MeetingView<'a>,
    /// The secret that signs callbacks. No other response contains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub callback_secret: Option<&'a str>,
    /// The job that looks for the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub job_id: Option<Uuid>,
}

/// A page of meetings, in the order of creation.
#[derive(Serialize, ToSchema)]
pub struct Meetings<'a> {
    /// The meetings.
    pub meetings: Vec<MeetingView<'a>>,
}

/// Every attempt to deliver an invitation or a callback, and the jobs that made them.
#[derive(Serialize, ToSchema)]
pub struct Deliveries<'a> {
    /// The attempts, the oldest first.
    pub deliveries: Vec<Delivery<'a>>,
    /// The jobs.
    #[schema(value_type = Vec<Job>)]
    pub jobs: Vec<Value>,
}

/// An attempt to deliver an invitation or a callback.
#[derive(Serialize, ToSchema)]
pub struct Delivery<'a> {
    /// The id.
    #[schema(value_type = Uuid)]
    pub id: &'a str,
    /// The job that made the attempt.
    #[schema(value_type = Uuid)]
    pub job_id: &'a str,
    /// The kind of the job.
    #[schema(value_type = JobKind)]
    pub kind: &'a str,
    /// A mailbox or a URL.
    pub target: &'a str,
    /// The attempt of the job.
    pub attempt: i32,
    /// How it ended.
    #[schema(value_type = DeliveryOutcome)]
    pub outcome: &'a str,
    /// What was answered.
    pub detail: &'a str,
    /// When it ended.
    #[schema(value_type = Timestamp)]
    pub at: Option<Timestamp>,
}
