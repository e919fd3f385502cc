//! Writing to somebody about their account: one letter with a link that works once.

use crate::platform::request_context::RequestContext;
use crate::roles::user::api::jobs::{DeliveryOutcome, JobLease, RetryDecision};
use crate::roles::user::api::letters::AccountMail;
use crate::roles::worker::mail::{AccountMessage, InvitationMessage, Outcome as Carried};
use crate::roles::worker::tools::{JobOutcome, Tools};

/// One attempt. Repeated, it is the same letter under the same Message-ID.
pub async fn perform(tools: &Tools, order: &JobLease, letter: &AccountMail) -> JobOutcome {
    let slip = AccountMessage {
        id: order.job_id,
        purpose: letter.purpose,
        typed_email: letter.typed_email.clone(),
        link: format!("{}{}", tools.public_url, letter.path),
        site: tools.public_url.clone(),
        minutes: letter.minutes,
        stamp: letter.stamp,
    };
    let came = match InvitationMessage::about(tools.carrier.from(), &slip, &RequestContext::current_id()) {
        Err(why) => (DeliveryOutcome::Refused, Some(RetryDecision::Never), format!("{why:#}")),
        Ok(letter) => match tools.carrier.carry(&letter).await {
            Carried::Sent => (DeliveryOutcome::Delivered, None, "sent".to_owned()),
            Carried::Refused { why } => (DeliveryOutcome::Refused, Some(RetryDecision::Never), why),
            Carried::Later { why } => {
                (DeliveryOutcome::Failed, Some(RetryDecision::Again { retry_after: None, slow: false }), why)
            }
        },
    };
    tools.end(order, letter.email.as_str(), came).await
}
