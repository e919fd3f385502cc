//! What a job is, and the rules by which it goes on. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::RetryDecision;
use super::backoff::Backoff;
use crate::config::Jobs as Limits;

/// A kind of job, which its owner registers.
#[derive(Debug, PartialEq, Eq)]
pub struct JobKind {
    /// The name, in the queue and for clients.
    pub name: &'static str,
    /// How long a failed attempt waits for the next one, and how many attempts there are.
    pub backoff: Backoff,
    /// Whether to erase the payload after success, because it contains personal data or a secret.
    pub redact_on_success: bool,
    /// Whether an administrator may replay it after success.
    pub replayable: bool,
    /// Whether it is deleted a day after its end instead of after `jobs.keep_days`: [`Retention`].
    pub retention: Retention,
}

impl JobKind {
    /// A kind that is retried for hours and kept as the settings say, with its payload.
    pub const fn new(name: &'static str) -> JobKind {
        JobKind {
            name,
            backoff: Backoff::Polynomial,
            redact_on_success: false,
            replayable: false,
            retention: Retention::Keep,
        }
    }
}

/// How long jobs of a kind are kept after their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// As the settings say.
    Keep,
    /// A day after success; there are many, and successes teach nothing.
    DayAfterSuccess,
    /// A day after any end.
    Day,
}

/// Errors that a job remembers.
const MAX_ERRORS: usize = 10;
/// The wait after an attempt that does not count.
const SNOOZE: SignedDuration = SignedDuration::from_secs(2);

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// In the outbox or in the queue.
    Queued,
    /// At a worker.
    Running,
    /// Waiting for its next attempt.
    Retryable,
    /// Done.
    Succeeded,
    /// Given up; kept for an administrator.
    Dead,
    /// Not wanted any more.
    Cancelled,
}

impl JobState {
    /// All of them.
    pub const ALL: [JobState; 6] = [
        JobState::Queued,
        JobState::Running,
        JobState::Retryable,
        JobState::Succeeded,
        JobState::Dead,
        JobState::Cancelled,
    ];

    /// The name, as JSON and the database have it.
    pub const fn name(self) -> &'static str {
        match self {
            JobState::Queued => "queued",
            JobState::Running => "running",
            JobState::Retryable => "retryable",
            JobState::Succeeded => "succeeded",
            JobState::Dead => "dead",
            JobState::Cancelled => "cancelled",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<JobState> {
        JobState::ALL.into_iter().find(|state| state.name() == text)
    }
}

/// The names of the states from which a job goes on.
pub const OPEN: [&str; 3] = [JobState::Queued.name(), JobState::Running.name(), JobState::Retryable.name()];

/// A job that is to be created.
pub struct NewJob {
    /// Its id.
    pub id: Uuid,
    /// Its kind.
    pub kind: &'static JobKind,
    /// What the handler of the kind needs.
    pub payload: Value,
    /// Whether a later change of its subject makes it void.
    pub supersedable: bool,
    /// When its first attempt is due; at once if left out.
    pub due_at: Option<Timestamp>,
}

impl NewJob {
    /// A job that no later change makes void.
    pub fn new(kind: &'static JobKind, payload: Value) -> NewJob {
        NewJob { id: Uuid::now_v7(), kind, payload, supersedable: false, due_at: None }
    }

    /// The state in which it is created.
    pub fn first_state(&self) -> JobState {
        if self.due_at.is_some() { JobState::Retryable } else { JobState::Queued }
    }
}

/// A job as it is stored, without its payload.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// The name of its kind.
    pub kind: String,
    /// The id of what it is for.
    pub subject: Uuid,
    /// Where it stands.
    pub state: JobState,
    /// The last attempt that was started, from 1.
    pub attempt: i32,
    /// The attempt after which it is dead.
    pub max_attempts: i32,
    /// How often it was published since its last attempt ended.
    pub sent: i32,
    /// When it is published again: the next attempt, or the sweep.
    pub due_at: Option<Timestamp>,
    /// What authorizes a report of success.
    pub token: String,
    /// What went wrong, the latest attempts.
    pub errors: Vec<AttemptError>,
    /// The request that it goes back to.
    pub case_id: String,
    /// The span that it goes back to.
    pub traceparent: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An attempt that failed.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttemptError {
    /// The attempt.
    pub attempt: i32,
    /// When it failed.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What went wrong.
    pub error: String,
}

/// The kind of this name, among those of an owner.
pub fn find_kind(kinds: &'static [JobKind], name: &str) -> Option<&'static JobKind> {
    kinds.iter().find(|kind| kind.name == name)
}

impl Job {
    /// How it stands after an attempt that failed. `chance`, from 0 to 1, spreads the waits by a fifth either way.
    pub fn after(
        &self,
        decision: RetryDecision,
        error: &str,
        backoff: Backoff,
        limits: &Limits,
        chance: f64,
        now: Timestamp,
    ) -> Job {
        let mut job = self.clone();
        job.errors.push(AttemptError { attempt: self.attempt, at: now, error: error.to_owned() });
        let surplus = job.errors.len().saturating_sub(MAX_ERRORS);
        job.errors.drain(..surplus);
        (job.due_at, job.sent, job.updated_at) = (None, 0, now);
        let later = |delay: SignedDuration| now.saturating_add(delay).ok();
        match decision {
            RetryDecision::Cancel => job.state = JobState::Cancelled,
            RetryDecision::Discard => job.state = JobState::Dead,
            RetryDecision::Snooze => {
                job.max_attempts = job.max_attempts.saturating_add(1);
                (job.state, job.due_at) = (JobState::Retryable, later(SNOOZE));
            }
            RetryDecision::Retry { .. } if self.attempt >= self.max_attempts => job.state = JobState::Dead,
            RetryDecision::Retry { retry_after, slow } => {
                // a job that was retried by an administrator counts its attempts from the beginning
                let attempt = self.attempt - (self.max_attempts - backoff.max_attempts(limits));
                let seconds = backoff.seconds(attempt, retry_after, slow) * limits.retry_seconds / 15.0;
                let delay = SignedDuration::try_from_secs_f64(seconds * (0.8 + 0.4 * chance)).unwrap_or(SNOOZE);
                (job.state, job.due_at) = (JobState::Retryable, later(delay));
            }
        }
        job
    }

    /// Whether an administrator may retry it now: it failed, or its kind is replayable.
    pub fn can_be_retried(&self, kind: Option<&JobKind>) -> bool {
        let replayed = self.state == JobState::Succeeded && kind.is_some_and(|kind| kind.replayable);
        replayed || matches!(self.state, JobState::Dead | JobState::Retryable)
    }

    /// What an administrator reads.
    pub fn public(&self) -> Value {
        json!({
            "id": self.id, "kind": self.kind, "state": self.state, "attempt": self.attempt,
            "max_attempts": self.max_attempts,
            "next_attempt_at": self.due_at.filter(|_| self.state == JobState::Retryable),
            "errors": self.errors, "case_id": self.case_id, "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }
}

/// When a job is published again if nothing comes of it: the sweeper's time, doubling with each time that it was published.
pub fn sweep_at(sent: i32, limits: &Limits, now: Timestamp) -> Option<Timestamp> {
    let seconds = limits.sweep_seconds * f64::from(sent.clamp(0, 10)).exp2();
    SignedDuration::try_from_secs_f64(seconds).ok().and_then(|wait| now.saturating_add(wait).ok())
}
