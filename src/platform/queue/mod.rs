//! The queue: each job goes to one worker, each event to every subscriber. A published job is delivered at least once, until a
//! worker acknowledges it.
//!
//! [`embedded`] keeps jobs in memory, for when all roles run in one process; [`rabbitmq`] is for everything else.

pub mod embedded;
pub mod event;
pub mod rabbitmq;
pub mod subscription;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::config::Settings;
use crate::platform::http::health::Dependency;
use crate::platform::refusal::cause;
pub use subscription::{EventHandler, ReceivedEvent, Subscription};

/// How long a publisher waits for confirms. A message without a confirm counts as not published.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);
/// Events that are buffered for a slow subscriber before it misses some.
const EVENT_BUFFER: usize = 1024;

/// Where jobs and events go.
pub enum Queue {
    /// In the memory of this process.
    Embedded(embedded::Embedded),
    /// In a RabbitMQ that all processes share.
    Rabbit(rabbitmq::Rabbit),
}

/// A message to publish.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id, at most 255 bytes. A message that is published again keeps its id.
    pub id: String,
    /// The destination.
    pub to: Destination,
    /// The Case-ID of the request that caused the message.
    pub case_id: String,
    /// The span that publishes the message, as a W3C traceparent; empty for none.
    pub traceparent: String,
    /// A CloudEvent 1.0, as JSON in structured mode.
    pub body: Bytes,
}

/// The destination of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// One of the workers.
    Jobs,
    /// Every subscriber; the routing key is such as `meeting.suggested`, at most 255 bytes.
    Event(String),
}

/// The reason why a message counts as not published. The broker may have it all the same: publish it again, with the same id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection to the broker. Publishing does not wait for one.
    #[error("the broker is unavailable: {0}")]
    Unavailable(String),
    /// The broker refused the message: its queue is full, or it failed.
    #[error("the broker refused the message")]
    Refused,
    /// The broker has no queue for the message. The queue is declared again, so a later attempt may work.
    #[error("the broker has no queue for the message: it was deleted and is being declared again")]
    Unroutable,
    /// The broker sent no confirm within two seconds; or a role of this process has not taken the event.
    #[error("the message was not confirmed in time")]
    Unconfirmed,
    /// The connection ended before the broker confirmed.
    #[error("the connection ended before the broker confirmed the message")]
    Lost,
    /// The message can never be published.
    #[error("the message cannot be published: {0} is longer than 255 bytes")]
    TooLong(&'static str),
}

impl PublishError {
    /// The cause in a health report.
    pub fn cause(&self) -> String {
        match self {
            PublishError::Unavailable(why) => format!("messages wait in the outbox: {}", cause(why)),
            other => format!("messages wait in the outbox: {other}"),
        }
    }
}

/// What a subscriber receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// An event.
    Event {
        /// Such as `meeting.suggested`.
        routing_key: String,
        /// The CloudEvent, as JSON.
        body: Bytes,
    },
    /// The subscription is connected, for the first time or again: earlier events may be missing.
    Gap,
}

impl Queue {
    /// The queue that the settings name, with the subscriptions of all roles. Opens no connection yet.
    ///
    /// # Errors
    /// A URL that is no AMQP URI, or names that are too long.
    pub fn open(settings: &Settings, subscriptions: Vec<Subscription>) -> anyhow::Result<Arc<Queue>> {
        Ok(Arc::new(match settings.queue.url.scheme() {
            "amqp" | "amqps" => Queue::Rabbit(rabbitmq::Rabbit::open(&settings.queue, &settings.tls, subscriptions)?),
            _ => Queue::Embedded(embedded::Embedded::new(&settings.queue.name, subscriptions)),
        }))
    }

