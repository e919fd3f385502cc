//! What a job is, and the rules by which it goes on. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::Jobs as Limits;
use crate::platform::email::Email;
use crate::roles::user::api::jobs::RetryDecision;
use crate::roles::user::api::letters::Purpose;
use crate::roles::user::meetings::model::Meeting;

pub const SCHEDULE: &str = "schedule_meeting";
pub const INVITE: &str = "send_invitations";
pub const WEBHOOK: &str = "deliver_webhook";
/// Its `meeting_id` is the id of a calendar.
pub const REFRESH: &str = "refresh_calendar";
/// Its `meeting_id` is the id of a one-time code, and its own.
pub const LETTER: &str = "send_letter";

/// Whether jobs of this kind are for a meeting.
pub fn is_for_meeting(kind: &str) -> bool {
    ![REFRESH, LETTER].contains(&kind)
}

/// Whether nobody needs the payload any more once the job has succeeded: it names people, or opens something.
pub fn is_told_once(kind: &str) -> bool {
    [INVITE, LETTER].contains(&kind)
}

/// Errors that a job remembers.
const LONGEST_MEMORY: usize = 10;
/// No attempt waits longer for the next one.
const LONGEST_DELAY: f64 = 6.0 * 3600.0;
/// Attempts at a webhook: the published schedule has nine waits.
const WEBHOOK_ATTEMPTS: i32 = 10;
/// An attempt that was none is made good soon.
const SOON: SignedDuration = SignedDuration::from_secs(2);

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In the outbox or in the queue.
    Queued,
    /// At a worker.
    Running,
    /// Waiting for its next attempt.
    Retryable,
    /// Done.
    Succeeded,
    /// Given up; kept for whoever looks after this installation.
    Dead,
    /// Not wanted any more.
    Cancelled,
}

impl State {
    pub const ALL: [State; 6] =
        [State::Queued, State::Running, State::Retryable, State::Succeeded, State::Dead, State::Cancelled];

    pub const fn name(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Running => "running",
            State::Retryable => "retryable",
            State::Succeeded => "succeeded",
            State::Dead => "dead",
            State::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == text)
    }

    /// Whether something is still to come of it.
    pub const fn is_open(self) -> bool {
        matches!(self, State::Queued | State::Running | State::Retryable)
    }
}

/// The names of the open states.
pub const OPEN: [&str; 3] = [State::Queued.name(), State::Running.name(), State::Retryable.name()];

/// Work to be done for a meeting, or a calendar.
pub struct NewJob {
    pub id: Uuid,
    pub kind: &'static str,
    pub payload: Value,
    /// Whether a later change of its subject makes it void.
    pub supersedable: bool,
}

/// The payload of [`INVITE`]: the revision to tell, and whom. A later change does not reach into it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letter {
    pub cancel: bool,
    pub sequence: i64,
    pub meeting: Meeting,
    /// Those who have not been told yet.
    pub recipients: Vec<Email>,
}

/// The payload of [`LETTER`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    pub purpose: Purpose,
    pub email: Email,
    /// What the link in it opens.
    pub code: String,
    /// How long that works.
    pub minutes: u32,
}

/// The payload of [`WEBHOOK`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    pub url: String,
    pub secret: String,
    pub body: String,
}

impl NewJob {
    fn new(kind: &'static str, payload: Value) -> NewJob {
        NewJob { id: Uuid::now_v7(), kind, payload, supersedable: false }
    }

    pub fn schedule() -> NewJob {
        NewJob { supersedable: true, ..NewJob::new(SCHEDULE, json!({})) }
    }

    /// Mails an invitation. A cancellation must reach its recipients whatever happens next.
    pub fn invite(letter: &Letter) -> NewJob {
        NewJob { supersedable: !letter.cancel, ..NewJob::new(INVITE, json!(letter)) }
    }

