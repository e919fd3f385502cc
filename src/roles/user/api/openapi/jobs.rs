//! Jobs: what workers do in the background.

use jiff::Timestamp;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::roles::user::api::jobs::{DeliveryRecord, JobResult};

/// Something to be done in the background.
#[derive(ToSchema)]
pub struct Job {
    id: Uuid,
    kind: JobKind,
    /// What it is for, unless it is for a calendar.
    meeting_id: Option<Uuid>,
    state: JobState,
    attempt: i32,
    max_attempts: i32,
    next_attempt_at: Option<Timestamp>,
    /// What went wrong, attempt by attempt; the last ten.
    errors: Vec<Mishap>,
    case_id: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Why an attempt failed.
#[derive(ToSchema)]
pub struct Mishap {
    attempt: i32,
    at: Timestamp,
    error: String,
}

/// What is to be done.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum JobKind {
    /// Find a time.
    ScheduleMeeting,
    /// Writing to all who are asked to come.
    SendInvitations,
    /// Telling a callback.
    DeliverWebhook,
    /// Looking at a subscribed calendar.
    RefreshCalendar,
    /// Writing to somebody about their account.
    SendLetter,
}

/// Where a job stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum JobState {
    /// Nobody has begun.
    Queued,
    /// At a worker.
    Running,
    /// Waits for its next attempt.
    Retryable,
    /// Done.
    Succeeded,
    /// Given up.
    Dead,
    /// Not wanted any more.
    Cancelled,
}

/// A page of jobs, in the order of creation.
#[derive(ToSchema)]
pub struct Jobs {
    jobs: Vec<Job>,
}

/// Which jobs are listed.
#[derive(IntoParams)]
pub struct Which {
    /// Only those in this state.
    #[param(inline)]
    pub state: Option<JobState>,
    /// Only those for this meeting.
    pub meeting_id: Option<Uuid>,
}

/// What came of an attempt, as its worker reports it.
#[derive(ToSchema)]
pub struct JobReport {
    /// Which attempt.
    attempt: i32,
    result: JobResult,
    /// Whom it reached.
    #[schema(required = false)]
    notes: Vec<DeliveryRecord>,
}