    /// The name in health reports.
    pub fn name(&self) -> &'static str {
        match self {
            Queue::Embedded(_) => "embedded",
            Queue::Rabbit(_) => "rabbitmq",
        }
    }

    /// Whether its jobs are lost with this process. The owners publish them again at the next start.
    pub fn is_in_memory(&self) -> bool {
        matches!(self, Queue::Embedded(_))
    }

    /// The messaging system, and its name for the destination, as spans show them.
    pub fn destination_name(&self, to: &Destination) -> (&'static str, &str) {
        match (self, to) {
            (Queue::Rabbit(rabbit), to) => ("rabbitmq", rabbit.destination_name(to)),
            (Queue::Embedded(embedded), Destination::Jobs) => ("w2meet", embedded.name()),
            (Queue::Embedded(_), Destination::Event(_)) => ("w2meet", "events"),
        }
    }

    /// Publishes; the results come in the order of the messages. `Ok` for a job: a worker will receive it, also when the broker
    /// restarts. `Ok` for an event: every role that subscribes to it will receive it, or has taken it if the queue is in memory.
    ///
    /// Never waits for a connection, and waits at most two seconds for confirms. Call it outside of transactions: a role in this
    /// process may take the event in one.
    pub async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        match self {
            Queue::Embedded(embedded) => embedded.publish(messages).await,
            Queue::Rabbit(rabbit) => rabbit.publish(messages).await,
        }
    }

    /// The reason why nothing can be published now, where that is known without an attempt.
    pub fn unavailable(&self) -> Option<PublishError> {
        match self {
            Queue::Embedded(_) => None,
            Queue::Rabbit(rabbit) => rabbit.unavailable(),
        }
    }

    /// A consumer of jobs that holds at most `concurrency` unsettled ones. Its connection lives on the runtime on which
    /// [`Consumer::next`] is called.
    pub fn consume(self: &Arc<Self>, concurrency: u16) -> Consumer {
        match &**self {
            Queue::Embedded(embedded) => Consumer(Source::Embedded(embedded.consume(concurrency))),
            Queue::Rabbit(rabbit) => Consumer(Source::Rabbit(Box::new(rabbit.consume(concurrency)))),
        }
    }

    /// Hands every event that this role subscribes to to `handler`, until it takes the event. An event may come more than once, and
    /// after a failure out of order. Call it on a runtime that lives as long as the process.
    pub fn deliver_events(&self, role: &'static str, handler: EventHandler) {
        match self {
            Queue::Embedded(embedded) => embedded.deliver_events(role, handler),
            Queue::Rabbit(rabbit) => {
                let consumer = Consumer(Source::Rabbit(Box::new(rabbit.consume_events(role))));
                tokio::spawn(subscription::deliver(consumer, handler));
            }
        }
    }

    /// Every event from now on, with any routing key. Events may be missing: see [`StreamItem::Gap`], and the lag of a
    /// `broadcast` receiver.
    ///
    /// With RabbitMQ the first call starts the listener on the caller's runtime: call it once at the start, on the main one.
    pub fn subscribe(&self) -> broadcast::Receiver<StreamItem> {
        match self {
            Queue::Embedded(embedded) => embedded.subscribe(),
            Queue::Rabbit(rabbit) => rabbit.subscribe(),
        }
    }

    /// The health of the queue; answers within a second.
    pub async fn health(&self) -> Dependency {
        match self {
            Queue::Embedded(_) => Dependency::healthy(),
            Queue::Rabbit(rabbit) => rabbit.health().await,
        }
    }

    /// Maintains the publishing connection, and declares queues and exchange when it is established. Never ends: spawn it once, on
    /// a runtime that lives as long as the process.
    pub async fn run(self: Arc<Self>) {
        match &*self {
            Queue::Embedded(_) => std::future::pending().await,
            Queue::Rabbit(rabbit) => rabbit.run().await,
        }
    }
}

/// Takes jobs, or the events of a role, from the queue.
pub struct Consumer(Source);

enum Source {
    Embedded(embedded::Consumer),
    Rabbit(Box<rabbitmq::Consumer>),
}

impl Consumer {
    /// Waits for the next job; reconnects by itself. The future may be dropped while it waits: no job is lost.
    pub async fn next(&mut self) -> Delivery {
        match &mut self.0 {
            Source::Embedded(consumer) => consumer.next().await,
            Source::Rabbit(consumer) => consumer.next().await,
        }
    }

    /// Takes no more jobs. Prefetched jobs are requeued at once; the worker may finish the jobs that it has.
    pub async fn close(self) {
        match self.0 {
            Source::Embedded(consumer) => drop(consumer),
            Source::Rabbit(consumer) => consumer.close().await,
        }
    }
}

/// A job that was delivered. A delivery that is dropped unsettled is requeued.
pub struct Delivery {
    /// The body of the message.
    pub body: Bytes,
    /// The Case-ID of the message.
    pub case_id: Option<String>,
    /// The traceparent of the message.
    pub traceparent: Option<String>,
    /// Whether a worker may have started the job before.
    pub redelivered: bool,
    handle: AckHandle,
}

enum AckHandle {
    Embedded(embedded::AckHandle),
    Rabbit(rabbitmq::AckHandle),
}

/// How a delivery is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The effect is committed.
    Ack,
    /// The effect failed for now: the message must be delivered again.
    Requeue,
    /// The message can have no effect: it goes to the dead-letter queue, if there is one.
    Reject,
}

impl Delivery {
    /// Acknowledges the job: its effect is committed. When the acknowledgement is lost, the job is delivered again.
    pub async fn ack(self) {
        self.settle(Disposition::Ack).await;
    }

    /// Puts the job back into the queue, without a delay.
    pub async fn requeue(self) {
        self.settle(Disposition::Requeue).await;
    }

    /// Rejects a job that can never be done: RabbitMQ moves it to the dead-letter queue.
    pub async fn reject(self) {
        self.settle(Disposition::Reject).await;
    }

    async fn settle(self, disposition: Disposition) {
        match self.handle {
            AckHandle::Embedded(handle) => handle.settle(disposition),
            AckHandle::Rabbit(handle) => handle.settle(disposition).await,
        }
    }
}
