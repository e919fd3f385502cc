//! Mails an invitation, or a cancellation, to each attendee.

use super::{JobOutcome, StartedJob};
use crate::calendar::{Invitation, Method};
use crate::platform::jobs::api::{AttemptFailure, DeliveryOutcome, DeliveryRecord};
use crate::platform::request_context::RequestContext;
use crate::roles::reservation::api::jobs::InvitationMail;
use crate::roles::worker::job_context::JobContext;
use crate::roles::worker::mail::MailMessage;

pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    let mail: InvitationMail = job.payload()?;
    let invitation = Invitation {
        method: if mail.cancel { Method::Cancel } else { Method::Request },
        meeting_id: job.lease.subject_id,
        uid_domain: mail.uid_domain,
        sequence: mail.sequence,
        dtstamp: mail.stamp,
        title: mail.title,
        details: mail.details,
        start: mail.period.start,
        end: mail.period.end,
        organizer: mail.organizer,
        attendees: mail.attendees,
    };
    let mut notes = Vec::with_capacity(mail.recipients.len());
    for recipient in &mail.recipients {
        let (from, case_id) = (context.mailer.from(), RequestContext::current_id());
        let (zone, site) = (&mail.organizer_time_zone, &context.public_url);
        let message = MailMessage::invitation(from, &invitation, recipient, mail.cause, zone, site, &case_id);
        let (outcome, detail) = context.mailer.deliver(message).await;
        notes.push(DeliveryRecord { target: recipient.email.to_string(), outcome, detail });
    }
    let failed = notes.iter().find(|note| note.outcome == DeliveryOutcome::Failed);
    if let Some(note) = failed {
        let error = format!("{}: {}", note.target, note.detail);
        return Err(AttemptFailure { notes, ..job.retry(error) });
    }
    job.finish_sent(notes).await
}
