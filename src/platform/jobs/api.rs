//! The wire types of jobs, and the client with which the worker and the gateway call a role that owns jobs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::sleep;
use uuid::Uuid;

use super::model::JobState;
use crate::platform::http::problem::Problem;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// A message in the queue. It names the job and its owner; the worker gets the payload when it starts the job there.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobMessage {
    /// The job.
    pub job_id: Uuid,
    /// The role that owns the job.
    pub owner: String,
}

/// A job that was started. The payload is what the worker's handler of its kind reads.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobLease<P = RawPayload> {
    /// The job.
    pub job_id: Uuid,
    /// What the job is for: the meeting, the calendar or the code.
    pub subject_id: Uuid,
    /// The attempt, from 1. Reports of an earlier attempt are refused.
    pub attempt: i32,
    /// The token that authorizes the report of success.
    pub token: String,
    /// The id of the request that caused the job.
    pub case_id: String,
    /// The kind of the job, and its input.
    pub work: P,
}

/// A payload as the worker receives it: each kind of job has a handler, which knows the fields.
#[derive(Debug, Deserialize)]
pub struct RawPayload {
    /// The kind of the job.
    pub kind: String,
    /// The input of the handler.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// The result of one delivery to one recipient.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeliveryRecord {
    /// An e-mail address or a URL.
    pub target: String,
    /// How the delivery ended.
    pub outcome: DeliveryOutcome,
    /// What the recipient's server said.
    pub detail: String,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The recipient took it.
    Delivered,
    /// The recipient refused it for good.
    Refused,
    /// It failed for now; a later attempt may succeed.
    Failed,
}

impl DeliveryOutcome {
    /// The name, as JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            DeliveryOutcome::Delivered => "delivered",
            DeliveryOutcome::Refused => "refused",
            DeliveryOutcome::Failed => "failed",
        }
    }
}

/// The report of an attempt that succeeded.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobReport<R> {
    /// The attempt.
    pub attempt: i32,
    /// The result, as the owner of the kind reads it.
    pub result: R,
    /// The deliveries that the attempt made.
    #[serde(default)]
    pub notes: Vec<DeliveryRecord>,
}

/// The report of an attempt that failed.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttemptFailure {
    /// The attempt.
    pub attempt: i32,
    /// What to do with the job.
    pub decision: RetryDecision,
    /// What went wrong, as a sentence.
    pub error: String,
    /// The deliveries that the attempt made before it failed.
    #[serde(default)]
    pub notes: Vec<DeliveryRecord>,
}

/// What the owner does with a job after a failed attempt.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "then")]
pub enum RetryDecision {
    /// Retry after the backoff of its kind.
    Retry {
        /// Seconds that the recipient asked to wait.
        retry_after: Option<u64>,
        /// Whether the recipient was too slow, or limited the rate.
        slow: bool,
    },
    /// Start again soon; this attempt does not count.
    Snooze,
    /// Give up: no attempt can succeed.
    Discard,
    /// Cancel: the recipient wants no more of this.
    Cancel,
}

/// Which jobs are listed, in the order of their creation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct JobFilter {
    /// Those in this state; all if left out.
    pub state: Option<JobState>,
    /// Those about this; all if left out.
    pub subject: Option<Uuid>,
    /// After the one with this id; from the first if left out.
    pub after: Option<Uuid>,
    /// So many at most.
    pub limit: i64,
}

/// A client of one role that owns jobs.
pub struct JobClient(Peer);

impl JobClient {
    /// A client of `owner`.
    pub fn new(owner: Peer) -> JobClient {
        JobClient(owner)
    }

    /// One client for each owner in the table of roles, by its name.
    pub fn all(context: &Context) -> BTreeMap<&'static str, JobClient> {
        let owners = context.roles.iter().filter(|role| role.owns_data());
        owners.map(|role| (role.name, JobClient(Peer::new(context, role.name)))).collect()
    }

    /// A page of jobs, as administrators read them.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn list(&self, filter: &JobFilter) -> Result<Vec<Value>, Problem> {
        self.0.call(RpcRequest::query_by_post("/internal/jobs/lookup", filter)?).await
    }

    /// A job, as administrators read it.
    ///
    /// # Errors
    /// 404 for an unknown job; what [`Peer::call`] says.
    pub async fn find(&self, job: Uuid) -> Result<Value, Problem> {
        self.0.call(RpcRequest::get(format!("/internal/jobs/{job}"))).await
    }

    /// Retries a job for an administrator.
    ///
    /// # Errors
    /// 404 for an unknown job, 409 for one that cannot be retried; what [`Peer::call`] says.
    pub async fn retry(&self, job: Uuid) -> Result<Value, Problem> {
        self.0.call(RpcRequest::new(Method::POST, format!("/internal/jobs/{job}/retry"))).await
    }

    /// Passes on a report of success, with the authorization of the current request.
    ///
    /// # Errors
    /// 404 for an unknown job, 401 for another token, 409 for another attempt; what [`Peer::call`] says.
    pub async fn pass_report(&self, job: Uuid, report: &Value) -> Result<(), Problem> {
        self.0.call_no_content(&RpcRequest::new(Method::POST, finish_path(job)).json(report)?).await
    }

    /// Starts a job, as its next attempt.
    ///
    /// # Errors
    /// 404 for an unknown job, 409 for a job that has ended or is not due; what [`Peer::call`] says.
    pub async fn start(&self, job: Uuid) -> Result<JobLease, Problem> {
        self.0.call(RpcRequest::new(Method::POST, format!("/internal/jobs/{job}/start"))).await
    }

    /// Reports success.
    ///
    /// # Errors
    /// 409 when another attempt was started, or the owner refuses the result; what [`Peer::call`] says.
    pub async fn finish<R: Serialize>(&self, lease: &JobLease, report: &JobReport<R>) -> Result<(), Problem> {
        let request = RpcRequest::new(Method::POST, finish_path(lease.job_id)).json(report)?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", lease.token)).map_err(Problem::internal)?;
        // safe to repeat: an attempt ends once
        self.deliver_report(&request.bearer(bearer).idempotent()).await
    }

    /// Reports success with a result of the owner's own, at its endpoint `/internal/jobs/{id}/{what}`.
    ///
    /// # Errors
    /// 409 when another attempt was started; what [`Peer::call`] says.
    pub async fn finish_with<R: Serialize>(&self, job: Uuid, what: &str, result: &R) -> Result<(), Problem> {
        self.deliver_report(&RpcRequest::query_by_post(format!("/internal/jobs/{job}/{what}"), result)?).await
    }

    /// Reports that an attempt failed.
    ///
    /// # Errors
    /// 409 when another attempt was started; what [`Peer::call`] says.
    pub async fn fail(&self, job: Uuid, failure: &AttemptFailure) -> Result<(), Problem> {
        self.deliver_report(&RpcRequest::query_by_post(format!("/internal/jobs/{job}/fail"), failure)?).await
    }

    /// Repeats a report while the owner is unavailable: without it, finished work would be done again.
    async fn deliver_report(&self, request: &RpcRequest) -> Result<(), Problem> {
        let (begin, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            match self.0.call_no_content(request).await {
                Err(problem) if problem.kind.status >= 502 && begin.elapsed() < REPORT_TIMEOUT => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => return other,
            }
        }
    }
}

fn finish_path(job: Uuid) -> String {
    format!("/internal/jobs/{job}/finish")
}

/// How long a report is repeated: longer than a role takes to restart.
const REPORT_TIMEOUT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
