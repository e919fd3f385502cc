//! What the end of an attempt means: for the meeting, for the list of deliveries, for what is still to be told. Pure.

use jiff::Timestamp;
use uuid::Uuid;

use super::model::{INVITE, Job, Letter, SCHEDULE, State};
use super::rows::DeliveryRow;
use crate::platform::data::instant::stored;
use crate::platform::http::problem::{JOB_NOT_YOURS, Problem};
use crate::roles::user::api::jobs::{DeliveryOutcome, DeliveryRecord, JobResult};
use crate::roles::user::api::meetings::Status;
use crate::roles::user::meetings::changes::Change;
use crate::roles::user::meetings::model::Meeting;
use crate::roles::user::store::Stop;

/// What a result means for the meeting.
pub fn outcome(
    job: &Job,
    meeting: &Meeting,
    result: &JobResult,
    others: i64,
    unreached: i64,
    now: Timestamp,
) -> Option<Change> {
    let looks = job.kind == SCHEDULE && matches!(meeting.status, Status::Queued | Status::Running);
    match result {
        JobResult::Suggested { period, reason } if looks => {
            Some(meeting.clone().suggested(*period, reason.clone(), now))
        }
        JobResult::NoCommonTime { reason } if looks => {
            Some(meeting.clone().given_up(Status::NoCommonTime, reason.clone(), now))
        }
        JobResult::Sent if job.kind == INVITE && meeting.status == Status::Suggested && others == 0 => {
            Some(meeting.clone().invited(usize::try_from(unreached).unwrap_or(0), now))
        }
        _ => None,
    }
}

/// What it means for a meeting that a job of it is dead.
pub fn given_up(job: &Job, meeting: Option<&Meeting>, error: &str, now: Timestamp) -> Option<Change> {
    let meeting = meeting?;
    let looks = job.kind == SCHEDULE && !meeting.status.is_over() && !meeting.status.holds();
    (job.state == State::Dead && looks).then(|| meeting.clone().given_up(Status::Failed, error.to_owned(), now))
}

/// The payload without those who were reached, or never will be.
pub fn still_to_tell(job: &Job, payload: &str, notes: &[DeliveryRecord]) -> Option<String> {
    if job.kind != INVITE || notes.is_empty() {
        return None;
    }
    let mut letter: Letter = serde_json::from_str(payload).ok()?;
    let settled =
        |email: &str| notes.iter().any(|note| note.outcome != DeliveryOutcome::Failed && note.target == email);
    letter.recipients.retain(|email| !settled(email.as_str()));
    serde_json::to_string(&letter).ok()
}

/// The lines that an attempt adds to the list of deliveries.
pub fn notes(job: &Job, notes: &[DeliveryRecord], now: Timestamp) -> Vec<DeliveryRow> {
    let row = |note: &DeliveryRecord| DeliveryRow {
        id: Uuid::now_v7().to_string(),
        job_id: job.id.to_string(),
        meeting_id: job.meeting_id.to_string(),
        kind: job.kind.clone(),
        target: note.target.clone(),
        attempt: job.attempt,
        outcome: note.outcome.name().to_owned(),
        detail: note.detail.clone(),
        created_at: stored(now),
    };
    notes.iter().map(row).collect()
}

/// Refuses whoever reports for an attempt that is not under way.
pub fn check_attempt(job: &Job, attempt: i32) -> Result<(), Stop> {
    match (job.state, job.attempt) {
        (State::Running, current) if current == attempt => Ok(()),
        (state, current) => {
            let detail = format!("the job is {} at attempt {current}: attempt {attempt} comes too late", state.name());
            Err(Stop::Refused(Problem::new(JOB_NOT_YOURS, detail)))
        }
    }
}

/// Why no attempt is to begin.
pub fn not_to_be_done(job: &Job) -> Problem {
    Problem::new(JOB_NOT_YOURS, format!("the job is {}: there is nothing to do", job.state.name()))
}
