//! Owners that hear events: each event that the row of a role names takes effect once, in the transaction that records it as
//! received. Until then it is delivered again and again, however long the role was away.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::prelude::*;
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use crate::platform::data::instant::{now, stored};
use crate::platform::data::schema::inbox;
use crate::platform::data::{Abort, Connection, DataOwner, Error, RunQueryDsl};
use crate::platform::http::problem::Problem;
use crate::platform::queue::event::Event;
use crate::platform::queue::{Disposition, Queue, ReceivedEvent};
use crate::platform::request_context::RequestContext;
use crate::platform::role::Role;
use crate::transact;

/// Failing events that are remembered, so that each cause is logged once.
const MAX_FAILING: usize = 1000;

/// An owner that receives events.
pub trait Subscriber: DataOwner {
    /// Does what is too much for one transaction before [`Subscriber::receive`]. It may be repeated.
    fn prepare(&self, _event: &Event) -> impl Future<Output = Result<(), Abort>> + Send {
        async { Ok(()) }
    }

    /// Takes the effect of one event, in the transaction that records it as received. Events of one subject may come out of order
    /// after a failure: their versions order them. An owner that subscribes to nothing leaves it out.
    fn receive(&self, _conn: &mut Connection, event: &Event) -> impl Future<Output = Result<(), Abort>> + Send {
        let error = Error::Corrupt(format!("{} does not take {}", self.owner().role, event.name()));
        async { Err(error.into()) }
    }
}

/// Hands every event that the row of the role names to its subscriber, for as long as the process lives. Call it when the role has
/// migrated its database.
pub fn spawn_subscriber<S: Subscriber>(subscriber: &S, queue: &Queue, role: &Role) {
    let inbox = Arc::new(Inbox { subscriber: subscriber.clone(), keys: role.subscribes, failing: Mutex::default() });
    let handler = move |received| {
        let inbox = Arc::clone(&inbox);
        async move { inbox.handle(received).await }.boxed()
    };
    queue.deliver_events(role.name, Arc::new(handler));
}

struct Inbox<S> {
    subscriber: S,
    keys: &'static [&'static str],
    /// Why events failed the last time, by their ids.
    failing: Mutex<HashMap<String, String>>,
}

impl<S: Subscriber> Inbox<S> {
    async fn handle(&self, received: ReceivedEvent) -> Disposition {
        let ReceivedEvent { body, case_id, traceparent } = received;
        let role = self.subscriber.owner().role;
        let event: Event = match serde_json::from_slice(&body) {
            Ok(event) => event,
            Err(why) => {
                tracing::error!(role, case_id, %why, "a message that is no event is rejected");
                return Disposition::Reject;
            }
        };
        // an earlier release may have subscribed to more
        if !self.keys.contains(&event.name()) {
            return Disposition::Ack;
        }
        let case = RequestContext::resume(&case_id, &traceparent, role);
        let span = tracing::info_span!("event", role, case_id = case.id(), trace_id = case.trace.id());
        let taken = AssertUnwindSafe(case.scope(self.take(&event).instrument(span))).catch_unwind().await;
        match taken.unwrap_or_else(|_| Err("the subscriber panicked".to_owned())) {
            Ok(()) => {
                self.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(&event.id);
                Disposition::Ack
            }
            Err(why) => {
                self.report(&event, why);
                Disposition::Requeue
            }
        }
    }

    /// Takes the effect of an event, unless it was taken before.
    async fn take(&self, event: &Event) -> Result<(), String> {
        let owner = self.subscriber.owner();
        let taken = async {
            self.subscriber.prepare(event).await?;
            transact!(owner.db, |conn| {
                let row = (inbox::event_id.eq(&event.id), inbox::received_at.eq(stored(now())));
                let receiving = diesel::insert_into(inbox::table).values(row).on_conflict(inbox::event_id).do_nothing();
                if receiving.execute(conn).await? > 0 {
                    self.subscriber.receive(conn, event).await?;
                }
                Ok::<(), Abort>(())
            })
        };
        let taken = taken.await;
        owner.outbox_notify.notify_one();
        taken.map_err(|abort| match abort {
            Abort::Database(error) => error.to_string(),
            other => Problem::from(other).to_string(),
        })
    }

    /// Warns of a failure, once for each cause.
    fn report(&self, event: &Event, why: String) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if !failing.values().any(|known| *known == why) {
            let (role, event_id, name) = (self.subscriber.owner().role, &event.id, event.name());
            tracing::warn!(role, event_id, name, why, "an event could not be taken; it will be delivered again");
        }
        if failing.len() >= MAX_FAILING {
            failing.clear();
        }
        failing.insert(event.id.clone(), why);
    }
}
