//! What user and the worker tell each other about a job, and the worker's client for it.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use super::calendars::{CalendarSubscription, RefreshReport};
use super::letters::AccountMail;
use super::meetings::Period;
use crate::calendar::{Guest, Person, Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::http::window::Window;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// What a message in the queue says: which job is to be done. What it consists of is asked for at its start.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobMessage {
    /// The job.
    pub job_id: Uuid,
}

/// A job that was started: what is to be done, and as what.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobLease {
    /// The job.
    pub job_id: Uuid,
    /// What it is for.
    pub meeting_id: Uuid,
    /// From 1. Whoever reports for an earlier one is not heard any more.
    pub attempt: i32,
    /// Opens the callback.
    pub token: String,
    /// The request that it goes back to.
    pub case_id: String,
    /// What is to be done.
    pub work: JobPayload,
}

/// The kinds of work.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobPayload {
    /// Find a time.
    ScheduleMeeting(ScheduleRequest),
    /// Tell the attendees.
    SendInvitations(InvitationMail),
    /// Tell whoever asked.
    DeliverWebhook(Webhook),
    /// Look whether a subscribed calendar has changed.
    RefreshCalendar(CalendarSubscription),
    /// Write to somebody about their account.
    SendLetter(AccountMail),
    /// What only a later release knows.
    #[serde(other)]
    Other,
}

impl JobPayload {
    /// The name, as JSON has it.
    pub const fn name(&self) -> &'static str {
        match self {
            JobPayload::ScheduleMeeting(_) => "schedule_meeting",
            JobPayload::SendInvitations(_) => "send_invitations",
            JobPayload::DeliverWebhook(_) => "deliver_webhook",
            JobPayload::RefreshCalendar(_) => "refresh_calendar",
            JobPayload::SendLetter(_) => "send_letter",
            JobPayload::Other => "other",
        }
    }
}

/// When a meeting could be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScheduleRequest {
    /// Those without whom it cannot be.
    pub required: Vec<Email>,
    /// Those who come if it suits them.
    pub optional: Vec<Email>,
    /// The zone whose dates are meant.
    pub time_zone: Zone,
    /// The dates.
    pub window: Window,
    /// Not before this instant.
    pub not_before: Timestamp,
    /// How long.
    pub duration_minutes: u32,
    /// Which slot; by the attendees' own preferences if left out.
    pub pick: Option<Preference>,
    /// What random draws come from.
    pub seed: Option<u64>,
    /// The time that was asked for; nothing is searched then.
    pub fixed: Option<Period>,
}

/// An invitation and whom it goes to.
#[derive(Debug, Serialize, Deserialize)]
pub struct InvitationMail {
    /// Whether the meeting is called off.
    pub cancel: bool,
    /// Grows with every change that the attendees are told of (RFC 5545, SEQUENCE).
    pub sequence: i64,
    /// When this revision was made.
    pub stamp: Timestamp,
    /// What it is called.
    pub title: String,
    /// When it is.
    pub period: Period,
    /// Who calls it.
    pub organizer: Person,
    /// All who are asked to come.
    pub attendees: Vec<Guest>,
    /// Those whom this job tells, and has not told yet.
    pub recipients: Vec<Recipient>,
}

/// One whom a letter goes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// Which user.
    pub email: Email,
    /// Who that is.
    pub person: Person,
    /// Where their clock hangs.
    pub time_zone: Zone,
    /// The public path, with query, under which they say whether they come.
    pub answer_path: String,
}

/// A request to a client's own address.
#[derive(Debug, Serialize, Deserialize)]
pub struct Webhook {
    /// Where.
    pub url: String,
    /// The same for every attempt.
    pub id: String,
    /// The bytes to sign and to send.
    pub body: String,
    /// What to sign with.
    pub secret: String,
}

/// How an attempt to reach somebody outside ended.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeliveryRecord {
    /// A mailbox or a URL.
    pub target: String,
    /// How.
    pub outcome: DeliveryOutcome,
    /// What was answered.
    pub detail: String,
}

/// See [`DeliveryRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// It arrived.
    Delivered,
    /// It never will.
    Refused,
    /// It may, later.
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

