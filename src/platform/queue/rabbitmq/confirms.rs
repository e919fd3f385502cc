//! What the broker says on a channel by itself: confirms, returned messages, and the channel's end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::Channel;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, Nack, Return};
use async_trait::async_trait;
use tokio::sync::{Notify, oneshot, watch};

use crate::platform::queue::PublishError;

/// Who is told what became of a message. Told nothing: the channel ended before.
pub type ConfirmSender = oneshot::Sender<Result<(), PublishError>>;

/// Keeps what is not confirmed yet, and why the channel ended.
pub struct ConfirmTracker {
    book: Mutex<ConfirmState>,
    unroutable: Notify,
    open: watch::Receiver<()>,
}

#[derive(Default)]
struct ConfirmState {
    /// The delivery tag of what was published last; the broker counts in the same way.
    last: u64,
    waiting: BTreeMap<u64, (String, ConfirmSender)>,
    /// Messages that came back; their confirms come after them, as if all were well.
    returned: Vec<String>,
    why: Option<String>,
}

impl ConfirmTracker {
    /// A desk, and who works at it: to be registered as the channel's callback.
    pub fn with_clerk() -> (Arc<ConfirmTracker>, ConfirmCallback) {
        let (alive, open) = watch::channel(());
        let desk = Arc::new(ConfirmTracker { book: Mutex::default(), unroutable: Notify::new(), open });
        (Arc::clone(&desk), ConfirmCallback { desk, _alive: alive })
    }

    /// Expects a confirm of what is published next. The calls must be in the order of publishing.
    pub fn expect(&self, id: &str, tell: ConfirmSender) {
        let mut book = self.book();
        book.last += 1;
        let tag = book.last;
        book.waiting.insert(tag, (id.to_owned(), tell));
    }

    /// Completes when a message has come back because no queue takes it.
    pub async fn unroutable(&self) {
        self.unroutable.notified().await;
    }

    /// Completes when the channel or its connection has ended.
    pub async fn ended(&self) {
        let mut open = self.open.clone();
        // nothing is ever sent: an error says that the clerk has gone, and that is with the channel
        while open.changed().await.is_ok() {}
    }

    /// Why the channel ended, in the broker's words where there are any.
    pub fn why(&self) -> String {
        self.book().why.clone().unwrap_or_else(|| "the connection to the broker has ended".to_owned())
    }

    fn settle(&self, tag: u64, multiple: bool, verdict: &Result<(), PublishError>) {
        let mut book = self.book();
        let later = if multiple { book.waiting.split_off(&(tag + 1)) } else { BTreeMap::new() };
        let settled = match multiple {
            true => std::mem::replace(&mut book.waiting, later),
            false => book.waiting.remove_entry(&tag).into_iter().collect(),
        };
        for (id, tell) in settled.into_values() {
            let returned = book.returned.iter().position(|back| *back == id);
            let verdict = match returned.map(|place| book.returned.swap_remove(place)) {
                Some(_) => Err(PublishError::Unroutable),
                None => verdict.clone(),
            };
            // who gave up waiting is told nothing
            drop(tell.send(verdict));
        }
    }

    fn book(&self) -> MutexGuard<'_, ConfirmState> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes into the book what the broker says; gone when the channel is.
pub struct ConfirmCallback {
    desk: Arc<ConfirmTracker>,
    _alive: watch::Sender<()>,
}

impl Drop for ConfirmCallback {
    fn drop(&mut self) {
        self.desk.book().waiting.clear();
    }
}

#[async_trait]
impl ChannelCallback for ConfirmCallback {
    async fn close(&mut self, _: &Channel, close: CloseChannel) -> Result<(), amqprs::error::Error> {
        self.desk.book().why = Some(close.reply_text().clone());
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, _: Cancel) -> Result<(), amqprs::error::Error> {
        self.desk.book().why = Some("the queue was deleted".to_owned());
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, _: bool) -> Result<bool, amqprs::error::Error> {
        Ok(true)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        self.desk.settle(ack.delivery_tag(), ack.mutiple(), &Ok(()));
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        self.desk.settle(nack.delivery_tag(), nack.multiple(), &Err(PublishError::Refused));
    }

    async fn publish_return(&mut self, _: &Channel, _: Return, properties: BasicProperties, _: Vec<u8>) {
        if let Some(id) = properties.message_id() {
            self.desk.book().returned.push(id.clone());
        }
        self.desk.unroutable.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::ConfirmTracker;
    use crate::platform::queue::PublishError;

    #[test]
    fn one_confirm_may_stand_for_several_messages_but_not_for_one_that_came_back() {
        let (desk, clerk) = ConfirmTracker::with_clerk();
        let mut told: Vec<_> = ["a", "b", "c", "d"]
            .map(|id| {
                let (tell, told) = oneshot::channel();
                desk.expect(id, tell);
                told
            })
            .into();
        desk.settle(2, false, &Err(PublishError::Refused));
        desk.book().returned.push("c".to_owned());
        desk.settle(3, true, &Ok(()));
        drop(clerk);
        let verdicts: Vec<_> = told.iter_mut().map(|told| told.try_recv().ok()).collect();
        assert_eq!(
            verdicts,
            [Some(Ok(())), Some(Err(PublishError::Refused)), Some(Err(PublishError::Unroutable)), None]
        );
    }
}
