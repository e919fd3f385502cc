//! Mails a notice to the organizer of a meeting.

use super::{JobOutcome, StartedJob};
use crate::platform::request_context::RequestContext;
use crate::roles::reservation::api::jobs::NoticeMail;
use crate::roles::worker::job_context::JobContext;
use crate::roles::worker::mail::MailMessage;

pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    let mail: NoticeMail = job.payload()?;
    let (from, site, case_id) = (context.mailer.from(), &context.public_url, RequestContext::current_id());
    let message = MailMessage::notice(from, job.lease.subject_id, &mail, site, &case_id);
    job.deliver_mail(context, mail.recipient.email.as_str(), message).await
}
