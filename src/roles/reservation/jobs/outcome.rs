//! What the end of an attempt means: for the meeting, for the list of deliveries, for what is still to be told. Pure.

use jiff::Timestamp;

use super::kinds::{Invitation, SCHEDULE_MEETING, SEND_INVITATIONS};
use crate::platform::jobs::api::{DeliveryOutcome, DeliveryRecord};
use crate::platform::jobs::model::{Job, JobState};
use crate::roles::reservation::api::jobs::JobResult;
use crate::roles::reservation::api::meetings::Status;
use crate::roles::reservation::meetings::changes::Change;
use crate::roles::reservation::meetings::model::Meeting;

/// What a result means for the meeting.
pub fn outcome(
    job: &Job,
    meeting: &Meeting,
    result: &JobResult,
    others: i64,
    unreached: i64,
    now: Timestamp,
) -> Option<Change> {
    let looks = job.kind == SCHEDULE_MEETING.name && matches!(meeting.status, Status::Queued | Status::Running);
    match result {
        JobResult::Suggested { period, reason, held_on_acceptance } if looks => {
            Some(meeting.clone().suggested(*period, reason.clone(), held_on_acceptance, now))
        }
        JobResult::NoCommonTime { reason } if looks => {
            Some(meeting.clone().given_up(Status::NoCommonTime, reason.clone(), now))
        }
        JobResult::Sent if job.kind == SEND_INVITATIONS.name && meeting.status == Status::Suggested && others == 0 => {
            Some(meeting.clone().invited(usize::try_from(unreached).unwrap_or(0), now))
        }
        _ => None,
    }
}

/// What it means for a meeting that a job of it is dead.
pub fn given_up(job: &Job, meeting: &Meeting, error: &str, now: Timestamp) -> Option<Change> {
    let looks = job.kind == SCHEDULE_MEETING.name && !meeting.status.is_over() && !meeting.status.holds();
    (job.state == JobState::Dead && looks).then(|| meeting.clone().given_up(Status::Failed, error.to_owned(), now))
}

/// The payload without those who were reached, or never will be.
pub fn still_to_tell(job: &Job, payload: &str, notes: &[DeliveryRecord]) -> Option<String> {
    if job.kind != SEND_INVITATIONS.name || notes.is_empty() {
        return None;
    }
    let mut invitation: Invitation = serde_json::from_str(payload).ok()?;
    let settled =
        |email: &str| notes.iter().any(|note| note.outcome != DeliveryOutcome::Failed && note.target == email);
    invitation.recipients.retain(|email| !settled(email.as_str()));
    serde_json::to_string(&invitation).ok()
}
