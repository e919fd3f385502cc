//! The OpenAPI schemas of the requests about jobs.

use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::jobs::api::DeliveryRecord;
use crate::platform::jobs::model::JobState;
use crate::roles::reservation::api::jobs::JobResult;
use crate::roles::user::api::openapi::jobs::Job;

/// A page of jobs, in the order of creation.
#[derive(ToSchema)]
pub struct Jobs {
    jobs: Vec<Job>,
}

/// The jobs to list.
#[derive(ToSchema)]
pub struct JobListQuery {
    /// Only jobs in this state.
    pub state: Option<JobState>,
    /// Only jobs for this meeting.
    pub meeting_id: Option<Uuid>,
}

/// The report of an attempt that succeeded.
#[derive(ToSchema)]
pub struct JobReport {
    /// The attempt.
    attempt: i32,
    result: JobResult,
    /// The deliveries that the attempt made.
    #[schema(required = false)]
    notes: Vec<DeliveryRecord>,
}
