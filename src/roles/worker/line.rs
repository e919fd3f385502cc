//! The worker's line: takes jobs out of the queue, as many at a time as it may, and reports how each attempt ended.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;
use uuid::Uuid;

use super::tools::{End, Tools};
use super::{invite, refresh, schedule, webhook};
use crate::platform::case::{Case, milliseconds};
use crate::platform::event::Event;
use crate::platform::problem::{JOB_NOT_YOURS, Problem, UNKNOWN_JOB};
use crate::platform::queue::{Delivery, Queue};
use crate::platform::role::{Lifecycle, Stage};
use crate::roles::user::api::jobs::{Failure, Notice, Order, Verdict, Work};

/// How long a job is left alone that could not even be started: user is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Works until the process drains; then finishes what is in hand.
pub async fn work(tools: Tools, queue: Arc<Queue>, lifecycle: Arc<Lifecycle>) {
    let tools = Rc::new(tools);
    let mut consumer = queue.consume(tools.limits.concurrency);
    let mut hands = JoinSet::new();
    let draining = lifecycle.reached(Stage::Draining);
    tokio::pin!(draining);
    loop {
        let free = hands.len() < usize::from(tools.limits.concurrency);
        tokio::select! {
            () = &mut draining => break,
            Some(_) = hands.join_next(), if !hands.is_empty() => {}
            delivery = consumer.next(), if free => drop(hands.spawn_local(handle(Rc::clone(&tools), delivery))),
        }
    }
    // a second less than the process waits for us, to give the rest back in order
    let patience = Duration::from_secs(tools.limits.drain_seconds.saturating_sub(1));
    let all = async { while hands.join_next().await.is_some() {} };
    if timeout(patience, all).await.is_err() {
        tracing::warn!(jobs = hands.len(), "stopping with jobs in hand: they go back to the queue");
        hands.abort_all();
        while hands.join_next().await.is_some() {}
    }
    consumer.close().await;
}

/// One delivery, to its acknowledgement.
async fn handle(tools: Rc<Tools>, delivery: Delivery) {
    let Some(job) = job_of(&delivery) else {
        tracing::error!(role = super::ROLE.name, case_id = delivery.case_id, "JOB_ERROR: a message that names no job");
        return delivery.never().await;
    };
    let case = match &delivery.case_id {
        Some(id) => Case::resumed(id, super::ROLE.name),
        None => Case::fresh(super::ROLE.name),
    };
    let span = tracing::info_span!("job", role = super::ROLE.name, case_id = case.id());
    case.scope(
        async {
            match tools.jobs.start(job).await {
                Ok(order) => match attempt(&tools, &order).await {
                    Ok(()) => delivery.done().await,
                    // nobody has heard how it ended: the next attempt will tell
                    Err(()) => put_back(delivery).await,
                },
                Err(problem) if problem.kind == UNKNOWN_JOB => {
                    tracing::error!(job_id = %job, "JOB_ERROR: nobody knows this job");
                    delivery.never().await;
                }
                Err(problem) if problem.kind == JOB_NOT_YOURS => {
                    tracing::info!(job_id = %job, why = %problem.detail, "nothing to do");
                    delivery.done().await;
                }
                Err(problem) => {
                    tracing::warn!(job_id = %job, %problem, "the job cannot be started");
                    put_back(delivery).await;
                }
            }
        }
        .instrument(span),
    )
    .await;
}

async fn put_back(delivery: Delivery) {
    sleep(PAUSE).await;
    delivery.again().await;
}

fn job_of(delivery: &Delivery) -> Option<Uuid> {
    let event: Event = serde_json::from_slice(&delivery.body).ok()?;
    let notice: Notice = serde_json::from_value(event.data).ok()?;
    Some(notice.job_id)
}

/// One attempt, to the report of how it ended.
async fn attempt(tools: &Tools, order: &Order) -> Result<(), ()> {
    let begin = Instant::now();
    let (job_id, attempt) = (order.job_id, order.attempt);
    tracing::info!(%job_id, attempt, kind = order.work.name(), meeting_id = %order.meeting_id, "JOB_START");
    let limit = Duration::from_secs(tools.limits.attempt_seconds);
    let done = AssertUnwindSafe(timeout(limit, perform(tools, order))).catch_unwind().await;
    let end = match done {
        Ok(Ok(end)) => end,
        Ok(Err(_)) => Err(Failure::again(order, format!("it took longer than {} s", limit.as_secs()))),
        Err(_) => Err(Failure::again(order, "the worker stumbled over it; its log says more".to_owned())),
    };
    let ms = milliseconds(begin);
    match end {
        Ok(()) => {
            tracing::info!(%job_id, attempt, kind = order.work.name(), ms, "JOB_DONE");
            Ok(())
        }
        Err(failure) if matches!(failure.verdict, Verdict::Later) => {
            tracing::debug!(%job_id, attempt, ms, why = failure.error, "put back for a moment");
            report(tools, job_id, &failure).await
        }
        Err(failure) => {
            tracing::warn!(%job_id, attempt, ms, error = failure.error, "JOB_ERROR");
            report(tools, job_id, &failure).await
        }
    }
}

async fn report(tools: &Tools, job: Uuid, failure: &Failure) -> Result<(), ()> {
    match tools.jobs.fail(job, failure).await {
        Ok(()) => Ok(()),
        Err(problem) if is_over(&problem) => Ok(()),
        Err(problem) => {
            tracing::warn!(job_id = %job, %problem, "nobody hears that the job failed");
            Err(())
        }
    }
}

/// Whether the job is another attempt's by now, or wanted by nobody.
pub fn is_over(problem: &Problem) -> bool {
    problem.kind == JOB_NOT_YOURS || problem.kind == UNKNOWN_JOB
}

async fn perform(tools: &Tools, order: &Order) -> End {
    match &order.work {
        Work::ScheduleMeeting(search) => schedule::perform(tools, order, search).await,
        Work::SendInvitations(mailing) => invite::perform(tools, order, mailing).await,
        Work::DeliverWebhook(webhook) => webhook::perform(tools, order, webhook).await,
        Work::RefreshCalendar(feed) => refresh::perform(tools, order, feed).await,
        Work::Other => Err(Failure::again(order, "this worker does not know this kind of job".to_owned())),
    }
}

impl Failure {
    /// An attempt that is worth another one.
    pub fn again(order: &Order, error: String) -> Failure {
        let verdict = Verdict::Again { retry_after: None, slow: false };
        Failure { attempt: order.attempt, verdict, error, notes: Vec::new() }
    }
}
