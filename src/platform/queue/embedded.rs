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
    /// An empty queue.
    pub fn new(subscriptions: Vec<Subscription>) -> Embedded {
        let (ready, events) = (Arc::default(), broadcast::channel(EVENT_BUFFER).0);
        Embedded { ready, events, subscriptions, handlers: Mutex::default() }
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
    use futures_util::FutureExt as _;

    use super::{Consumer, Embedded};
    use crate::platform::queue::{
        AckHandle, Delivery, Destination, Disposition, EventHandler, Message, PublishError, StreamItem, Subscription,
    };

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn message(body: &'static str, to: Destination) -> Message {
        let (case_id, traceparent) = (format!("case-{body}"), format!("trace-{body}"));
        Message { id: body.to_owned(), to, case_id, traceparent, body: Bytes::from_static(body.as_bytes()) }
    }

    fn queue_of(bodies: &[&'static str]) -> Embedded {
        let queue = Embedded::new(Vec::new());
        publish(&queue, bodies);
        queue
    }

    fn publish(queue: &Embedded, bodies: &[&'static str]) {
        let messages: Vec<Message> = bodies.iter().map(|body| message(body, Destination::Jobs)).collect();
        let published = queue.publish(&messages).now_or_never();
        assert!(published.is_some_and(|results| results.iter().all(Result::is_ok)));
    }

    fn settle(delivery: Delivery, disposition: Disposition) {
        if let AckHandle::Embedded(handle) = delivery.handle {
            handle.settle(disposition);
        }
    }

    /// The jobs that wait now, in their order, with whether each was delivered before. All of them stay in the queue.
    fn waiting(queue: &Embedded) -> Vec<(Bytes, bool)> {
        let mut consumer = queue.consume(100);
        let taken: Vec<Delivery> = std::iter::from_fn(|| take(&mut consumer)).collect();
        taken.iter().map(|delivery| (delivery.body.clone(), delivery.redelivered)).collect()
    }

    fn take(consumer: &mut Consumer) -> Option<Delivery> {
        consumer.next().now_or_never()
    }

    #[test]
    fn jobs_are_delivered_in_order_with_their_case_and_trace() -> Outcome {
        let queue = queue_of(&["a", "b"]);
        publish(&queue, &["c"]);
        let first = take(&mut queue.consume(1)).ok_or("a job waits")?;
        assert_eq!((&first.body[..], first.case_id.as_deref(), first.redelivered), (&b"a"[..], Some("case-a"), false));
        assert_eq!(first.traceparent.as_deref(), Some("trace-a"));
        settle(first, Disposition::Ack);
        assert_eq!(waiting(&queue), [("b".into(), false), ("c".into(), false)]);
        Ok(())
    }

    #[test]
    fn a_job_that_is_requeued_or_dropped_comes_again_and_a_rejected_one_does_not() -> Outcome {
        let queue = queue_of(&["a", "b", "c"]);
        let mut consumer = queue.consume(3);
        settle(take(&mut consumer).ok_or("a")?, Disposition::Requeue);
        let again = take(&mut consumer).ok_or("a again")?;
        assert_eq!((&again.body[..], again.redelivered), (&b"a"[..], true));
        settle(again, Disposition::Reject);
        drop(take(&mut consumer).ok_or("b")?);
        assert_eq!(waiting(&queue), [("b".into(), true), ("c".into(), false)]);
        Ok(())
    }

    #[actix_rt::test]
    async fn a_consumer_holds_as_many_jobs_as_it_may_and_leaves_the_rest_to_others() -> Outcome {
        let queue = Embedded::new(Vec::new());
        let (mut one, mut other) = (queue.consume(2), queue.consume(1));
        let early = one.next();
        publish(&queue, &["a", "b", "c", "d"]);
        let first = early.await;
        let second = take(&mut one).ok_or("a second job waits")?;
        assert!(take(&mut one).is_none());
        assert_eq!(take(&mut other).ok_or("a third job waits")?.body, "c");
        settle(first, Disposition::Ack);
        assert_eq!(take(&mut one).ok_or("a slot is free again")?.body, "c");
        drop(second);
        Ok(())
    }

    #[actix_rt::test]
    async fn every_subscriber_receives_every_event_and_none_is_needed() -> Outcome {
        let queue = Embedded::new(Vec::new());
        let event = message("it", Destination::Event("meeting.suggested".to_owned()));
        assert_eq!(queue.publish(std::slice::from_ref(&event)).await, [Ok(())]);
        let mut subscribers = [queue.subscribe(), queue.subscribe()];
        assert_eq!(queue.publish(&[event]).await, [Ok(())]);
        for subscriber in &mut subscribers {
            let heard = StreamItem::Event { routing_key: "meeting.suggested".to_owned(), body: "it".into() };
            assert_eq!(subscriber.recv().await?, heard);
        }
        assert!(waiting(&queue).is_empty(), "an event is no job");
        Ok(())
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
        let queue = Embedded::new(vec![Subscription { role: "a", keys }, Subscription { role: "b", keys }]);
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
