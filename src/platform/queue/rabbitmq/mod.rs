//! The queue in RabbitMQ: a quorum queue of jobs, a topic exchange of events, and one connection each for publishing, for
//! every consumer, and for listening. All of them come back by themselves.

mod confirms;
mod consumer;
mod link;
mod listener;
mod publisher;
mod reconnect;
mod topology;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use self::consumer::{Consumer, Ticket};
use self::link::AmqpLink;
use self::publisher::Publisher;
use self::topology::Topology;
use super::{Destination, EVENTS, Message, PublishError, StreamItem};
use crate::config;
use crate::platform::http::health::{Dependency, Status};

/// How long a health report waits for the broker.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to a broker.
pub struct Rabbit {
    topology: Arc<Topology>,
    publisher: Publisher,
    heard: broadcast::Sender<StreamItem>,
    listener: OnceLock<AbortHandle>,
}

impl Rabbit {
    /// Prepares for the broker at `queue.url`; connects to nothing yet.
    ///
    /// # Errors
    /// A URL that AMQP's rules cannot read, or names that are empty or too long.
    pub fn open(queue: &config::Queue) -> anyhow::Result<Rabbit> {
        let arguments = link::arguments(queue.url.expose()).with_context(|| format!("queue.url is {}", queue.url))?;
        Ok(Rabbit {
            topology: Arc::new(Topology::new(arguments, &queue.name, &queue.exchange)?),
            publisher: Publisher::default(),
            heard: broadcast::channel(EVENTS).0,
            listener: OnceLock::new(),
        })
    }

    pub(super) async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        self.publisher.publish(messages).await
    }

    pub(super) fn place(&self, to: &Destination) -> &str {
        if *to == Destination::Jobs { &self.topology.queue } else { &self.topology.exchange }
    }

    pub(super) fn away(&self) -> Option<PublishError> {
        self.publisher.away()
    }

    pub(super) async fn run(&self) {
        self.publisher.run(&self.topology).await;
    }

    pub(super) fn consume(&self, concurrency: u16) -> Consumer {
        Consumer::new(Arc::clone(&self.topology), concurrency.max(1))
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<StreamItem> {
        // first the receiver, then the listener: the first Gap is not missed
        let receiver = self.heard.subscribe();
        self.listener.get_or_init(|| {
            tokio::spawn(listener::listen(Arc::clone(&self.topology), self.heard.clone())).abort_handle()
        });
        receiver
    }

    /// Opens a connection and a channel of its own: what the broker really does now.
    pub(super) async fn health(&self) -> Dependency {
        let begin = Instant::now();
        let opened = timeout(PATIENCE, AmqpLink::open(&self.topology.arguments, "health")).await;
        let answer =
            Dependency::measured(if matches!(opened, Ok(Ok(_))) { Status::Healthy } else { Status::Unhealthy }, begin);
        if let Ok(Ok(line)) = opened {
            tokio::spawn(line.close());
        }
        answer
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}
