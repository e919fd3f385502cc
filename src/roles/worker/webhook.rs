//! Telling whoever asked for the meeting, at the address that they gave.

use super::line::is_over;
use super::tools::{End, Tools};
use crate::platform::case::Case;
use crate::platform::webhook::{Answer, Outgoing, Secret};
use crate::roles::user::api::jobs::{Done, Failure, Finding, Note, Order, Outcome, Verdict, Webhook};

/// One attempt to deliver.
pub async fn perform(tools: &Tools, order: &Order, webhook: &Webhook) -> End {
    let never = |why: String| Failure { verdict: Verdict::Never, ..Failure::again(order, why) };
    let secret = Secret::parse(&webhook.secret).map_err(|why| never(why.to_string()))?;
    let host = tools.guard.parse(&webhook.url).map(|url| url.host().to_owned()).unwrap_or_default();
    let Some(_seat) = tools.hosts.try_enter(&host) else {
        let error = format!("{host} has as many deliveries under way as it may");
        return Err(Failure { verdict: Verdict::Later, ..Failure::again(order, error) });
    };
    let case_id = Case::current_id();
    let body = webhook.body.clone().into();
    let outgoing = Outgoing { url: &webhook.url, id: &webhook.id, body, secrets: &[secret], case_id: &case_id };
    let (outcome, verdict, detail) = match tools.sender.send(&outgoing).await {
        Answer::Delivered { status } => (Outcome::Delivered, None, format!("it answered {status}")),
        Answer::Gone => (Outcome::Refused, Some(Verdict::Gone), "it answered 410: no more of this".to_owned()),
        Answer::Blocked { why } => (Outcome::Refused, Some(Verdict::Never), format!("blocked_address: {why}")),
        Answer::Failed { status, why, retry_after, timed_out } => {
            let retry_after = retry_after.map(|wait| wait.as_secs());
            (Outcome::Failed, Some(Verdict::Again { retry_after, slow: timed_out || status == Some(429) }), why)
        }
    };
    let notes = vec![Note { target: webhook.url.clone(), outcome, detail: detail.clone() }];
    if let Some(verdict) = verdict {
        return Err(Failure { verdict, notes, ..Failure::again(order, detail) });
    }
    let done = Done { attempt: order.attempt, result: Finding::Sent, notes };
    match tools.jobs.finish(order, &done).await {
        Err(problem) if !is_over(&problem) => Err(Failure::again(order, problem.to_string())),
        _ => Ok(()),
    }
}
