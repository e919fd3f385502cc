//! Telling the attendees: one letter to each, and a note of how it went.

use crate::calendar::{Invitation, Method};
use crate::platform::request_context::RequestContext;
use crate::roles::user::api::jobs::{
    self, AttemptFailure, DeliveryOutcome, DeliveryRecord, InvitationMail, JobLease, JobReport, JobResult,
};
use crate::roles::worker::consumer::is_over;
use crate::roles::worker::mail::{InvitationMessage, Links, Mailer, Outcome as Carried, Recipient};
use crate::roles::worker::tools::{JobOutcome, Tools};

/// Writes to everybody who has not been reached yet.
pub async fn perform(tools: &Tools, order: &JobLease, mailing: &InvitationMail) -> JobOutcome {
    let invitation = Invitation {
        method: if mailing.cancel { Method::Cancel } else { Method::Request },
        meeting_id: order.meeting_id,
        sequence: mailing.sequence,
        stamp: mailing.stamp,
        title: mailing.title.clone(),
        start: mailing.period.start,
        end: mailing.period.end,
        organizer: mailing.organizer.clone(),
        attendees: mailing.attendees.clone(),
    };
    let mut notes = Vec::with_capacity(mailing.recipients.len());
    for recipient in &mailing.recipients {
        let letter = addressed(tools, order, mailing, recipient);
        let (outcome, detail) = send(&tools.carrier, &invitation, &letter).await;
        notes.push(DeliveryRecord { target: recipient.email.to_string(), outcome, detail });
    }
    let later = notes.iter().find(|note| note.outcome == DeliveryOutcome::Failed);
    if let Some(note) = later {
        let error = format!("{}: {}", note.target, note.detail);
        return Err(AttemptFailure { notes, ..AttemptFailure::again(order, error) });
    }
    let done = JobReport { attempt: order.attempt, result: JobResult::Sent, notes };
    match tools.jobs.finish(order, &done).await {
        Err(problem) if !is_over(&problem) => {
            // they have their letters: the next attempt must not write again
            Err(AttemptFailure { notes: done.notes, ..AttemptFailure::again(order, problem.to_string()) })
        }
        _ => Ok(()),
    }
}

fn addressed(tools: &Tools, order: &JobLease, mailing: &InvitationMail, to: &jobs::Recipient) -> Recipient {
    let link = |answer: &str| format!("{}{}&answer={answer}", tools.public_url, to.answer_path);
    let links = Links { accept: link("accepted"), tentative: link("tentative"), decline: link("declined") };
    Recipient {
        person: to.person.clone(),
        zone: to.time_zone.clone(),
        links: (!mailing.cancel).then_some(links),
        page: Some(format!("{}/api/meetings/{}", tools.public_url, order.meeting_id)),
    }
}

async fn send(carrier: &Mailer, invitation: &Invitation, to: &Recipient) -> (DeliveryOutcome, String) {
    let letter = match InvitationMessage::write(carrier.from(), invitation, to, &RequestContext::current_id()) {
        Ok(letter) => letter,
        Err(why) => return (DeliveryOutcome::Refused, format!("{why:#}")),
    };
    match carrier.carry(&letter).await {
        Carried::Sent => (DeliveryOutcome::Delivered, "sent".to_owned()),
        Carried::Refused { why } => (DeliveryOutcome::Refused, why),
        Carried::Later { why } => (DeliveryOutcome::Failed, why),
    }
}
