//! Fetches a subscribed calendar and passes it to the owner of the job, which parses it.

use super::{JobOutcome, StartedJob, ignore_stale};
use crate::platform::outbound::Subscription;
use crate::platform::outbound::calendar_source::CalendarSource as _;
use crate::roles::user::api::calendars::{CalendarSubscription, RefreshReport};
use crate::roles::worker::job_context::JobContext;

pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    let calendar: CalendarSubscription = job.payload()?;
    let (_, _permit) = job.acquire_host(context, &calendar.url).await?;
    let source = Subscription { client: &context.webhooks, url: &calendar.url, max_bytes: context.calendar_body };
    // a failed fetch is a result too: the user sees it, and the calendar is due again later
    let report = RefreshReport { attempt: job.lease.attempt, fetched: source.fetch(&calendar.seen).await };
    let reported = job.owner.finish_with(job.lease.job_id, "calendar", &report).await;
    ignore_stale(reported).map_err(|problem| job.retry(problem.to_string()))
}
