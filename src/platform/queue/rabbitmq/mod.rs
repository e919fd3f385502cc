//! The queue in RabbitMQ: a quorum queue of jobs, a topic exchange of events with a quorum queue for each role that subscribes, and one connection each for publishing, for
//! every consumer, and for listening. Every connection reconnects by itself.

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
use tokio::sync::{Semaphore, broadcast};
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use self::consumer::{AckHandle, Consumer};
use self::link::AmqpLink;
use self::publisher::Publisher;
use self::topology::Topology;
use super::{Destination, EVENT_BUFFER, Message, PublishError, StreamItem, Subscription};
use crate::config;
use crate::platform::http::health::{Dependency, Status};
use crate::platform::refusal::cause;

/// How long a health report waits for the broker.
const HEALTH_TIMEOUT: Duration = Duration::from_millis(800);
/// The events that a role holds at most; so many may fail before the next one waits for them.
const EVENT_PREFETCH: u16 = 256;

/// A RabbitMQ broker.
pub struct Rabbit {
    topology: Arc<Topology>,
    publisher: Publisher,
    events: broadcast::Sender<StreamItem>,
    listener: OnceLock<AbortHandle>,
    /// Taken by the one connection that a health report opens: one that is slow goes on without its report, and holds up the next.
    probe: Arc<Semaphore>,
}

impl Rabbit {
    /// The broker at `queue.url`. Opens no connection yet.
    ///
    /// # Errors
    /// A URL that is no AMQP URI, names that are empty or too long, and authorities that cannot be read.
    pub fn open(queue: &config::Queue, tls: &config::Tls, subscriptions: Vec<Subscription>) -> anyhow::Result<Rabbit> {
        let arguments = link::arguments(queue.url.expose(), tls);
        let arguments = arguments.with_context(|| format!("queue.url is {}", queue.url))?;
        Ok(Rabbit {
            topology: Arc::new(Topology::new(arguments, &queue.name, &queue.exchange, subscriptions)?),
            publisher: Publisher::default(),
            events: broadcast::channel(EVENT_BUFFER).0,
            listener: OnceLock::new(),
            probe: Arc::new(Semaphore::new(1)),
        })
    }

    pub(super) async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        self.publisher.publish(messages).await
    }

    pub(super) fn destination_name(&self, to: &Destination) -> &str {
        if *to == Destination::Jobs { &self.topology.queue } else { &self.topology.exchange }
    }

    pub(super) fn unavailable(&self) -> Option<PublishError> {
        self.publisher.unavailable()
    }

    pub(super) async fn run(&self) {
        self.publisher.run(&self.topology).await;
    }

    pub(super) fn consume(&self, concurrency: u16) -> Consumer {
        Consumer::new("consumer", Arc::clone(&self.topology), self.topology.queue.clone(), concurrency.max(1))
    }

    pub(super) fn consume_events(&self, role: &str) -> Consumer {
        Consumer::new("subscriber", Arc::clone(&self.topology), self.topology.event_queue(role), EVENT_PREFETCH)
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<StreamItem> {
        // first the receiver, then the listener: the receiver sees the first Gap
        let receiver = self.events.subscribe();
        self.listener.get_or_init(|| {
            tokio::spawn(listener::listen(Arc::clone(&self.topology), self.events.clone())).abort_handle()
        });
        receiver
    }

    /// Opens a connection and a channel for the report alone: a live connection may belong to a broker that hangs.
    pub(super) async fn health(&self) -> Dependency {
        let begin = Instant::now();
        if let Some(PublishError::Unavailable(why)) = self.unavailable() {
            return Dependency::measured(Status::Unhealthy, begin).with_cause(cause(&why));
        }
        let (probe, topology) = (Arc::clone(&self.probe), Arc::clone(&self.topology));
        let opened = async {
            let permit = probe.acquire_owned().await?;
            let opening = tokio::spawn(async move {
                let link = AmqpLink::open(&topology.arguments, "health").await;
                if let Ok(link) = link {
                    tokio::spawn(async move {
                        link.close().await;
                        drop(permit);
                    });
                    return Ok(());
                }
                link.map(drop)
            });
            opening.await?
        };
        match timeout(HEALTH_TIMEOUT, opened).await {
            Ok(Ok(())) => Dependency::measured(Status::Healthy, begin),
            Ok(Err(why)) => Dependency::measured(Status::Unhealthy, begin).with_cause(cause(&format!("{why:#}"))),
            Err(_) => Dependency::measured(Status::Unhealthy, begin).with_cause(cause("")),
        }
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}
