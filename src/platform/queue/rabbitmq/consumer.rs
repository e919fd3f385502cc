//! Takes jobs from the broker, over a connection of its own on the runtime of whoever takes them.

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

use super::link::{AmqpLink, CLOSE};
use super::reconnect::ReconnectBackoff;
use super::topology::Topology;
use crate::platform::queue::{self, Answer, Delivery};

/// A consumer, connected or on its way to be. Every step of the way is kept here, so that `next` may be dropped at any time.
pub struct Consumer {
    topology: Arc<Topology>,
    concurrency: u16,
    outage: ReconnectBackoff,
    pause: Option<Instant>,
    opening: Option<JoinHandle<anyhow::Result<Session>>>,
    session: Option<Session>,
}

/// A connection that consumes.
struct Session {
    line: Arc<AmqpLink>,
    tag: String,
    messages: UnboundedReceiver<ConsumerMessage>,
}

impl Consumer {
    pub(super) fn new(topology: Arc<Topology>, concurrency: u16) -> Consumer {
        let outage = ReconnectBackoff::of("consumer");
        Consumer { topology, concurrency, outage, pause: None, opening: None, session: None }
    }

    pub(in crate::platform::queue) async fn next(&mut self) -> Delivery {
        loop {
            let Some(session) = &mut self.session else {
                self.connect().await;
                continue;
            };
            match session.messages.recv().await {
                Some(message) => {
                    if let Some(delivery) = delivery(message, &session.line) {
                        return delivery;
                    }
                }
                // deliveries that are out keep their line; nobody hears their answers any more, and the broker delivers again
                None => {
                    let why = anyhow!(session.line.desk().why());
                    self.session = None;
                    self.pause = Some(Instant::now() + self.outage.goes_on(&why));
                }
            }
        }
    }

    async fn connect(&mut self) {
        if let Some(until) = self.pause {
            sleep_until(until).await;
            self.pause = None;
        }
        let open = || tokio::spawn(Session::open(Arc::clone(&self.topology), self.concurrency));
        let opened = self.opening.get_or_insert_with(open).await;
        self.opening = None;
        match opened.map_err(anyhow::Error::from).flatten() {
            Ok(session) => {
                self.outage.is_over();
                self.session = Some(session);
            }
            Err(why) => self.pause = Some(Instant::now() + self.outage.goes_on(&why)),
        }
    }

    pub(in crate::platform::queue) async fn close(mut self) {
        let Some(Session { line, tag, mut messages }) = self.session.take() else { return };
        if let Ok(channel) = line.channel() {
            drop(timeout(CLOSE, channel.basic_cancel(BasicCancelArguments::new(&tag))).await);
        }
        // it ends now: what came before the cancellation, and was not asked for
        messages.close();
        while let Some(message) = messages.recv().await {
            drop(delivery(message, &line));
        }
        if let Some(line) = Arc::into_inner(line) {
            line.close().await;
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
    async fn open(topology: Arc<Topology>, concurrency: u16) -> anyhow::Result<Session> {
        let line = AmqpLink::open(&topology.arguments, "consumer").await?;
        topology.declare(&line).await?;
        let channel = line.channel()?;
        // no more than are worked on: every job that a dying worker holds counts as delivered once more
        channel.basic_qos(BasicQosArguments::new(0, concurrency, false)).await?;
        let (tag, messages) = channel.basic_consume_rx(BasicConsumeArguments::new(&topology.queue, "")).await?;
        Ok(Session { line: Arc::new(line), tag, messages })
    }
}

/// All parts of a message are there: amqprs says so.
fn delivery(message: ConsumerMessage, line: &Arc<AmqpLink>) -> Option<Delivery> {
    let ConsumerMessage { deliver, basic_properties, content, .. } = message;
    let deliver = deliver?;
    let properties = basic_properties.unwrap_or_default();
    let header = |name: &str| match properties.headers()?.get(&name.try_into().ok()?)? {
        FieldValue::S(text) => Some(text.to_string()),
        _ => None,
    };
    let (case_id, traceparent) = (header("case-id"), header("traceparent"));
    let ticket = Ticket { tag: Some(deliver.delivery_tag()), line: Arc::clone(line) };
    Some(Delivery {
        body: Bytes::from(content.unwrap_or_default()),
        case_id,
        traceparent,
        redelivered: deliver.redelivered(),
        ticket: queue::Ticket::Rabbit(ticket),
    })
}

/// The right to answer for one delivery, on the connection that it came by.
pub struct Ticket {
    tag: Option<u64>,
    line: Arc<AmqpLink>,
}

impl Ticket {
    pub(in crate::platform::queue) async fn answer(mut self, answer: Answer) {
        let Some(tag) = self.tag.take() else { return };
        if let Err(why) = tell(&self.line, tag, answer).await {
            tracing::debug!(%why, ?answer, "an answer got lost; the broker will deliver the job again");
        }
    }
}

async fn tell(line: &AmqpLink, tag: u64, answer: Answer) -> anyhow::Result<()> {
    let channel = line.channel()?;
    match answer {
        Answer::Done => channel.basic_ack(BasicAckArguments::new(tag, false)).await?,
        Answer::Again => channel.basic_nack(BasicNackArguments::new(tag, false, true)).await?,
        Answer::Never => channel.basic_nack(BasicNackArguments::new(tag, false, false)).await?,
    }
    Ok(())
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(tag) = self.tag.take() else { return };
        let line = Arc::clone(&self.line);
        self.line.home().spawn(async move { drop(tell(&line, tag, Answer::Again).await) });
    }
}
