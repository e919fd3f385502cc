//! Subscribes to every event, through a queue of this process alone that the broker deletes with the connection.

use std::sync::Arc;

use amqprs::channel::{BasicConsumeArguments, ConsumerMessage, QueueBindArguments, QueueDeclareArguments};
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use tokio::sync::broadcast;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::link::AmqpLink;
use super::reconnect::ReconnectBackoff;
use super::topology::Topology;
use crate::platform::queue::StreamItem;

/// Forwards every event to the subscribers of this process; never ends.
pub async fn listen(topology: Arc<Topology>, events: broadcast::Sender<StreamItem>) {
    let mut backoff = ReconnectBackoff::new("listener");
    loop {
        let why = match open(&topology).await {
            Ok((link, mut messages)) => {
                backoff.connected();
                // the error says that there is no subscriber just now
                drop(events.send(StreamItem::Gap));
                while let Some(message) = messages.recv().await {
                    drop(event(message).map(|event| events.send(event)));
                }
                let why = anyhow!(link.confirms().close_reason());
                link.close().await;
                why
            }
            Err(why) => why,
        };
        sleep(backoff.failed(&why)).await;
    }
}

async fn open(topology: &Topology) -> anyhow::Result<(AmqpLink, UnboundedReceiver<ConsumerMessage>)> {
    let link = AmqpLink::open(&topology.arguments, "listener").await?;
    topology.declare_exchange(&link).await?;
    let channel = link.channel()?;
    let arguments = QueueDeclareArguments::exclusive_server_named().auto_delete(true).finish();
    let (queue, ..) = channel.queue_declare(arguments).await?.context("the broker gave the listener no queue")?;
    channel.queue_bind(QueueBindArguments::new(&queue, &topology.exchange, "#")).await?;
    let mut arguments = BasicConsumeArguments::new(&queue, "");
    let (_, messages) = channel.basic_consume_rx(arguments.manual_ack(false).finish()).await?;
    Ok((link, messages))
}

fn event(message: ConsumerMessage) -> Option<StreamItem> {
    let body = Bytes::from(message.content?);
    Some(StreamItem::Event { routing_key: message.deliver?.routing_key().clone(), body })
}
