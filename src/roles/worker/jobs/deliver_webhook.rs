//! Posts a meeting to the callback URL that the client gave.

use std::time::Instant;

use super::{JobOutcome, StartedJob};
use crate::platform::jobs::api::{DeliveryOutcome, RetryDecision};
use crate::platform::observe::span::{SpanRecord, is_recorded, outgoing, record};
use crate::platform::outbound::{Delivery, DeliveryResult, Secret};
use crate::platform::request_context::RequestContext;
use crate::roles::reservation::api::jobs::Webhook;
use crate::roles::worker::job_context::JobContext;

pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    let webhook: Webhook = job.payload()?;
    let secret = Secret::parse(&webhook.secret).map_err(|why| job.fail(RetryDecision::Discard, why.to_string()))?;
    let (host, _permit) = job.acquire_host(context, &webhook.url).await?;
    let (case, begin) = (RequestContext::current(), Instant::now());
    let (case_id, span) = (case.id(), outgoing(&case.trace));
    let body = webhook.body.clone().into();
    let (url, id, traceparent) = (&webhook.url, &webhook.id, span.text());
    let delivery = Delivery { url, id, body, secrets: &[secret], case_id, traceparent };
    let result = context.webhooks.send(&delivery).await;
    if is_recorded(&span) {
        // the path and the query may hold a secret of the client
        let scheme = url.split(':').next().unwrap_or_default();
        let call = SpanRecord::client("POST", &host, format!("{scheme}://{host}/"), 0, result.status());
        record(case.role, case_id, &span, begin, call);
    }
    let (outcome, detail, failed) = match result {
        DeliveryResult::Delivered { status } => {
            (DeliveryOutcome::Delivered, format!("it responded with {status}"), None)
        }
        DeliveryResult::Gone => {
            let detail = "it responded with 410: it wants no more deliveries".to_owned();
            (DeliveryOutcome::Refused, detail, Some(RetryDecision::Cancel))
        }
        DeliveryResult::Blocked { why } => {
            (DeliveryOutcome::Refused, format!("blocked_address: {why}"), Some(RetryDecision::Discard))
        }
        DeliveryResult::Failed { status, why, retry_after, timed_out } => {
            let retry_after = retry_after.map(|wait| wait.as_secs());
            let slow = timed_out || status == Some(429);
            (DeliveryOutcome::Failed, why, Some(RetryDecision::Retry { retry_after, slow }))
        }
    };
    job.end_delivery(&webhook.url, outcome, detail, failed).await
}
