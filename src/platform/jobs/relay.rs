//! The relay: publishes the messages of the outbox, at least once, those of one aggregate in order.

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use jiff_diesel::DateTime;
use tokio::time::{sleep, timeout};

use super::model::{JobState, OPEN, sweep_at};
use crate::config::Jobs as Limits;
use crate::platform::data::OutboxRow;
use crate::platform::data::instant::{now, stored};
use crate::platform::data::schema::{jobs, outbox};
use crate::platform::data::{Connection, Error, Owner, RunQueryDsl};
use crate::platform::observe::span::{SpanRecord, is_recorded, record};
use crate::platform::observe::trace_context::TraceContext;
use crate::platform::queue::{Destination, Message, PublishError, Queue};
use crate::{read, transact};

/// Messages in one batch.
const BATCH: i64 = 256;
/// The pause after a batch: under load messages are published in company; an idle relay starts at once.
const GATHERING: Duration = Duration::from_millis(10);
/// How often the outbox is read without a notification: other replicas may have left messages in it.
const TICK: Duration = Duration::from_secs(1);
/// The pause after the queue refused a message.
const PAUSE: Duration = Duration::from_millis(200);

/// Publishes for as long as the process lives.
pub async fn publish(owner: Owner, queue: Arc<Queue>) {
    while owner.db.is_ours_alone()
        && queue.is_in_memory()
        && let Err(why) = owner.recover().await
    {
        tracing::debug!(%why, "the jobs of the last process cannot be read");
        sleep(PAUSE).await;
    }
    let mut warned = None;
    // up to this id there are events that a role in this process has not taken; every tick they are tried again
    let (mut tried, mut since) = (String::new(), Instant::now());
    loop {
        drop(timeout(TICK, owner.outbox_notify.notified()).await);
        if since.elapsed() >= TICK {
            (tried, since) = (String::new(), Instant::now());
        }
        loop {
            match publish_batch(&owner, &queue, &mut tried).await {
                Ok(Pass::Idle) => {
                    owner.note_blocked(None);
                    break;
                }
                Ok(Pass::Sent) => {
                    warned = None;
                    owner.note_blocked(None);
                    sleep(GATHERING).await;
                }
                Ok(Pass::Blocked(why)) => {
                    // one warning for each reason, until a message was published
                    if warned.replace(discriminant(&why)) != Some(discriminant(&why)) {
                        tracing::warn!(role = owner.role, %why, "the queue accepts no message: messages wait in the outbox");
                    }
                    owner.note_blocked(Some(why));
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

/// Publishes the oldest messages behind `tried`.
async fn publish_batch(owner: &Owner, queue: &Queue, tried: &mut String) -> Result<Pass, Error> {
    if !owner.has_messages().await? {
        return Ok(Pass::Idle);
    }
    // without a connection, picking messages would be wasted work
    if let Some(why) = queue.unavailable() {
        return Ok(Pass::Blocked(why));
    }
    let alone = owner.db.is_ours_alone();
    // rows that a transaction holds are published by no other replica; they are free again whatever becomes of this one
    let mut held = if alone { owner.db.connect().await? } else { owner.db.begin().await? };
    let rows = owner.db.within(oldest_messages(&mut held, owner.db.skipping_held(), tried)).await?;
    if rows.is_empty() {
        if !alone {
            held.end(Ok::<(), Error>(())).await?;
        }
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
    let last = rows.last().map(|row| row.id.clone()).unwrap_or_default();
    let mut blocked = None;
    let mut sent = Vec::new();
    for (row, result) in rows.into_iter().zip(results) {
        match result {
            Ok(()) => sent.push(row),
            // a role in this process has not taken the event: those behind it go first
            Err(PublishError::Unconfirmed) if queue.is_in_memory() => tried.clone_from(&last),
            Err(why) => blocked = Some(why),
        }
    }
    if alone {
        drop(std::mem::replace(&mut held, owner.db.begin().await?));
    }
    let removed = owner.db.within(remove_published(&mut held, &owner.limits, &sent)).await;
    owner.db.within(held.end(removed)).await?;
    for row in sent.iter().filter(|row| row.job_id.is_some()) {
        let (kind, role) = (row.routing_key.trim_start_matches("job."), owner.role);
        let trace_id = TraceContext::id_in(&row.traceparent);
        tracing::info!(
            role,
            case_id = row.case_id,
            trace_id,
            job_id = row.job_id,
            kind,
            queue = queue.destination_name(&Destination::Jobs).1,
            "ENQUEUE"
        );
    }
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
    /// Tells health whether messages leave.
    fn note_blocked(&self, why: Option<PublishError>) {
        *self.outbox_blocked.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

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

    /// Makes the unfinished jobs due now, when the queue was lost with the last process. A job without a due time is still in the
    /// outbox.
    async fn recover(&self) -> Result<(), Error> {
        transact!(self.db, |conn| {
            let unfinished = jobs::state.eq_any([JobState::Queued.name(), JobState::Running.name()]);
            let published = jobs::table.filter(unfinished).filter(jobs::due_at.is_not_null());
            diesel::update(published).set(jobs::due_at.eq(stored(now()))).execute(conn).await?;
            Ok::<(), Error>(())
        })
    }
}

/// Picks the oldest message of each aggregate, except those up to `tried` and those that another replica holds.
async fn oldest_messages(conn: &mut Connection, skipping_held: &str, tried: &str) -> Result<Vec<OutboxRow>, Error> {
    let query = format!(
        "SELECT id, aggregate, position, routing_key, job_id, case_id, traceparent, body FROM outbox o \
         WHERE o.id > $1 AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.aggregate = o.aggregate \
         AND (p.position < o.position OR (p.position = o.position AND p.id < o.id))) \
         ORDER BY o.id LIMIT {BATCH} {skipping_held}"
    );
    Ok(diesel::sql_query(query).bind::<diesel::sql_types::Text, _>(tried).load(conn).await?)
}

/// Removes messages that the queue has confirmed. The sweeper publishes their jobs again if they do not finish.
async fn remove_published(conn: &mut Connection, limits: &Limits, rows: &[OutboxRow]) -> Result<(), Error> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let times: BTreeSet<i64> = rows.iter().filter(|row| row.job_id.is_some()).map(|row| row.position).collect();
    diesel::delete(outbox::table.filter(outbox::id.eq_any(&ids))).execute(conn).await?;
    for sent in times {
        let these = rows.iter().filter(|row| row.position == sent).filter_map(|row| row.job_id.as_deref());
        let again: Option<DateTime> = sweep_at(i32::try_from(sent).unwrap_or(0), limits, now()).map(stored);
        // a job that was started meanwhile has a deadline already
        let open = jobs::table.filter(jobs::id.eq_any(these)).filter(jobs::state.eq_any(OPEN));
        let open = open.filter(jobs::due_at.is_null());
        diesel::update(open).set((jobs::sent.eq(jobs::sent + 1), jobs::due_at.eq(again))).execute(conn).await?;
    }
    Ok(())
}
