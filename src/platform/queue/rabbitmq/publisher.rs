//! Publishes with confirms. One task owns the connection; publishers on any runtime pass messages to it and wait for the broker's
//! confirms.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use amqprs::BasicProperties;
use amqprs::channel::{BasicPublishArguments, ConfirmSelectArguments};
use anyhow::anyhow;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use super::confirms::ConfirmSender;
use super::link::AmqpLink;
use super::reconnect::ReconnectBackoff;
use super::topology::{Topology, table};
use crate::platform::queue::{CONFIRM_TIMEOUT, Destination, Message, PublishError};
use crate::platform::refusal::warn_when_slow;

/// The content type of a CloudEvent in structured mode.
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// Bytes that fit into a short string of AMQP.
const MAX_SHORT_STRING: usize = 255;
/// The delay before a deleted queue is declared again. RabbitMQ 3.10 otherwise never notifies the consumers of the deleted
/// queue, and they receive nothing from the new one.
const REDECLARE_DELAY: Duration = Duration::from_secs(1);

/// The connection that messages are published on.
pub struct Publisher(RwLock<State>);

enum State {
    Disconnected(String),
    Connected(UnboundedSender<Vec<PendingPublish>>),
}

/// A message to publish, and the channel for its confirm.
struct PendingPublish {
    message: Message,
    confirm: ConfirmSender,
}

impl Default for Publisher {
    fn default() -> Self {
        Publisher(RwLock::new(State::Disconnected("not connected yet".to_owned())))
    }
}

impl Publisher {
    /// Sends every message, then waits for the confirms.
    pub async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        let deadline = Instant::now() + CONFIRM_TIMEOUT;
        let mut batch = Vec::with_capacity(messages.len());
        let mut waiting = Vec::with_capacity(messages.len());
        for message in messages {
            waiting.push(check(message).map(|()| {
                let (confirm, confirmed) = oneshot::channel();
                batch.push(PendingPublish { message: message.clone(), confirm });
                confirmed
            }));
        }
        let sent = self.send_batch(batch);
        let mut results = Vec::with_capacity(messages.len());
        for confirmed in waiting {
            results.push(match (confirmed, &sent) {
                (Err(invalid), _) => Err(invalid),
                (Ok(_), Err(unavailable)) => Err(unavailable.clone()),
                (Ok(confirmed), Ok(())) => match timeout_at(deadline, confirmed).await {
                    Ok(confirmed) => confirmed.unwrap_or(Err(PublishError::Lost)),
                    Err(_) => Err(PublishError::Unconfirmed),
                },
            });
        }
        results
    }

    fn send_batch(&self, batch: Vec<PendingPublish>) -> Result<(), PublishError> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            State::Disconnected(why) => Err(PublishError::Unavailable(why.clone())),
            State::Connected(sender) => {
                let ended = |_| PublishError::Unavailable("the connection has just ended".to_owned());
                sender.send(batch).map_err(ended)
            }
        }
    }

    /// The reason why there is no connection, if there is none.
    pub fn unavailable(&self) -> Option<PublishError> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            State::Disconnected(why) => Some(PublishError::Unavailable(why.clone())),
            State::Connected(_) => None,
        }
    }

    /// Maintains the connection; never ends.
    pub async fn run(&self, topology: &Topology) {
        let mut backoff = ReconnectBackoff::new("publisher");
        loop {
            let opening = open(topology);
            let why = match warn_when_slow("the broker", backoff.is_outage_reported(), opening).await {
                Ok(link) => {
                    backoff.connected();
                    let (sender, batches) = unbounded_channel();
                    self.set_state(State::Connected(sender));
                    let why = serve(&link, topology, batches).await;
                    // before closing, which may take a second
                    self.set_state(State::Disconnected(format!("{why:#}")));
                    link.close().await;
                    why
                }
                Err(why) => {
                    self.set_state(State::Disconnected(format!("{why:#}")));
                    why
                }
            };
            sleep(backoff.failed(&why)).await;
        }
    }

    fn set_state(&self, state: State) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// Refuses names that AMQP cannot carry: amqprs panics at them.
fn check(message: &Message) -> Result<(), PublishError> {
    match &message.to {
        _ if message.id.len() > MAX_SHORT_STRING => Err(PublishError::TooLong("its id")),
        Destination::Event(routing_key) if routing_key.len() > MAX_SHORT_STRING => {
            Err(PublishError::TooLong("its routing key"))
        }
        _ => Ok(()),
    }
}

/// Opens a connection, declares everything, and turns confirms on.
async fn open(topology: &Topology) -> anyhow::Result<AmqpLink> {
    let link = AmqpLink::open(&topology.arguments, "publisher").await?;
    topology.declare(&link).await?;
    link.channel()?.confirm_select(ConfirmSelectArguments::default()).await?;
    Ok(link)
}

/// Publishes until the connection ends; returns the reason.
async fn serve(
    link: &AmqpLink,
    topology: &Topology,
    mut batches: UnboundedReceiver<Vec<PendingPublish>>,
) -> anyhow::Error {
    let sending = async {
        while let Some(batch) = batches.recv().await {
            for pending in batch {
                send(link, topology, pending).await?;
            }
        }
        anyhow::Ok(())
    };
    let failed = tokio::select! {
        // a broker that hangs blocks sending; its missing heartbeats still end the connection
        () = link.confirms().ended() => None,
        failed = redeclare(link, topology) => failed.err(),
        failed = sending => failed.err(),
    };
    failed.unwrap_or_else(|| anyhow!(link.confirms().close_reason()))
}

/// Declares everything again whenever the queue was deleted during the connection.
async fn redeclare(link: &AmqpLink, topology: &Topology) -> anyhow::Result<()> {
    loop {
        link.confirms().unroutable().await;
        sleep(REDECLARE_DELAY).await;
        topology.declare(link).await?;
        tracing::warn!(queue = topology.queue, "the queue had been deleted; it was declared again");
    }
}

async fn send(link: &AmqpLink, topology: &Topology, pending: PendingPublish) -> anyhow::Result<()> {
    let PendingPublish { message, confirm } = pending;
    if confirm.is_closed() {
        return Ok(()); // the publisher gave up: it counts the message as not published, and publishes it again
    }
    let mut properties = BasicProperties::default();
    properties
        .with_content_type(CONTENT_TYPE)
        .with_message_id(&message.id)
        .with_persistence(true)
        .with_headers(table(&[("case-id", message.case_id.into()), ("traceparent", message.traceparent.into())])?);
    let mut arguments = match &message.to {
        Destination::Jobs => BasicPublishArguments::new("", &topology.queue),
        Destination::Event(routing_key) => BasicPublishArguments::new(&topology.exchange, routing_key),
    };
    arguments.mandatory(message.to == Destination::Jobs);
    link.confirms().expect(&message.id, confirm);
    link.channel()?.basic_publish(properties, message.body.to_vec(), arguments).await?;
    Ok(())
}
