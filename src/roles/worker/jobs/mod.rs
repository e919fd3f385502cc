//! The kinds of jobs: one handler, in one file, for each.

mod deliver_webhook;
mod refresh_calendar;
mod schedule_meeting;
mod send_account_mail;
mod send_invitations;
mod send_notice;

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::job_context::JobContext;
use super::mail::MailMessage;
use crate::platform::http::problem::{JOB_NOT_YOURS, Problem, UNKNOWN_JOB};
use crate::platform::jobs::api::{
    AttemptFailure, DeliveryOutcome, DeliveryRecord, JobClient, JobLease, JobReport, RawPayload, RetryDecision,
};
use crate::platform::limiter::KeyedPermit;
use crate::platform::outbound::FeedUrl;
use crate::roles::reservation::api::jobs::JobResult;

/// How long a job waits for a host that has `webhooks.per_host` requests in flight.
const BUSY_HOST_WAIT: Duration = Duration::from_secs(1);

/// How an attempt ended.
pub type JobOutcome = Result<(), AttemptFailure>;

/// Makes one attempt.
type Handler = for<'a> fn(&'a JobContext, &'a StartedJob<'a>) -> LocalBoxFuture<'a, JobOutcome>;

/// The handler of each kind.
const HANDLERS: &[(&str, Handler)] = &[
    ("schedule_meeting", |context, job| Box::pin(schedule_meeting::run(context, job))),
    ("send_invitations", |context, job| Box::pin(send_invitations::run(context, job))),
    ("send_notice", |context, job| Box::pin(send_notice::run(context, job))),
    ("deliver_webhook", |context, job| Box::pin(deliver_webhook::run(context, job))),
    ("refresh_calendar", |context, job| Box::pin(refresh_calendar::run(context, job))),
    ("send_letter", |context, job| Box::pin(send_account_mail::run(context, job))),
];

/// Makes one attempt at a job, with the handler of its kind.
pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    match HANDLERS.iter().find(|(kind, _)| *kind == job.kind()) {
        Some((_, handler)) => handler(context, job).await,
        None => Err(job.retry("this worker does not know this kind of job")),
    }
}

/// A job that this worker started, and the client of its owner.
pub struct StartedJob<'a> {
    pub lease: JobLease<RawPayload>,
    pub owner: &'a JobClient,
}

impl StartedJob<'_> {
    pub fn kind(&self) -> &str {
        &self.lease.work.kind
    }

    /// The input of the handler.
    fn payload<T: DeserializeOwned>(&self) -> Result<T, AttemptFailure> {
        let fields = Value::Object(self.lease.work.fields.clone());
        serde_json::from_value(fields).map_err(|why| self.retry(format!("the payload cannot be read: {why}")))
    }

    /// The host of a URL, and a permit to send a request there. The job waits for the permit; a job whose host stays busy is
    /// postponed.
    async fn acquire_host(
        &self,
        context: &JobContext,
        url: &str,
    ) -> Result<(String, KeyedPermit<String>), AttemptFailure> {
        let host = FeedUrl::parse(&context.guard, url).map(|feed| feed.url.host().to_owned()).unwrap_or_default();
        match context.hosts.acquire(host.clone(), BUSY_HOST_WAIT).await {
            Some(permit) => Ok((host, permit)),
            None => Err(self.fail(RetryDecision::Snooze, format!("too many requests to {host} are in flight"))),
        }
    }

    /// Reports success to the owner. A job that has ended meanwhile needs no report.
    async fn finish(&self, report: &JobReport<JobResult>) -> Result<(), Problem> {
        ignore_stale(self.owner.finish(&self.lease, report).await)
    }

    /// Reports that everything was sent.
    async fn finish_sent(&self, notes: Vec<DeliveryRecord>) -> JobOutcome {
        let report = JobReport { attempt: self.lease.attempt, result: JobResult::Sent, notes };
        match self.finish(&report).await {
            Ok(()) => Ok(()),
            // the mails are out: the next attempt must not send them again
            Err(problem) => Err(AttemptFailure { notes: report.notes, ..self.retry(problem.to_string()) }),
        }
    }

    /// Delivers one mail to one `target`, and ends the attempt.
    async fn deliver_mail(
        &self,
        context: &JobContext,
        target: &str,
        message: anyhow::Result<MailMessage>,
    ) -> JobOutcome {
        let (outcome, detail) = context.mailer.deliver(message).await;
        let failed = match outcome {
            DeliveryOutcome::Delivered => None,
            DeliveryOutcome::Refused => Some(RetryDecision::Discard),
            DeliveryOutcome::Failed => Some(RetryDecision::Retry { retry_after: None, slow: false }),
        };
        self.end_delivery(target, outcome, detail, failed).await
    }

    /// Ends an attempt to deliver something to one `target`. `failed` is absent if the target has it.
    async fn end_delivery(
        &self,
        target: &str,
        outcome: DeliveryOutcome,
        detail: String,
        failed: Option<RetryDecision>,
    ) -> JobOutcome {
        let notes = vec![DeliveryRecord { target: target.to_owned(), outcome, detail: detail.clone() }];
        match failed {
            None => self.finish_sent(notes).await,
            Some(decision) => Err(AttemptFailure { notes, ..self.fail(decision, detail) }),
        }
    }

    /// The report of an attempt that failed, and what the owner does then.
    pub fn fail(&self, decision: RetryDecision, error: impl Into<String>) -> AttemptFailure {
        AttemptFailure { attempt: self.lease.attempt, decision, error: error.into(), notes: Vec::new() }
    }

    /// The report of an attempt that failed, and may succeed later.
    pub fn retry(&self, error: impl Into<String>) -> AttemptFailure {
        self.fail(RetryDecision::Retry { retry_after: None, slow: false }, error)
    }
}

/// Takes it for success that the job has ended meanwhile, or belongs to another attempt.
pub fn ignore_stale(reported: Result<(), Problem>) -> Result<(), Problem> {
    match reported {
        Err(problem) if problem.kind == JOB_NOT_YOURS || problem.kind == UNKNOWN_JOB => Ok(()),
        other => other,
    }
}
