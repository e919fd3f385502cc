//! Mails an invitation, or a cancellation, to each attendee.

use super::{JobOutcome, StartedJob};
use crate::calendar::{Invitation, Method};
use crate::platform::jobs::api::{AttemptFailure, DeliveryOutcome, DeliveryRecord};
use crate::platform::request_context::RequestContext;
use crate::roles::reservation::api::jobs::{self, InvitationMail};
use crate::roles::worker::job_context::JobContext;
use crate::roles::worker::mail::{Links, MailMessage, Mailer, Recipient, SendOutcome};

pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    let mail: InvitationMail = job.payload()?;
    let invitation = Invitation {
        method: if mail.cancel { Method::Cancel } else { Method::Request },
        meeting_id: job.lease.subject_id,
        uid_domain: mail.uid_domain,
        sequence: mail.sequence,
        dtstamp: mail.stamp,
        title: mail.title,
        start: mail.period.start,
        end: mail.period.end,
        organizer: mail.organizer,
        attendees: mail.attendees,
    };
    let mut notes = Vec::with_capacity(mail.recipients.len());
    for recipient in &mail.recipients {
        let to = with_links(&context.public_url, &invitation, recipient);
        let (outcome, detail) = send(&context.mailer, &invitation, &to).await;
        notes.push(DeliveryRecord { target: recipient.email.to_string(), outcome, detail });
    }
    let failed = notes.iter().find(|note| note.outcome == DeliveryOutcome::Failed);
    if let Some(note) = failed {
        let error = format!("{}: {}", note.target, note.detail);
        return Err(AttemptFailure { notes, ..job.retry(error) });
    }
    job.finish_sent(notes).await
}

fn with_links(public_url: &str, invitation: &Invitation, to: &jobs::Recipient) -> Recipient {
    let link = |answer: &str| format!("{public_url}{}&answer={answer}", to.answer_path);
    let links = || Links { accept: link("accepted"), tentative: link("tentative"), decline: link("declined") };
    Recipient {
        person: to.person.clone(),
        zone: to.time_zone.clone(),
        links: (invitation.method != Method::Cancel).then(links),
        page: Some(format!("{public_url}/api/meetings/{}", invitation.meeting_id)),
    }
}

async fn send(mailer: &Mailer, invitation: &Invitation, to: &Recipient) -> (DeliveryOutcome, String) {
    let message = match MailMessage::invitation(mailer.from(), invitation, to, &RequestContext::current_id()) {
        Ok(message) => message,
        Err(why) => return (DeliveryOutcome::Refused, format!("{why:#}")),
    };
    match mailer.send(&message).await {
        SendOutcome::Sent => (DeliveryOutcome::Delivered, "sent".to_owned()),
        SendOutcome::Refused { why } => (DeliveryOutcome::Refused, why),
        SendOutcome::Deferred { why } => (DeliveryOutcome::Failed, why),
    }
}
