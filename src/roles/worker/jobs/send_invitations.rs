//! Telling the attendees: one letter to each, and a note of how it went.

use crate::calendar::{Invitation, Method};
use crate::platform::request_context::Case;
use crate::roles::user::api::jobs::{self, Done, Failure, Finding, Mailing, Note, Order, Outcome};
use crate::roles::worker::consumer::is_over;
use crate::roles::worker::mail::{Carrier, Letter, Links, Outcome as Carried, Recipient};
use crate::roles::worker::tools::{End, Tools};

/// Writes to everybody who has not been reached yet.
pub async fn perform(tools: &Tools, order: &Order, mailing: &Mailing) -> End {
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
        notes.push(Note { target: recipient.email.to_string(), outcome, detail });
    }
    let later = notes.iter().find(|note| note.outcome == Outcome::Failed);
    if let Some(note) = later {
        let error = format!("{}: {}", note.target, note.detail);
        return Err(Failure { notes, ..Failure::again(order, error) });
    }
    let done = Done { attempt: order.attempt, result: Finding::Sent, notes };
    match tools.jobs.finish(order, &done).await {
        Err(problem) if !is_over(&problem) => {
            // they have their letters: the next attempt must not write again
            Err(Failure { notes: done.notes, ..Failure::again(order, problem.to_string()) })
        }
        _ => Ok(()),
    }
}

fn addressed(tools: &Tools, order: &Order, mailing: &Mailing, to: &jobs::Recipient) -> Recipient {
    let link = |answer: &str| format!("{}{}&answer={answer}", tools.public_url, to.answer_path);
    let links = Links { accept: link("accepted"), tentative: link("tentative"), decline: link("declined") };
    Recipient {
        person: to.person.clone(),
        zone: to.time_zone.clone(),
        links: (!mailing.cancel).then_some(links),
        page: Some(format!("{}/api/meetings/{}", tools.public_url, order.meeting_id)),
    }
}

async fn send(carrier: &Carrier, invitation: &Invitation, to: &Recipient) -> (Outcome, String) {
    let letter = match Letter::write(carrier.from(), invitation, to, &Case::current_id()) {
        Ok(letter) => letter,
        Err(why) => return (Outcome::Refused, format!("{why:#}")),
    };
    match carrier.carry(&letter).await {
        Carried::Sent => (Outcome::Delivered, "sent".to_owned()),
        Carried::Refused { why } => (Outcome::Refused, why),
        Carried::Later { why } => (Outcome::Failed, why),
    }
}
