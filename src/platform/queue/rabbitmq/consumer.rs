//! Consumes jobs, or the events of a role, over a connection of its own on the caller's runtime.

use std::sync::Arc;

use amqprs::FieldValue;
use amqprs::channel::{
    BasicAckArguments, BasicCancelArguments, BasicConsumeArguments, BasicNackArguments, BasicQosArguments,
    ConsumerMessage,
};
use anyhow::anyhow;
use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::link::{AmqpLink, CLOSE_TIMEOUT};
use super::reconnect::ReconnectBackoff;
use super::topology::Topology;
use crate::platform::queue::{self, Delivery, Disposition};

/// A consumer, connected or connecting. Every step of connecting is stored here, so that the future of `next` may be dropped at
/// any time.
pub struct Consumer {
    name: &'static str,
    topology: Arc<Topology>,
    queue: String,
    concurrency: u16,
    backoff: ReconnectBackoff,
    retry_at: Option<Instant>,
    opening: Option<JoinHandle<anyhow::Result<Session>>>,
    session: Option<Session>,
}

/// A connection that consumes.
struct Session {
    link: Arc<AmqpLink>,
    tag: String,
    messages: UnboundedReceiver<ConsumerMessage>,
}

impl Consumer {
    /// A consumer of this queue; `name` is its connection's, for the operator.
    pub(super) fn new(name: &'static str, topology: Arc<Topology>, queue: String, concurrency: u16) -> Consumer {
        let backoff = ReconnectBackoff::new(name);
        Consumer { name, topology, queue, concurrency, backoff, retry_at: None, opening: None, session: None }
    }

    pub(in crate::platform::queue) async fn next(&mut self) -> Delivery {
        loop {
            let Some(session) = &mut self.session else {
                self.connect().await;
                continue;
            };
            match session.messages.recv().await {
                Some(message) => {
                    if let Some(delivery) = delivery(message, &session.link) {
                        return delivery;
                    }
                }
                // unsettled deliveries hold their link; the broker delivers them again
                None => {
                    let why = anyhow!(session.link.confirms().close_reason());
                    self.session = None;
                    self.retry_at = Some(Instant::now() + self.backoff.failed(&why));
                }
            }
        }
    }

    async fn connect(&mut self) {
        if let Some(until) = self.retry_at {
            sleep_until(until).await;
            self.retry_at = None;
        }
        let open = || {
            let (name, queue, concurrency) = (self.name, self.queue.clone(), self.concurrency);
            tokio::spawn(Session::open(name, Arc::clone(&self.topology), queue, concurrency))
        };
        let opened = self.opening.get_or_insert_with(open).await;
        self.opening = None;
        match opened.map_err(anyhow::Error::from).flatten() {
            Ok(session) => {
                self.backoff.connected();
                self.session = Some(session);
            }
            Err(why) => self.retry_at = Some(Instant::now() + self.backoff.failed(&why)),
        }
    }

    pub(in crate::platform::queue) async fn close(mut self) {
        let Some(Session { link, tag, mut messages }) = self.session.take() else { return };
        if let Ok(channel) = link.channel() {
            drop(timeout(CLOSE_TIMEOUT, channel.basic_cancel(BasicCancelArguments::new(&tag))).await);
        }
        // the stream ends now: requeue what was prefetched
        messages.close();
        while let Some(message) = messages.recv().await {
            drop(delivery(message, &link));
        }
        if let Some(link) = Arc::into_inner(link) {
            link.close().await;
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(opening) = &self.opening {
            opening.abort();
        }
    }
}

impl Session {
    async fn open(
        name: &'static str,
        topology: Arc<Topology>,
        queue: String,
        concurrency: u16,
    ) -> anyhow::Result<Session> {
        let link = AmqpLink::open(&topology.arguments, name).await?;
        topology.declare(&link).await?;
        let channel = link.channel()?;
        // prefetch only what is worked on: the broker counts a delivery for every job that a dying worker holds
        channel.basic_qos(BasicQosArguments::new(0, concurrency, false)).await?;
        let (tag, messages) = channel.basic_consume_rx(BasicConsumeArguments::new(&queue, "")).await?;
        Ok(Session { link: Arc::new(link), tag, messages })
    }
}

/// A delivery from a message of amqprs, whose parts are always there.
fn delivery(message: ConsumerMessage, link: &Arc<AmqpLink>) -> Option<Delivery> {
    let ConsumerMessage { deliver, basic_properties, content, .. } = message;
    let deliver = deliver?;
    let properties = basic_properties.unwrap_or_default();
    let header = |name: &str| match properties.headers()?.get(&name.try_into().ok()?)? {
        FieldValue::S(text) => Some(text.to_string()),
        _ => None,
    };
    let (case_id, traceparent) = (header("case-id"), header("traceparent"));
    let handle = AckHandle { tag: Some(deliver.delivery_tag()), link: Arc::clone(link) };
    Some(Delivery {
        body: Bytes::from(content.unwrap_or_default()),
        case_id,
        traceparent,
        redelivered: deliver.redelivered(),
        handle: queue::AckHandle::Rabbit(handle),
    })
}

/// The right to settle one delivery, on the connection that it came by.
pub struct AckHandle {
    tag: Option<u64>,
    link: Arc<AmqpLink>,
}

impl AckHandle {
    pub(in crate::platform::queue) async fn settle(mut self, disposition: Disposition) {
        let Some(tag) = self.tag.take() else { return };
        if let Err(why) = settle(&self.link, tag, disposition).await {
            tracing::debug!(%why, ?disposition, "a settlement is lost; the broker delivers the message again");
        }
    }
}

async fn settle(link: &AmqpLink, tag: u64, disposition: Disposition) -> anyhow::Result<()> {
    let channel = link.channel()?;
    match disposition {
        Disposition::Ack => channel.basic_ack(BasicAckArguments::new(tag, false)).await?,
        Disposition::Requeue => channel.basic_nack(BasicNackArguments::new(tag, false, true)).await?,
        Disposition::Reject => channel.basic_nack(BasicNackArguments::new(tag, false, false)).await?,
    }
    Ok(())
}

impl Drop for AckHandle {
    fn drop(&mut self) {
        let Some(tag) = self.tag.take() else { return };
        let link = Arc::clone(&self.link);
        self.link.runtime().spawn(async move { drop(settle(&link, tag, Disposition::Requeue).await) });
    }
}
