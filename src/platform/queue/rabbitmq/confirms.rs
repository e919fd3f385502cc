//! What the broker sends on a channel unasked: confirms, returned messages, and the close of the channel.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::Channel;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use async_trait::async_trait;
use tokio::sync::{Notify, oneshot, watch};

use crate::platform::queue::PublishError;

/// The sender of a message's confirm. Dropped unsent when the channel ends first.
pub type ConfirmSender = oneshot::Sender<Result<(), PublishError>>;

/// The messages without a confirm, and the reason why the channel closed.
pub struct ConfirmTracker {
    state: Mutex<ConfirmState>,
    unroutable: Notify,
    open: watch::Receiver<()>,
}

#[derive(Default)]
struct ConfirmState {
    /// The delivery tag of the last published message; the broker counts in the same way.
    last_tag: u64,
    waiting: BTreeMap<u64, (String, ConfirmSender)>,
    /// The ids of messages that the broker returned. It sends an ack for each of them afterwards.
    returned: Vec<String>,
    close_reason: Option<String>,
}

impl ConfirmTracker {
    /// A tracker, and the callback to register at the channel.
    pub fn with_callback() -> (Arc<ConfirmTracker>, ConfirmCallback) {
        let (alive, open) = watch::channel(());
        let confirms = Arc::new(ConfirmTracker { state: Mutex::default(), unroutable: Notify::new(), open });
        (Arc::clone(&confirms), ConfirmCallback { confirms, _alive: alive })
    }

    /// Expects a confirm for the message that is published next. Call this in the order of publishing.
    pub fn expect(&self, id: &str, confirm: ConfirmSender) {
        let mut state = self.state();
        state.last_tag += 1;
        let tag = state.last_tag;
        state.waiting.insert(tag, (id.to_owned(), confirm));
    }

    /// Completes when the broker has returned a message that it has no queue for.
    pub async fn unroutable(&self) {
        self.unroutable.notified().await;
    }

    /// Completes when the channel or its connection has ended.
    pub async fn ended(&self) {
        let mut open = self.open.clone();
        // nothing is ever sent: the error says that amqprs dropped the callback, which it does with the channel
        while open.changed().await.is_ok() {}
    }

    /// The reason why the channel closed, as the broker gave it if it did.
    pub fn close_reason(&self) -> String {
        self.state().close_reason.clone().unwrap_or_else(|| "the connection to the broker has ended".to_owned())
    }

    fn confirm(&self, tag: u64, multiple: bool, result: &Result<(), PublishError>) {
        let mut state = self.state();
        let later = if multiple { state.waiting.split_off(&(tag + 1)) } else { BTreeMap::new() };
        let confirmed = match multiple {
            true => std::mem::replace(&mut state.waiting, later),
            false => state.waiting.remove_entry(&tag).into_iter().collect(),
        };
        for (id, sender) in confirmed.into_values() {
            let returned = state.returned.iter().position(|other| *other == id);
            let result = match returned.map(|index| state.returned.swap_remove(index)) {
                Some(_) => Err(PublishError::Unroutable),
                None => result.clone(),
            };
            // a publisher that gave up has dropped the receiver
            drop(sender.send(result));
        }
    }

    fn state(&self) -> MutexGuard<'_, ConfirmState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records what the broker sends. amqprs drops it with the channel.
pub struct ConfirmCallback {
    confirms: Arc<ConfirmTracker>,
    _alive: watch::Sender<()>,
}

impl Drop for ConfirmCallback {
    fn drop(&mut self) {
        self.confirms.state().waiting.clear();
    }
}

#[async_trait]
impl ChannelCallback for ConfirmCallback {
    async fn close(&mut self, _: &Channel, close: CloseChannel) -> Result<(), amqprs::error::Error> {
        self.confirms.state().close_reason = Some(close.reply_text().clone());
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), amqprs::error::Error> {
        self.confirms.state().close_reason = Some("the queue was deleted".to_owned());
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, _: bool) -> Result<bool, amqprs::error::Error> {
        Ok(true)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        self.confirms.confirm(ack.delivery_tag(), ack.mutiple(), &Ok(()));
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        self.confirms.confirm(nack.delivery_tag(), nack.multiple(), &Err(PublishError::Refused));
    }

    async fn publish_return(&mut self, _: &Channel, _: Return, properties: BasicProperties, _: Vec<u8>) {
        if let Some(id) = properties.message_id() {
            self.confirms.state().returned.push(id.clone());
        }
        self.confirms.unroutable.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::ConfirmTracker;
    use crate::platform::queue::PublishError;

    #[test]
    fn one_confirm_may_stand_for_several_messages_but_not_for_one_that_came_back() {
        let (confirms, callback) = ConfirmTracker::with_callback();
        let mut receivers: Vec<_> = ["a", "b", "c", "d"]
            .map(|id| {
                let (sender, receiver) = oneshot::channel();
                confirms.expect(id, sender);
                receiver
            })
            .into();
        confirms.confirm(2, false, &Err(PublishError::Refused));
        confirms.state().returned.push("c".to_owned());
        confirms.confirm(3, true, &Ok(()));
        drop(callback);
        let results: Vec<_> = receivers.iter_mut().map(|receiver| receiver.try_recv().ok()).collect();
        assert_eq!(
            results,
            [Some(Ok(())), Some(Err(PublishError::Refused)), Some(Err(PublishError::Unroutable)), None]
        );
    }
}