    /// Tells the client what became of the meeting, if it wants to know.
    pub fn webhook(meeting: &Meeting) -> Option<NewJob> {
        let callback = meeting.callback.as_ref()?;
        let r#type = format!("meeting.{}", meeting.status.name());
        let body = json!({ "type": r#type, "timestamp": meeting.updated_at, "data": meeting.public() }).to_string();
        Some(NewJob::new(WEBHOOK, json!(Call { url: callback.url.clone(), secret: callback.secret.clone(), body })))
    }

    pub fn refresh() -> NewJob {
        NewJob::new(REFRESH, json!({}))
    }

    /// A letter about a one-time code, under the code's id.
    pub fn letter(id: Uuid, note: &Note) -> NewJob {
        NewJob { id, ..NewJob::new(LETTER, json!(note)) }
    }

    pub fn max_attempts(&self, limits: &Limits) -> i32 {
        max_attempts(self.kind, limits)
    }
}

fn max_attempts(kind: &str, limits: &Limits) -> i32 {
    if kind == WEBHOOK { WEBHOOK_ATTEMPTS } else { limits.max_attempts }
}

/// A job as it is stored, without its payload.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: Uuid,
    pub kind: String,
    pub meeting_id: Uuid,
    pub state: State,
    pub attempt: i32,
    pub max_attempts: i32,
    /// How often it was published since its last attempt ended.
    pub sent: i32,
    pub due_at: Option<Timestamp>,
    pub token: String,
    pub errors: Vec<Mishap>,
    pub case_id: String,
    pub traceparent: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An attempt that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mishap {
    pub attempt: i32,
    pub at: Timestamp,
    pub error: String,
}

impl Job {
    /// How it stands after an attempt that failed.
    pub fn after(&self, decision: RetryDecision, error: &str, limits: &Limits, chance: f64, now: Timestamp) -> Job {
        let mut job = self.clone();
        job.errors.push(Mishap { attempt: self.attempt, at: now, error: error.to_owned() });
        let surplus = job.errors.len().saturating_sub(LONGEST_MEMORY);
        job.errors.drain(..surplus);
        (job.due_at, job.sent, job.updated_at) = (None, 0, now);
        let later = |delay: SignedDuration| now.saturating_add(delay).ok();
        match decision {
            RetryDecision::Cancel => job.state = State::Cancelled,
            RetryDecision::Discard => job.state = State::Dead,
            RetryDecision::Snooze => {
                job.max_attempts = job.max_attempts.saturating_add(1);
                (job.state, job.due_at) = (State::Retryable, later(SOON));
            }
            RetryDecision::Retry { .. } if self.attempt >= self.max_attempts => job.state = State::Dead,
            RetryDecision::Retry { retry_after, slow } => {
                let delay = self.delay(retry_after, slow, limits, chance);
                (job.state, job.due_at) = (State::Retryable, later(delay));
            }
        }
        job
    }

    /// How long to wait after this attempt: 15 s and the fourth power of the attempt in seconds (as Sidekiq and Oban do),
    /// 6 h at most, give or take a fifth; webhooks by their published schedule.
    /// A job that was taken up again counts its attempts anew.
    fn delay(&self, retry_after: Option<u64>, slow: bool, limits: &Limits, chance: f64) -> SignedDuration {
        let scale = limits.retry_seconds / 15.0;
        let attempt = self.attempt - (self.max_attempts - max_attempts(&self.kind, limits));
        let seconds = match self.kind.as_str() {
            WEBHOOK => webhook_delay(attempt, retry_after, slow),
            _ => (15.0 + f64::from(attempt.max(1)).powi(4)).min(LONGEST_DELAY),
        };
        SignedDuration::try_from_secs_f64(seconds * scale * (0.8 + 0.4 * chance)).unwrap_or(SOON)
    }

    /// Whether it is taken up again when somebody asks. A webhook that was delivered is delivered once more, under its id.
    pub fn can_be_retried(&self) -> bool {
        let replayed = self.kind == WEBHOOK && self.state == State::Succeeded;
        replayed || matches!(self.state, State::Dead | State::Retryable)
    }

    /// When to publish it again if nothing comes of it: the sweeper's time, doubling.
    pub fn sweep_at(sent: i32, limits: &Limits, now: Timestamp) -> Option<Timestamp> {
        let seconds = limits.sweep_seconds * f64::from(sent.clamp(0, 10)).exp2();
        SignedDuration::try_from_secs_f64(seconds).ok().and_then(|wait| now.saturating_add(wait).ok())
    }

    /// What callers read.
    pub fn public(&self) -> Value {
        json!({
            "id": self.id, "kind": self.kind, "meeting_id": is_for_meeting(&self.kind).then_some(self.meeting_id),
            "state": self.state, "attempt": self.attempt, "max_attempts": self.max_attempts, "next_attempt_at": self.due_at.filter(|_| self.state == State::Retryable),
            "errors": self.errors, "case_id": self.case_id, "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }
}

/// The schedule of Standard Webhooks: seconds after this failed attempt.
fn webhook_delay(attempt: i32, retry_after: Option<u64>, slow: bool) -> f64 {
    const WAITS: [f64; 9] = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0];
    let at = usize::try_from(attempt - 1).unwrap_or(0).min(WAITS.len() - 1);
    let base = if slow { WAITS[at].max(60.0) } else { WAITS[at] };
    retry_after.map_or(base, |asked| (asked as f64).clamp(base, 2.0 * base))
}
