//! Mails a user about their account: one mail with a link that works once.

use super::{JobOutcome, StartedJob};
use crate::platform::request_context::RequestContext;
use crate::roles::user::api::account_mail::AccountMail;
use crate::roles::worker::job_context::JobContext;
use crate::roles::worker::mail::MailMessage;

/// Sends the mail. A second attempt sends the same mail, with the same Message-ID.
pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    let mail: AccountMail = job.payload()?;
    let (from, site, case_id) = (context.mailer.from(), &context.public_url, RequestContext::current_id());
    let message = MailMessage::account(from, job.lease.job_id, &mail, site, &case_id);
    job.deliver_mail(context, mail.email.as_str(), message).await
}
