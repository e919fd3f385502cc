//! Hears every event: a queue of this process alone, which the broker forgets with the connection.

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

/// Passes on what it hears; never ends.
pub async fn listen(topology: Arc<Topology>, heard: broadcast::Sender<StreamItem>) {
    let mut outage = ReconnectBackoff::of("listener");
    loop {
        let why = match open(&topology).await {
            Ok((line, mut messages)) => {
                outage.is_over();
                // an error says that nobody listens just now
                drop(heard.send(StreamItem::Gap));
                while let Some(message) = messages.recv().await {
                    drop(event(message).map(|event| heard.send(event)));
                }
                let why = anyhow!(line.desk().why());
                line.close().await;
                why
            }
            Err(why) => why,
        };
        sleep(outage.goes_on(&why)).await;
    }
}

async fn open(topology: &Topology) -> anyhow::Result<(AmqpLink, UnboundedReceiver<ConsumerMessage>)> {
    let line = AmqpLink::open(&topology.arguments, "listener").await?;
    topology.declare_exchange(&line).await?;
    let channel = line.channel()?;
    let arguments = QueueDeclareArguments::exclusive_server_named().auto_delete(true).finish();
    let (queue, ..) = channel.queue_declare(arguments).await?.context("the broker gave the listener no queue")?;
    channel.queue_bind(QueueBindArguments::new(&queue, &topology.exchange, "#")).await?;
    let mut arguments = BasicConsumeArguments::new(&queue, "");
    let (_, messages) = channel.basic_consume_rx(arguments.manual_ack(false).finish()).await?;
    Ok((line, messages))
}

fn event(message: ConsumerMessage) -> Option<StreamItem> {
    let body = Bytes::from(message.content?);
    Some(StreamItem::Event { routing_key: message.deliver?.routing_key().clone(), body })
}
