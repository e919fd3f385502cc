//! The relay: publishes the messages of the outbox, at least once, those of one aggregate in order.

use std::mem::discriminant;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use jiff::SignedDuration;
use jiff_diesel::DateTime;
use tokio::time::{sleep, timeout};

use super::model::{JobState, OPEN, sweep_at};
use crate::platform::data::instant::{now, stored};
use crate::platform::data::outbox::OutboxRow;
use crate::platform::data::schema::{jobs, outbox};
use crate::platform::data::{Error, Owner, RunQueryDsl};
use crate::platform::observe::span::{SpanRecord, is_recorded, record};
use crate::platform::observe::trace_context::TraceContext;
use crate::platform::queue::{Destination, Message, PublishError, Queue};
use crate::{read, transact};

/// Messages in one batch.
const BATCH: i64 = 256;
/// How long a replica may keep the messages that it claimed; publishing takes two seconds at most.
const CLAIM: SignedDuration = SignedDuration::from_secs(5);
/// How often the outbox is read without a notification: other replicas may have left messages in it.
const TICK: Duration = Duration::from_secs(1);
/// The pause after the queue refused a message.
const PAUSE: Duration = Duration::from_millis(200);

/// Publishes for as long as the process lives.
pub async fn publish(owner: Owner, queue: Arc<Queue>) {
    while owner.db.is_ours_alone()
        && let Err(why) = owner.recover(queue.is_in_memory()).await
    {
        tracing::debug!(%why, "the jobs of the last process cannot be read");
        sleep(PAUSE).await;
    }
    let mut warned = None;
    loop {
        drop(timeout(TICK, owner.outbox_notify.notified()).await);
        loop {
            match publish_batch(&owner, &queue).await {
                Ok(Pass::Idle) => break,
                Ok(Pass::Sent) => warned = None,
                Ok(Pass::Blocked(why)) => {
                    // one warning for each reason, until a message was published
                    if warned.replace(discriminant(&why)) != Some(discriminant(&why)) {
                        tracing::warn!(role = owner.role, %why, "the queue accepts no message: messages wait in the outbox");
                    }
                    sleep(PAUSE).await;
                    break;
                }
                Err(why) => {
                    tracing::debug!(%why, "the outbox cannot be read");
                    sleep(PAUSE).await;
                    break;
                }
            }
        }
    }
}

/// Watches whether the outbox is full, for as long as the process lives.
pub async fn watch_backlog(owner: Owner) {
    loop {
        if let Ok(full) = owner.outbox_is_full().await
            && owner.outbox_full.swap(full, Ordering::Relaxed) != full
        {
            match full {
                true => tracing::warn!(
                    backlog = owner.limits.backlog,
                    "the outbox is full: requests that need the queue are refused"
                ),
                false => tracing::info!("the outbox accepts messages again"),
            }
        }
        sleep(TICK).await;
    }
}

/// How one pass over the outbox ended.
enum Pass {
    /// There was nothing to publish.
    Idle,
    /// A batch was published.
    Sent,
    /// The queue refused a message.
    Blocked(PublishError),
}

async fn publish_batch(owner: &Owner, queue: &Queue) -> Result<Pass, Error> {
    if !owner.has_messages().await? {
        return Ok(Pass::Idle);
    }
    // without a connection, claiming messages would be wasted work
    if let Some(why) = queue.unavailable() {
        return Ok(Pass::Blocked(why));
    }
    let rows = owner.claim().await?;
    if rows.is_empty() {
        return Ok(Pass::Idle);
    }
    let begin = Instant::now();
    let spans: Vec<TraceContext> = rows.iter().map(|row| TraceContext::resume(&row.traceparent)).collect();
    let messages: Vec<Message> = rows.iter().zip(&spans).map(|(row, span)| message(row, span)).collect();
    let results = queue.publish(&messages).await;
    for ((message, span), result) in
        messages.iter().zip(&spans).zip(&results).filter(|((_, span), _)| is_recorded(span))
    {
        let (system, destination) = queue.destination_name(&message.to);
        let failed = result.as_ref().err().map(ToString::to_string);
        let record_of_send = SpanRecord::send(system, destination, &message.id, failed);
        record(owner.role, &message.case_id, span, begin, record_of_send);
    }
    let mut blocked = None;
    let (mut sent, mut unsent) = (Vec::new(), Vec::new());
    for (row, result) in rows.into_iter().zip(results) {
        match result {
            Ok(()) => sent.push(row),
            Err(why) => {
                blocked = Some(why);
                unsent.push(row.id);
            }
        }
    }
    owner.remove_published(&sent).await?;
    for row in sent.iter().filter(|row| row.job_id.is_some()) {
        let (kind, role) = (row.routing_key.trim_start_matches("job."), owner.role);
        let trace_id = TraceContext::id_in(&row.traceparent);
        tracing::info!(
            role,
            case_id = row.case_id,
            trace_id,
            job_id = row.job_id,
            kind,
            queue = queue.name(),
            "ENQUEUE"
        );
    }
    owner.release(&unsent).await?;
    Ok(blocked.map_or(Pass::Sent, Pass::Blocked))
}

