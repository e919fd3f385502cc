//! Looking whether a subscribed calendar has changed. What is found there is user's matter; here it is not even read.

use crate::platform::outbound::Subscription;
use crate::platform::outbound::calendar_source::CalendarSource as _;
use crate::roles::user::api::calendars::{CalendarSubscription, RefreshReport};
use crate::roles::user::api::jobs::{AttemptFailure, JobLease, RetryDecision};
use crate::roles::worker::consumer::is_over;
use crate::roles::worker::tools::{JobOutcome, Tools};

/// One look.
pub async fn perform(tools: &Tools, order: &JobLease, feed: &CalendarSubscription) -> JobOutcome {
    let host = tools.guard.parse(&feed.url).map(|url| url.host().to_owned()).unwrap_or_default();
    let Some(_seat) = tools.hosts.try_enter(&host) else {
        let error = format!("{host} has as many requests under way as it may");
        return Err(AttemptFailure { verdict: RetryDecision::Later, ..AttemptFailure::again(order, error) });
    };
    let source = Subscription { sender: &tools.sender, url: &feed.url, most: tools.calendar_body };
    // a calendar that cannot be had is a result too: its owner is told, and it is due again later
    let refreshed = RefreshReport { attempt: order.attempt, fetched: source.fetch(&feed.seen).await };
    match tools.jobs.refreshed(order, &refreshed).await {
        Err(problem) if !is_over(&problem) => Err(AttemptFailure::again(order, problem.to_string())),
        _ => Ok(()),
    }
}
