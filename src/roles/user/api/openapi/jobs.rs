//! The OpenAPI schema of a job.

use jiff::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::jobs::model::{AttemptError, JobState};

/// Work in the background.
#[derive(ToSchema)]
pub struct Job {
    id: Uuid,
    kind: JobKind,
    /// The meeting that the job is for; null for jobs of an account, a calendar or a webhook.
    meeting_id: Option<Uuid>,
    state: JobState,
    attempt: i32,
    max_attempts: i32,
    next_attempt_at: Option<Timestamp>,
    /// The errors of the last ten failed attempts.
    errors: Vec<AttemptError>,
    case_id: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// What is to be done.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum JobKind {
    /// Find the time of a meeting.
    ScheduleMeeting,
    /// Mail invitations to attendees.
    SendInvitations,
    /// Mail a notice to the organizer of a meeting.
    SendNotice,
    /// Report a meeting to its callback URL.
    DeliverWebhook,
    /// Send an event to a webhook of an account.
    DeliverEvent,
    /// Fetch a subscribed calendar.
    RefreshCalendar,
    /// Mail a user about their account.
    #[schema(rename = "send_letter")]
    SendAccountMail,
}