/// The message of a row, with the span that publishes it if that span is exported, else with the span that it goes back to.
fn message(row: &OutboxRow, publishing: &TraceContext) -> Message {
    let span = if is_recorded(publishing) { publishing.text() } else { &row.traceparent };
    Message {
        id: row.id.clone(),
        to: if row.job_id.is_some() { Destination::Jobs } else { Destination::Event(row.routing_key.clone()) },
        case_id: row.case_id.clone(),
        traceparent: span.to_owned(),
        body: row.body.clone().into(),
    }
}

impl Owner {
    async fn has_messages(&self) -> Result<bool, Error> {
        let any: Option<String> =
            read!(self.db, |conn| async { outbox::table.select(outbox::id).first(conn).await.optional() })?;
        Ok(any.is_some())
    }

    async fn outbox_is_full(&self) -> Result<bool, Error> {
        let beyond = outbox::table.order(outbox::id.asc()).offset(self.limits.backlog - 1).limit(1).select(outbox::id);
        let any: Option<String> = read!(self.db, |conn| async { beyond.first(conn).await.optional() })?;
        Ok(any.is_some())
    }

    /// Claims the oldest message of each aggregate, so that no other replica publishes it too.
    async fn claim(&self) -> Result<Vec<OutboxRow>, Error> {
        let suffix = if self.db.is_ours_alone() { "" } else { "FOR UPDATE OF o SKIP LOCKED" };
        let query = format!(
            "UPDATE outbox SET claimed_until = $1 WHERE id IN (SELECT o.id FROM outbox o \
             WHERE (o.claimed_until IS NULL OR o.claimed_until < $2) AND NOT EXISTS (SELECT 1 FROM outbox p \
             WHERE p.aggregate = o.aggregate AND (p.position < o.position OR (p.position = o.position AND p.id < o.id))) \
             ORDER BY o.id LIMIT {BATCH} {suffix}) \
             RETURNING id, aggregate, position, routing_key, job_id, case_id, traceparent, body"
        );
        let begin = now();
        let until = begin.saturating_add(CLAIM).unwrap_or(begin);
        transact!(self.db, |conn| {
            let query = diesel::sql_query(&query);
            let query = query.bind::<diesel::sql_types::Timestamp, _>(stored(until));
            let mut rows: Vec<OutboxRow> =
                query.bind::<diesel::sql_types::Timestamp, _>(stored(begin)).load(conn).await?;
            rows.sort_by(|a, b| a.id.cmp(&b.id));
            Ok::<_, Error>(rows)
        })
    }

    /// Removes messages that the queue has confirmed. The sweeper publishes their jobs again if they do not finish.
    async fn remove_published(&self, rows: &[OutboxRow]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let mut times: Vec<i64> = rows.iter().filter(|row| row.job_id.is_some()).map(|row| row.position).collect();
        times.sort_unstable();
        times.dedup();
        transact!(self.db, |conn| {
            diesel::delete(outbox::table.filter(outbox::id.eq_any(&ids))).execute(conn).await?;
            for sent in &times {
                let these = rows.iter().filter(|row| row.position == *sent).filter_map(|row| row.job_id.as_deref());
                let these: Vec<&str> = these.collect();
                let again: Option<DateTime> =
                    sweep_at(i32::try_from(*sent).unwrap_or(0), &self.limits, now()).map(stored);
                // a job that was started meanwhile has a deadline already
                let open = jobs::table.filter(jobs::id.eq_any(these)).filter(jobs::state.eq_any(OPEN));
                let open = open.filter(jobs::due_at.is_null());
                diesel::update(open).set((jobs::sent.eq(jobs::sent + 1), jobs::due_at.eq(again))).execute(conn).await?;
            }
            Ok::<(), Error>(())
        })
    }

    /// Releases messages that could not be published.
    async fn release(&self, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        transact!(self.db, |conn| {
            let mine = outbox::table.filter(outbox::id.eq_any(ids));
            diesel::update(mine).set(outbox::claimed_until.eq(None::<DateTime>)).execute(conn).await?;
            Ok::<(), Error>(())
        })
    }

    /// Releases the messages that the last process had claimed. When its queue was lost with it, also makes its unfinished jobs
    /// due now; a job without a due time is still in the outbox.
    async fn recover(&self, queue_was_lost: bool) -> Result<(), Error> {
        transact!(self.db, |conn| {
            diesel::update(outbox::table).set(outbox::claimed_until.eq(None::<DateTime>)).execute(conn).await?;
            if queue_was_lost {
                let unfinished = jobs::state.eq_any([JobState::Queued.name(), JobState::Running.name()]);
                let published = jobs::table.filter(unfinished).filter(jobs::due_at.is_not_null());
                diesel::update(published).set(jobs::due_at.eq(stored(now()))).execute(conn).await?;
            }
            Ok::<(), Error>(())
        })
    }
}
