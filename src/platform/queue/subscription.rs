//! Durable subscriptions: a role names the routing keys that it must receive, and takes each event however long it was away.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::{Consumer, Disposition};

/// The pause before an event whose effect failed is delivered again.
const REDELIVERY_DELAY: Duration = Duration::from_secs(1);

/// The events that a role must receive.
#[derive(Clone, Copy, Debug)]
pub struct Subscription {
    /// The role.
    pub role: &'static str,
    /// The routing keys, without wildcards.
    pub keys: &'static [&'static str],
}

/// An event that was delivered.
#[derive(Debug)]
pub struct ReceivedEvent {
    /// The CloudEvent, as JSON.
    pub body: Bytes,
    /// The Case-ID of the message.
    pub case_id: String,
    /// The traceparent of the message.
    pub traceparent: String,
}

/// Takes the effect of an event, and says how to settle the delivery.
pub type EventHandler = Arc<dyn Fn(ReceivedEvent) -> BoxFuture<'static, Disposition> + Send + Sync>;

/// Hands events to `handler` one by one, in the order in which they come; never ends. An event whose effect failed waits aside.
pub async fn deliver(mut consumer: Consumer, handler: EventHandler) {
    loop {
        let mut delivery = consumer.next().await;
        let [case_id, traceparent] =
            [delivery.case_id.take(), delivery.traceparent.take()].map(Option::unwrap_or_default);
        match handler(ReceivedEvent { body: delivery.body.clone(), case_id, traceparent }).await {
            Disposition::Requeue => drop(tokio::spawn(async {
                sleep(REDELIVERY_DELAY).await;
                delivery.requeue().await;
            })),
            settled => delivery.settle(settled).await,
        }
    }
}
