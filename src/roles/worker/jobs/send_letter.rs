//! Writing to somebody about their account: one letter with a link that works once.

use crate::platform::request_context::Case;
use crate::roles::user::api::jobs::{Order, Outcome, Verdict};
use crate::roles::user::api::letters::AccountLetter;
use crate::roles::worker::mail::{Letter, Outcome as Carried, Slip};
use crate::roles::worker::tools::{End, Tools};

/// One attempt. Repeated, it is the same letter under the same Message-ID.
pub async fn perform(tools: &Tools, order: &Order, letter: &AccountLetter) -> End {
    let slip = Slip {
        id: order.job_id,
        purpose: letter.purpose,
        typed_email: letter.typed_email.clone(),
        link: format!("{}{}", tools.public_url, letter.path),
        site: tools.public_url.clone(),
        minutes: letter.minutes,
        stamp: letter.stamp,
    };
    let came = match Letter::about(tools.carrier.from(), &slip, &Case::current_id()) {
        Err(why) => (Outcome::Refused, Some(Verdict::Never), format!("{why:#}")),
        Ok(letter) => match tools.carrier.carry(&letter).await {
            Carried::Sent => (Outcome::Delivered, None, "sent".to_owned()),
            Carried::Refused { why } => (Outcome::Refused, Some(Verdict::Never), why),
            Carried::Later { why } => (Outcome::Failed, Some(Verdict::Again { retry_after: None, slow: false }), why),
        },
    };
    tools.end(order, letter.email.as_str(), came).await
}
