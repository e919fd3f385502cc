//! The queue inside this process, in memory. The owners' tables are the record: jobs that wait here when the process ends are
//! published again from them at the next start, and an event stays in its outbox until every role that subscribes has taken it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::{Instant, timeout_at};

use super::{
    CONFIRM_TIMEOUT, Delivery, Destination, Disposition, EVENT_BUFFER, EventHandler, Message, PublishError,
    ReceivedEvent, StreamItem, Subscription,
};

/// The jobs that wait, and the subscribers to events.
pub struct Embedded {
    /// The name of the queue of jobs.
    name: String,
    ready: Arc<ReadyQueue>,
    events: broadcast::Sender<StreamItem>,
    subscriptions: Vec<Subscription>,
    /// The handlers of the roles that have started.
    handlers: Mutex<BTreeMap<&'static str, EventHandler>>,
}

/// A job that waits or is with a consumer.
struct Job {
    /// The place in the queue; a job keeps it when it is requeued.
    seq: u64,
    message: Message,
    redelivered: bool,
}

/// The jobs that wait for a consumer, oldest first.
#[derive(Default)]
struct ReadyQueue {
    state: Mutex<ReadyState>,
    added: Notify,
}

#[derive(Default)]
struct ReadyState {
    last_seq: u64,
    jobs: BTreeMap<u64, Job>,
}

impl ReadyQueue {
    fn append(&self, message: Message) {
        let mut state = self.lock();
        state.last_seq += 1;
        let seq = state.last_seq;
        state.jobs.insert(seq, Job { seq, message, redelivered: false });
        self.added.notify_one();
    }

    fn requeue(&self, job: Job) {
        self.lock().jobs.insert(job.seq, Job { redelivered: true, ..job });
        self.added.notify_one();
    }

    /// Takes the oldest job; waits for one. The future may be dropped while it waits.
    async fn take(&self) -> Job {
        loop {
            // a consumer looks before it waits, and `Notify` stores a wake-up without a waiter: none is missed
            if let Some((_, job)) = self.lock().jobs.pop_first() {
                return job;
            }
            self.added.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, ReadyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Embedded {
    /// An empty queue of this name.
    pub fn new(name: &str, subscriptions: Vec<Subscription>) -> Embedded {
        let (ready, events) = (Arc::default(), broadcast::channel(EVENT_BUFFER).0);
        Embedded { name: name.to_owned(), ready, events, subscriptions, handlers: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Publishes jobs and live events at once, then has the subscribed roles take the events.
    pub(super) async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        for message in messages {
            match &message.to {
                Destination::Jobs => self.ready.append(message.clone()),
                Destination::Event(routing_key) => {
                    let event = StreamItem::Event { routing_key: routing_key.clone(), body: message.body.clone() };
                    // the error says that there is no subscriber, which is no fault
                    drop(self.events.send(event));
                }
            }
        }
        let deadline = Instant::now() + CONFIRM_TIMEOUT;
        let mut results = Vec::with_capacity(messages.len());
        for message in messages {
            results.push(self.deliver(message, deadline).await);
        }
        results
    }

    /// Hands an event to every role that subscribes to it.
    async fn deliver(&self, message: &Message, deadline: Instant) -> Result<(), PublishError> {
        let Destination::Event(routing_key) = &message.to else { return Ok(()) };
        let mut result = Ok(());
        for Subscription { role, .. } in self.subscriptions.iter().filter(|it| it.keys.contains(&routing_key.as_str()))
        {
            let handler = self.handlers.lock().unwrap_or_else(PoisonError::into_inner).get(role).cloned();
            let Message { body, case_id, traceparent, .. } = message.clone();
            let taken = match handler {
                Some(handler) => timeout_at(deadline, handler(ReceivedEvent { body, case_id, traceparent })).await.ok(),
                None => None,
            };
            if !matches!(taken, Some(Disposition::Ack | Disposition::Reject)) {
                result = Err(PublishError::Unconfirmed);
            }
        }
        result
    }

    pub(super) fn deliver_events(&self, role: &'static str, handler: EventHandler) {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner).insert(role, handler);
    }

    pub(super) fn consume(&self, concurrency: u16) -> Consumer {
        let slots = Arc::new(Semaphore::new(usize::from(concurrency.max(1))));
        Consumer { ready: Arc::clone(&self.ready), slots }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<StreamItem> {
        self.events.subscribe()
    }
}

/// A consumer, and how many more jobs it may hold.
pub struct Consumer {
    ready: Arc<ReadyQueue>,
    slots: Arc<Semaphore>,
}

impl Consumer {
    pub(super) async fn next(&mut self) -> Delivery {
        // the semaphore is never closed, so a slot always comes
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let job = self.ready.take().await;
        let Message { body, case_id, traceparent, .. } = job.message.clone();
        Delivery {
            body,
            case_id: Some(case_id),
            traceparent: Some(traceparent),
            redelivered: job.redelivered,
            handle: super::AckHandle::Embedded(AckHandle {
                job: Some(job),
                ready: Arc::clone(&self.ready),
                _slot: slot,
            }),
        }
    }
}

/// The right to settle one delivery. A handle that is dropped unsettled requeues its job.
pub struct AckHandle {
    job: Option<Job>,
    ready: Arc<ReadyQueue>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl AckHandle {
    pub(super) fn settle(mut self, disposition: Disposition) {
        match disposition {
            Disposition::Ack | Disposition::Reject => self.job = None,
            Disposition::Requeue => {}
        }
    }
}

impl Drop for AckHandle {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            self.ready.requeue(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use bytes::Bytes;

    use super::Embedded;
    use crate::platform::queue::{Destination, Disposition, EventHandler, Message, PublishError, Subscription};

    fn message(body: &'static str, to: Destination) -> Message {
        Message { id: body.to_owned(), to, case_id: String::new(), traceparent: String::new(), body: body.into() }
    }

    /// A handler that records what it takes, and settles every event in this way.
    fn handler(taken: &Arc<Mutex<Vec<Bytes>>>, disposition: Disposition) -> EventHandler {
        let taken = Arc::clone(taken);
        Arc::new(move |event| {
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(event.body);
            Box::pin(async move { disposition })
        })
    }

    #[actix_rt::test]
    async fn an_event_is_confirmed_once_every_role_that_subscribes_has_taken_it() {
        let keys = &["user.deleted"];
        let queue = Embedded::new("jobs", vec![Subscription { role: "a", keys }, Subscription { role: "b", keys }]);
        let publish = async |what: &str| {
            let event = message("it", Destination::Event(what.to_owned()));
            queue.publish(&[message("job", Destination::Jobs), event]).await
        };
        let unconfirmed = [Ok(()), Err(PublishError::Unconfirmed)];
        let [taken, other] = [(); 2].map(|()| Arc::<Mutex<Vec<Bytes>>>::default());
        queue.deliver_events("b", handler(&other, Disposition::Ack));
        assert_eq!(publish("user.deleted").await, unconfirmed, "one has not started");
        queue.deliver_events("a", handler(&taken, Disposition::Requeue));
        assert_eq!(publish("user.deleted").await, unconfirmed, "its effect failed");
        for disposition in [Disposition::Ack, Disposition::Reject] {
            queue.deliver_events("a", handler(&taken, disposition));
            assert_eq!(publish("user.deleted").await, [Ok(()), Ok(())]);
        }
        assert_eq!(publish("user.created").await, [Ok(()), Ok(())]);
        let count = |taken: &Mutex<Vec<Bytes>>| taken.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert_eq!((count(&taken), count(&other)), (3, 4), "a failure keeps no event from the others");
    }
}
