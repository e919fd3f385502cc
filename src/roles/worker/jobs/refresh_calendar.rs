//! Looking whether a subscribed calendar has changed. What is found there is user's matter; here it is not even read.

use crate::platform::outbound::Subscription;
use crate::platform::outbound::calendar_source::Source as _;
use crate::roles::user::api::calendars::{Feed, Refreshed};
use crate::roles::user::api::jobs::{Failure, Order, Verdict};
use crate::roles::worker::consumer::is_over;
use crate::roles::worker::tools::{End, Tools};

/// One look.
pub async fn perform(tools: &Tools, order: &Order, feed: &Feed) -> End {
    let host = tools.guard.parse(&feed.url).map(|url| url.host().to_owned()).unwrap_or_default();
    let Some(_seat) = tools.hosts.try_enter(&host) else {
        let error = format!("{host} has as many requests under way as it may");
        return Err(Failure { verdict: Verdict::Later, ..Failure::again(order, error) });
    };
    let source = Subscription { sender: &tools.sender, url: &feed.url, most: tools.calendar_body };
    // a calendar that cannot be had is a result too: its owner is told, and it is due again later
    let refreshed = Refreshed { attempt: order.attempt, fetched: source.fetch(&feed.seen).await };
    match tools.jobs.refreshed(order, &refreshed).await {
        Err(problem) if !is_over(&problem) => Err(Failure::again(order, problem.to_string())),
        _ => Ok(()),
    }
}
