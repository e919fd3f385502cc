//! The queue: jobs, each to one worker, and events, to whoever listens. At least once, never lost: a job that was published
//! is delivered until somebody says that it is done.
//!
//! [`embedded`] keeps jobs in a SQLite file, for when all roles run in one process; [`rabbitmq`] is for everything else.

pub mod embedded;
pub mod event;
pub mod rabbitmq;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::config::Settings;
use crate::platform::http::health::Dependency;

/// How long a publisher waits for confirms; who gets none must take the message as not sent.
const CONFIRM: Duration = Duration::from_secs(2);
/// Events that a slow listener may be behind by before it misses some.
const EVENTS: usize = 1024;

/// Where jobs and events go.
pub enum Queue {
    /// Inside this process, and in a file.
    Embedded(embedded::Embedded),
    /// A RabbitMQ that all processes share.
    Rabbit(rabbitmq::Rabbit),
}

/// Something to publish.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its own id, at most 255 bytes; a repetition has the same.
    pub id: String,
    /// Where it goes.
    pub to: Destination,
    /// The Case-ID of the request that it comes from.
    pub case_id: String,
    /// The step of that request's trace which publishes it, as a W3C traceparent; empty for none.
    pub traceparent: String,
    /// A CloudEvent 1.0, as JSON in structured mode.
    pub body: Bytes,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To one of the workers.
    Jobs,
    /// To every subscriber; a routing key such as `meeting.suggested`, at most 255 bytes.
    Event(String),
}

/// Why a message counts as not published. It may have been all the same: publish it again, with the same id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection now; nothing waits for one.
    #[error("the broker is away: {0}")]
    Away(String),
    /// The broker said no: its queue is full, or it failed inside.
    #[error("the broker refused the message")]
    Refused,
    /// There is no queue that takes it. It is declared anew at once, so a later try may work.
    #[error("no queue takes the message: it was deleted, and is being declared again")]
    Unroutable,
    /// The broker did not say within two seconds whether it has the message.
    #[error("the broker did not confirm the message in time")]
    Unconfirmed,
    /// The connection ended before the broker confirmed.
    #[error("the connection ended before the broker confirmed the message")]
    Lost,
    /// The embedded queue could not write to its file.
    #[error("the queue's file did not take the message: {0}")]
    Unwritten(String),
    /// It can never be published.
    #[error("the message cannot be published: {0} is longer than 255 bytes")]
    TooLong(&'static str),
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamItem {
    /// An event.
    Event {
        /// Such as `meeting.suggested`.
        routing_key: String,
        /// The CloudEvent, as JSON.
        body: Bytes,
    },
    /// The listener is connected, for the first time or again: events from before may have been missed.
    Gap,
}

impl Queue {
    /// The queue that the settings name. RabbitMQ: connects to nothing yet. Embedded: opens its file, or makes it.
    ///
    /// # Errors
    /// A URL that AMQP's rules cannot read, names that are too long, a file that cannot be opened or that another process uses.
    pub fn open(settings: &Settings) -> anyhow::Result<Arc<Queue>> {
        Ok(Arc::new(match settings.queue.url.scheme() {
            "amqp" => Queue::Rabbit(rabbitmq::Rabbit::open(&settings.queue)?),
            _ => Queue::Embedded(embedded::Embedded::open(&settings.data_dir.join("queue.db"))?),
        }))
    }

    /// The name in health reports.
    pub fn name(&self) -> &'static str {
        match self {
            Queue::Embedded(_) => "embedded",
            Queue::Rabbit(_) => "rabbitmq",
        }
    }

    /// What system it is, and what it calls the place where such messages go.
    pub fn place(&self, to: &Destination) -> (&'static str, &str) {
        match (self, to) {
            (Queue::Rabbit(rabbit), to) => ("rabbitmq", rabbit.place(to)),
            (Queue::Embedded(_), Destination::Jobs) => ("w2meet", "jobs"),
            (Queue::Embedded(_), Destination::Event(_)) => ("w2meet", "events"),
        }
    }

    /// Publishes; the verdicts come in the order of the messages. `Ok` for a job: it will be delivered, whatever happens. `Ok`
    /// for an event: it went out, whether anybody listened or not.
    ///
    /// Never waits for a connection, and at most two seconds for confirms.
    pub async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        match self {
            Queue::Embedded(embedded) => embedded.publish(messages).await,
            Queue::Rabbit(rabbit) => rabbit.publish(messages).await,
        }
    }

    /// Why nothing can be published now, where that is known without trying.
    pub fn away(&self) -> Option<PublishError> {
        match self {
            Queue::Embedded(_) => None,
            Queue::Rabbit(rabbit) => rabbit.away(),
        }
    }

    /// A consumer of jobs that holds at most `concurrency` unanswered ones. Its connection lives on the runtime on which
    /// [`Consumer::next`] is called.
    pub fn consume(self: &Arc<Self>, concurrency: u16) -> Consumer {
        match &**self {
            Queue::Embedded(embedded) => Consumer(Source::Embedded(embedded.consume(concurrency))),
            Queue::Rabbit(rabbit) => Consumer(Source::Rabbit(Box::new(rabbit.consume(concurrency)))),
        }
    }

    /// Every event from now on, whatever its routing key; as well as can be, no more: see [`StreamItem::Gap`], and what
    /// `broadcast` says of receivers that lag.
    ///
    /// With RabbitMQ the first call starts the listener on the caller's runtime: call it once at the start, on the main one.
    pub fn subscribe(&self) -> broadcast::Receiver<StreamItem> {
        match self {
            Queue::Embedded(embedded) => embedded.subscribe(),
            Queue::Rabbit(rabbit) => rabbit.subscribe(),
        }
    }

    /// Whether it does its work just now; answers within a second.
    pub async fn health(&self) -> Dependency {
        match self {
            Queue::Embedded(embedded) => embedded.health().await,
            Queue::Rabbit(rabbit) => rabbit.health().await,
        }
    }

    /// Keeps the publishing connection, and declares queues and exchange as soon as the broker is there. Never ends: spawn it
    /// once, on a runtime that lives as long as the process.
    pub async fn run(self: Arc<Self>) {
        match &*self {
            Queue::Embedded(_) => std::future::pending().await,
            Queue::Rabbit(rabbit) => rabbit.run().await,
        }
    }
}

