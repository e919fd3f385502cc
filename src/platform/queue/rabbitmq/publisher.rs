//! Publishes with confirms. One task owns the connection; whoever publishes hands messages to it, from whatever runtime, and
//! waits for what the broker says of them.

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
use crate::platform::queue::{CONFIRM, Destination, Message, PublishError};

/// The content type of a CloudEvent in structured mode.
const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// The longest that AMQP's short strings can be, in bytes.
const SHORT: usize = 255;
/// How long a deleted queue stays away. When it is back before RabbitMQ (3.10) has told its consumers that it went, they are
/// never told, and get nothing from the new one.
const MOURNING: Duration = Duration::from_secs(1);

/// Whether there is a connection to publish on.
pub struct Publisher(RwLock<State>);

enum State {
    Away(String),
    Live(UnboundedSender<Vec<PendingPublish>>),
}

/// A message on its way, and who waits for its fate.
struct PendingPublish {
    message: Message,
    tell: ConfirmSender,
}

impl Default for Publisher {
    fn default() -> Self {
        Publisher(RwLock::new(State::Away("not connected yet".to_owned())))
    }
}

impl Publisher {
    /// Sends everything, then waits for the confirms.
    pub async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        let deadline = Instant::now() + CONFIRM;
        let mut letters = Vec::with_capacity(messages.len());
        let mut fates = Vec::with_capacity(messages.len());
        for message in messages {
            fates.push(check(message).map(|()| {
                let (tell, told) = oneshot::channel();
                letters.push(PendingPublish { message: message.clone(), tell });
                told
            }));
        }
        let sent = self.hand_over(letters);
        let mut verdicts = Vec::with_capacity(messages.len());
        for fate in fates {
            verdicts.push(match (fate, &sent) {
                (Err(wrong), _) => Err(wrong),
                (Ok(_), Err(away)) => Err(away.clone()),
                (Ok(told), Ok(())) => match timeout_at(deadline, told).await {
                    Ok(told) => told.unwrap_or(Err(PublishError::Lost)),
                    Err(_) => Err(PublishError::Unconfirmed),
                },
            });
        }
        verdicts
    }

    fn hand_over(&self, letters: Vec<PendingPublish>) -> Result<(), PublishError> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            State::Away(why) => Err(PublishError::Away(why.clone())),
            State::Live(line) => {
                line.send(letters).map_err(|_| PublishError::Away("the connection has just ended".to_owned()))
            }
        }
    }

    /// Why there is no connection, if there is none.
    pub fn away(&self) -> Option<PublishError> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            State::Away(why) => Some(PublishError::Away(why.clone())),
            State::Live(_) => None,
        }
    }

    /// Keeps the connection; never ends.
    pub async fn run(&self, topology: &Topology) {
        let mut outage = ReconnectBackoff::of("publisher");
        loop {
            let why = match open(topology).await {
                Ok(line) => {
                    outage.is_over();
                    let (sender, letters) = unbounded_channel();
                    self.become_state(State::Live(sender));
                    let why = serve(&line, topology, letters).await;
                    // before the goodbye, which may take a while
                    self.become_state(State::Away(format!("{why:#}")));
                    line.close().await;
                    why
                }
                Err(why) => {
                    self.become_state(State::Away(format!("{why:#}")));
                    why
                }
            };
            sleep(outage.goes_on(&why)).await;
        }
    }

    fn become_state(&self, state: State) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// amqprs panics at names that AMQP cannot carry.
fn check(message: &Message) -> Result<(), PublishError> {
    match &message.to {
        _ if message.id.len() > SHORT => Err(PublishError::TooLong("its id")),
        Destination::Event(routing_key) if routing_key.len() > SHORT => Err(PublishError::TooLong("its routing key")),
        _ => Ok(()),
    }
}

/// A connection on which everything is declared and confirms are on.
async fn open(topology: &Topology) -> anyhow::Result<AmqpLink> {
    let line = AmqpLink::open(&topology.arguments, "publisher").await?;
    topology.declare(&line).await?;
    line.channel()?.confirm_select(ConfirmSelectArguments::default()).await?;
    Ok(line)
}

/// Publishes until the connection ends; says why it did.
async fn serve(
    line: &AmqpLink,
    topology: &Topology,
    mut letters: UnboundedReceiver<Vec<PendingPublish>>,
) -> anyhow::Error {
    let sending = async {
        while let Some(batch) = letters.recv().await {
            for letter in batch {
                send(line, topology, letter).await?;
            }
        }
        anyhow::Ok(())
    };
    let failed = tokio::select! {
        // a broker that hangs holds up the sending, but not the end that its missing heartbeats bring
        () = line.desk().ended() => None,
        failed = mend(line, topology) => failed.err(),
        failed = sending => failed.err(),
    };
    failed.unwrap_or_else(|| anyhow!(line.desk().why()))
}

/// Declares everything anew whenever somebody deleted the queue under us.
async fn mend(line: &AmqpLink, topology: &Topology) -> anyhow::Result<()> {
    loop {
        line.desk().unroutable().await;
        sleep(MOURNING).await;
        topology.declare(line).await?;
        tracing::warn!(queue = topology.queue, "somebody deleted the queue; it was declared again");
    }
}

async fn send(line: &AmqpLink, topology: &Topology, letter: PendingPublish) -> anyhow::Result<()> {
    let PendingPublish { message, tell } = letter;
    if tell.is_closed() {
        return Ok(()); // nobody waits any more: it counts as not sent, and will come again
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
    line.desk().expect(&message.id, tell);
    line.channel()?.basic_publish(properties, message.body.to_vec(), arguments).await?;
    Ok(())
}
