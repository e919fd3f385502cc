//! Telling whoever asked for the meeting, at the address that they gave.

use std::time::Instant;

use crate::platform::observe::span::{SpanRecord, is_recorded, outgoing, record};
use crate::platform::outbound::{Delivery, DeliveryResult, Secret};
use crate::platform::request_context::RequestContext;
use crate::roles::user::api::jobs::{AttemptFailure, DeliveryOutcome, JobLease, RetryDecision, Webhook};
use crate::roles::worker::tools::{JobOutcome, Tools};

/// One attempt to deliver.
pub async fn perform(tools: &Tools, order: &JobLease, webhook: &Webhook) -> JobOutcome {
    let never = |why: String| AttemptFailure { verdict: RetryDecision::Never, ..AttemptFailure::again(order, why) };
    let secret = Secret::parse(&webhook.secret).map_err(|why| never(why.to_string()))?;
    let host = tools.guard.parse(&webhook.url).map(|url| url.host().to_owned()).unwrap_or_default();
    let Some(_seat) = tools.hosts.try_enter(&host) else {
        let error = format!("{host} has as many deliveries under way as it may");
        return Err(AttemptFailure { verdict: RetryDecision::Later, ..AttemptFailure::again(order, error) });
    };
    let (case, begin) = (RequestContext::current(), Instant::now());
    let (case_id, step) = (case.id(), outgoing(&case.trace));
    let body = webhook.body.clone().into();
    let (url, id, traceparent) = (&webhook.url, &webhook.id, step.text());
    let delivery = Delivery { url, id, body, secrets: &[secret], case_id, traceparent };
    let answer = tools.sender.send(&delivery).await;
    if is_recorded(&step) {
        // the rest of the address may be a secret of its owner
        let scheme = url.split(':').next().unwrap_or_default();
        let told = SpanRecord::client("POST", &host, format!("{scheme}://{host}/"), 0, answer.told());
        record(case.role, case_id, &step, begin, told);
    }
    let came = match answer {
        DeliveryResult::Delivered { status } => (DeliveryOutcome::Delivered, None, format!("it answered {status}")),
        DeliveryResult::Gone => {
            (DeliveryOutcome::Refused, Some(RetryDecision::Gone), "it answered 410: no more of this".to_owned())
        }
        DeliveryResult::Blocked { why } => {
            (DeliveryOutcome::Refused, Some(RetryDecision::Never), format!("blocked_address: {why}"))
        }
        DeliveryResult::Failed { status, why, retry_after, timed_out } => {
            let retry_after = retry_after.map(|wait| wait.as_secs());
            (
                DeliveryOutcome::Failed,
                Some(RetryDecision::Again { retry_after, slow: timed_out || status == Some(429) }),
                why,
            )
        }
    };
    tools.end(order, &webhook.url, came).await
}