/// Takes jobs from the queue.
pub struct Consumer(Source);

enum Source {
    Embedded(embedded::Consumer),
    Rabbit(Box<rabbitmq::Consumer>),
}

impl Consumer {
    /// The next job; waits for it as long as it takes, and reconnects by itself. May be dropped while it waits: no job is lost.
    pub async fn next(&mut self) -> Delivery {
        match &mut self.0 {
            Source::Embedded(consumer) => consumer.next().await,
            Source::Rabbit(consumer) => consumer.next().await,
        }
    }

    /// Takes no more jobs. Those that it was not yet asked for go back at once; those still at work may be finished.
    pub async fn close(self) {
        match self.0 {
            Source::Embedded(consumer) => drop(consumer),
            Source::Rabbit(consumer) => consumer.close().await,
        }
    }
}

/// A job to do. Dropped without an answer it goes back to the queue.
pub struct Delivery {
    /// What was published.
    pub body: Bytes,
    /// The Case-ID that it was published with.
    pub case_id: Option<String>,
    /// The traceparent that it was published with.
    pub traceparent: Option<String>,
    /// Whether somebody may have begun it before.
    pub redelivered: bool,
    ticket: Ticket,
}

enum Ticket {
    Embedded(embedded::Ticket),
    Rabbit(rabbitmq::Ticket),
}

/// What is to happen with a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Again,
    Never,
}

impl Delivery {
    /// It is done, and its effect committed: the queue may forget it. If this gets lost, it is delivered once more.
    pub async fn done(self) {
        self.answer(Answer::Done).await;
    }

    /// It goes back to the queue, for whoever is next; at once, so whoever wants to wait waits elsewhere.
    pub async fn again(self) {
        self.answer(Answer::Again).await;
    }

    /// It can never be done: it goes to the dead ones.
    pub async fn never(self) {
        self.answer(Answer::Never).await;
    }

    async fn answer(self, answer: Answer) {
        match self.ticket {
            Ticket::Embedded(ticket) => ticket.answer(answer).await,
            Ticket::Rabbit(ticket) => ticket.answer(answer).await,
        }
    }
}