/// The end of an attempt that did its work.
#[derive(Debug, Serialize, Deserialize)]
pub struct JobReport {
    /// Which attempt.
    pub attempt: i32,
    /// What came of it.
    pub result: JobResult,
    /// Whom it reached.
    #[serde(default)]
    pub notes: Vec<DeliveryRecord>,
}

/// What came of a job.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum JobResult {
    /// A time was found.
    Suggested {
        /// When.
        period: Period,
        /// Why then.
        reason: String,
    },
    /// There is none.
    NoCommonTime {
        /// Why.
        reason: String,
    },
    /// The letter, or the webhook, is out.
    Sent,
}

/// The end of an attempt that did not.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttemptFailure {
    /// Which attempt.
    pub attempt: i32,
    /// What to do about it.
    pub verdict: RetryDecision,
    /// What went wrong; a sentence.
    pub error: String,
    /// Whom it reached all the same.
    #[serde(default)]
    pub notes: Vec<DeliveryRecord>,
}

/// See [`AttemptFailure`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "then")]
pub enum RetryDecision {
    /// Try again, after the schedule of its kind.
    Again {
        /// Seconds that the other side asked for.
        retry_after: Option<u64>,
        /// Whether the other side was slow, or asked for mercy.
        slow: bool,
    },
    /// Try again soon; this attempt was none.
    Later,
    /// It will never work.
    Never,
    /// Nobody wants it any more.
    Gone,
}

/// The worker's client of the user role, and of the callback at the gateway.
pub struct JobClient {
    user: Peer,
    gateway: Peer,
}

impl JobClient {
    /// For the worker's thread.
    pub fn new(user: Peer, gateway: Peer) -> JobClient {
        JobClient { user, gateway }
    }

    /// Starts a job, as its next attempt.
    ///
    /// # Errors
    /// 404 for a job that never was, 409 for one that is over or whose time has not come; what [`Peer::call`] says.
    pub async fn start(&self, job: Uuid) -> Result<JobLease, Problem> {
        self.user.call(RpcRequest::new(Method::POST, format!("/internal/jobs/{job}/start"))).await
    }

    /// Reports what came of it, at the gateway's callback.
    ///
    /// # Errors
    /// 409 when the slot is taken meanwhile, or the job is another attempt's by now; what [`Peer::call`] says.
    pub async fn finish(&self, order: &JobLease, done: &JobReport) -> Result<(), Problem> {
        let call = RpcRequest::new(Method::POST, format!("/api/callbacks/jobs/{}", order.job_id)).json(done)?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", order.token)).map_err(Problem::internal)?;
        // to say it twice does no harm: an attempt ends once
        let call = call.bearer(bearer).repeatable();
        heard(async || self.gateway.order(&call).await).await
    }

    /// Reports what a subscribed calendar holds; to user itself, for it may be larger than the gateway takes.
    ///
    /// # Errors
    /// 409 when the job is another attempt's by now; what [`Peer::call`] says.
    pub async fn refreshed(&self, order: &JobLease, refreshed: &RefreshReport) -> Result<(), Problem> {
        let call = RpcRequest::ask(format!("/internal/jobs/{}/calendar", order.job_id), refreshed)?;
        heard(async || self.user.order(&call).await).await
    }

    /// Reports that it failed.
    ///
    /// # Errors
    /// 409 when the job is another attempt's by now; what [`Peer::call`] says.
    pub async fn fail(&self, job: Uuid, failure: &AttemptFailure) -> Result<(), Problem> {
        let call = RpcRequest::ask(format!("/internal/jobs/{job}/retry"), failure)?;
        heard(async || self.user.order(&call).await).await
    }
}

/// How long a report is repeated to somebody who is away: longer than a role takes to be started again.
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Says something until it is heard. What was done is done: without its report it would be done again.
async fn heard(say: impl AsyncFn() -> Result<(), Problem>) -> Result<(), Problem> {
    let (begin, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        match say().await {
            Err(problem) if problem.kind.status >= 502 && begin.elapsed() < PATIENCE => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}
