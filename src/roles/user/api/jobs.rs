//! What the owner of a job and the worker tell each other about it, and the worker's client for that.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::sleep;
use uuid::Uuid;

use super::calendars::{CalendarSubscription, RefreshReport};
use super::letters::AccountMail;
use super::meetings::Period;
use crate::calendar::{CalAddress, Invitee, Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::http::window::Window;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// A message in the queue. It names the job and its owner; the worker gets the payload when it starts the job there.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobMessage {
    /// The job.
    pub job_id: Uuid,
    /// The role that owns the job.
    #[serde(default = "default_owner")]
    pub owner: String,
}

fn default_owner() -> String {
    super::ROLE.to_owned()
}

/// A job that was started. Its owner writes a [`JobPayload`]; the worker reads a [`RawPayload`].
#[derive(Debug, Serialize, Deserialize)]
pub struct JobLease<P = JobPayload> {
    /// The job.
    pub job_id: Uuid,
    /// The meeting, calendar or code that the job is for.
    pub meeting_id: Uuid,
    /// The attempt, from 1. Reports of an earlier attempt are refused.
    pub attempt: i32,
    /// The token that authorizes the report of success.
    pub token: String,
    /// The id of the request that caused the job.
    pub case_id: String,
    /// The kind of the job, and its input.
    pub work: P,
}

/// The kinds of jobs, each with its input.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobPayload {
    /// Find a time for a meeting.
    ScheduleMeeting(ScheduleRequest),
    /// Mail invitations or cancellations to attendees.
    SendInvitations(InvitationMail),
    /// Report a meeting to the client's callback URL.
    DeliverWebhook(Webhook),
    /// Fetch a subscribed calendar.
    RefreshCalendar(CalendarSubscription),
    /// Mail a user about their account.
    SendLetter(AccountMail),
    /// A kind that this release does not know.
    Other,
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

/// A search for the time of a meeting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScheduleRequest {
    /// The required attendees.
    pub required: Vec<Email>,
    /// The optional attendees.
    pub optional: Vec<Email>,
    /// The zone of the dates.
    pub time_zone: Zone,
    /// The dates that are searched.
    pub window: Window,
    /// The meeting starts at this instant or later.
    pub not_before: Timestamp,
    /// The length of the meeting.
    pub duration_minutes: u32,
    /// Which slot to pick; the attendees' preferences decide if it is absent.
    pub pick: Option<Preference>,
    /// The seed of random picks.
    pub seed: Option<u64>,
    /// The requested time; if it is there, nothing is searched.
    pub fixed: Option<Period>,
}

/// An invitation, or a cancellation, and its recipients.
#[derive(Debug, Serialize, Deserialize)]
pub struct InvitationMail {
    /// Whether the meeting is cancelled.
    pub cancel: bool,
    /// The revision, which grows with every change that is mailed (RFC 5545, SEQUENCE).
    pub sequence: i64,
    /// The instant of this revision.
    pub stamp: Timestamp,
    /// The title of the meeting.
    pub title: String,
    /// The time of the meeting.
    pub period: Period,
    /// The organizer.
    pub organizer: CalAddress,
    /// All attendees.
    pub attendees: Vec<Invitee>,
    /// The recipients of this job that no mail has reached yet.
    pub recipients: Vec<Recipient>,
}

/// One recipient of an invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// The user.
    pub email: Email,
    /// The name, and the address as typed.
    pub person: CalAddress,
    /// The recipient's time zone.
    pub time_zone: Zone,
    /// The public path, with query, of the page that takes the recipient's answer.
    pub answer_path: String,
}

/// A request to a client's callback URL.
#[derive(Debug, Serialize, Deserialize)]
pub struct Webhook {
    /// The callback URL.
    pub url: String,
    /// The message id, the same for every attempt.
    pub id: String,
    /// The body to sign and to send.
    pub body: String,
    /// The secret that signs it.
    pub secret: String,
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
pub struct JobReport {
    /// The attempt.
    pub attempt: i32,
    /// The result.
    pub result: JobResult,
    /// The deliveries that the attempt made.
    #[serde(default)]
    pub notes: Vec<DeliveryRecord>,
}

/// The result of a job.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum JobResult {
    /// A time was found for the meeting.
    Suggested {
        /// The time.
        period: Period,
        /// Why this time.
        reason: String,
    },
    /// No time was found for the meeting.
    NoCommonTime {
        /// Why.
        reason: String,
    },
    /// The mail, or the webhook, was sent.
    Sent,
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

/// The worker's client of a role that owns jobs.
pub struct JobClient(Peer);

impl JobClient {
    /// A client for the worker's thread.
    pub fn new(owner: Peer) -> JobClient {
        JobClient(owner)
    }

    /// Starts a job, as its next attempt.
    ///
    /// # Errors
    /// 404 for an unknown job, 409 for a job that has ended or is not due; what [`Peer::call`] says.
    pub async fn start(&self, job: Uuid) -> Result<JobLease<RawPayload>, Problem> {
        self.0.call(RpcRequest::new(Method::POST, format!("/internal/jobs/{job}/start"))).await
    }

    /// Reports success.
    ///
    /// # Errors
    /// 409 when another meeting holds the slot by now, or another attempt was started; what [`Peer::call`] says.
    pub async fn finish<P>(&self, lease: &JobLease<P>, report: &JobReport) -> Result<(), Problem> {
        let request = RpcRequest::new(Method::POST, format!("/callbacks/jobs/{}", lease.job_id)).json(report)?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", lease.token)).map_err(Problem::internal)?;
        // safe to repeat: an attempt ends once
        self.deliver_report(&request.bearer(bearer).repeatable()).await
    }

    /// Reports what a subscribed calendar contains.
    ///
    /// # Errors
    /// 409 when another attempt was started; what [`Peer::call`] says.
    pub async fn finish_refresh(&self, job: Uuid, report: &RefreshReport) -> Result<(), Problem> {
        self.deliver_report(&RpcRequest::ask(format!("/internal/jobs/{job}/calendar"), report)?).await
    }

    /// Reports that an attempt failed.
    ///
    /// # Errors
    /// 409 when another attempt was started; what [`Peer::call`] says.
    pub async fn fail(&self, job: Uuid, failure: &AttemptFailure) -> Result<(), Problem> {
        self.deliver_report(&RpcRequest::ask(format!("/internal/jobs/{job}/retry"), failure)?).await
    }

    /// Repeats a report while the owner is unavailable: without it, finished work would be done again.
    async fn deliver_report(&self, request: &RpcRequest) -> Result<(), Problem> {
        let (begin, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            match self.0.order(request).await {
                Err(problem) if problem.kind.status >= 502 && begin.elapsed() < REPORT_TIMEOUT => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => return other,
            }
        }
    }
}

/// How long a report is repeated: longer than a role takes to restart.
const REPORT_TIMEOUT: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
