//! Mails a user about their account: one mail with a link that works once.

use super::{JobOutcome, StartedJob};
use crate::platform::jobs::api::{DeliveryOutcome, RetryDecision};
use crate::platform::request_context::RequestContext;
use crate::roles::user::api::account_mail::AccountMail;
use crate::roles::worker::job_context::JobContext;
use crate::roles::worker::mail::{AccountMessage, MailMessage, SendOutcome};

/// Sends the mail. A second attempt sends the same mail, with the same Message-ID.
pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    let mail: AccountMail = job.payload()?;
    let message = AccountMessage {
        id: job.lease.job_id,
        purpose: mail.purpose,
        typed_email: mail.typed_email,
        link: format!("{}{}", context.public_url, mail.path),
        site: context.public_url.clone(),
        minutes: mail.minutes,
        stamp: mail.stamp,
    };
    let written = MailMessage::account(context.mailer.from(), &message, &RequestContext::current_id());
    let (outcome, detail, failed) = match written {
        Err(why) => (DeliveryOutcome::Refused, format!("{why:#}"), Some(RetryDecision::Discard)),
        Ok(message) => match context.mailer.send(&message).await {
            SendOutcome::Sent => (DeliveryOutcome::Delivered, "sent".to_owned(), None),
            SendOutcome::Refused { why } => (DeliveryOutcome::Refused, why, Some(RetryDecision::Discard)),
            SendOutcome::Deferred { why } => {
                (DeliveryOutcome::Failed, why, Some(RetryDecision::Retry { retry_after: None, slow: false }))
            }
        },
    };
    job.end_delivery(mail.email.as_str(), outcome, detail, failed).await
}
