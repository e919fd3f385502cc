//! Jobs: what workers do in the background.

use jiff::Timestamp;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::http::openapi::schemas::{Id, Paged};
use crate::platform::http::openapi::{ApiOperation, get, post};
use crate::platform::http::problem::{JOB_NOT_YOURS, NOT_FOUND, UNAUTHORIZED, UNKNOWN_JOB};
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

fn of_job(op: ApiOperation) -> ApiOperation {
    op.path::<Id>("id", "Which.", None).refuses(&[NOT_FOUND, UNKNOWN_JOB])
}

pub fn paths() -> Vec<ApiOperation> {
    vec![
        get("/api/jobs", "list_jobs", "Lists jobs, in the order of creation.")
            .query::<Which>()
            .query::<Paged>()
            .answers::<Jobs>(200, "A page")
            .sends("Link", "The next page, as `rel=\"next\"`; left out on the last."),
        of_job(get("/api/jobs/{id}", "find_job", "Reads a job.")).answers::<Job>(200, "The job"),
        of_job(post("/api/jobs/{id}/retry", "retry_job", "Takes a job up again that was given up, or waits."))
            .answers::<Job>(202, "It is queued")
            .refuses(&[JOB_NOT_YOURS]),
        of_job(post("/api/callbacks/jobs/{id}", "finish_job", "Takes a worker's report, under its job's own token."))
            .takes::<JobReport>(None)
            .answer(204, "Noted")
            .refuses(&[UNAUTHORIZED, JOB_NOT_YOURS]),
    ]
}
