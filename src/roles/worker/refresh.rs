//! Looking whether a subscribed calendar has changed. What is found there is user's matter; here it is not even read.

use super::line::is_over;
use super::tools::{End, Tools};
use crate::platform::feed::Source as _;
use crate::platform::webhook::Subscription;
use crate::roles::user::api::calendars::{Feed, Refreshed};
use crate::roles::user::api::jobs::{Failure, Order, Verdict};

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
