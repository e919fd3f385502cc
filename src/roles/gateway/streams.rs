//! The live streams: their subscriptions, the recent updates of each subject, and how missed updates are recovered.
//!
//! One subscription to the queue feeds all streams of the process. An update costs one look-up in a map, and wakes only the streams
//! of its subject.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{sleep, timeout};

use super::ROLE;
use super::handlers::Peers;
use super::topic::{Topic, Update};
use crate::platform::http::health::Status;
use crate::platform::http::problem::{Problem, UNAVAILABLE};
use crate::platform::lifecycle::{Lifecycle, Phase};
use crate::platform::queue::event::Event;
use crate::platform::queue::{Queue, StreamItem};
use crate::platform::request_context::RequestContext;

/// The interval of pings, and the greatest age of a stream's state while the broker is unavailable.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Updates that are kept for slow streams; a stream that is further behind misses the older ones. Each update holds the whole
/// state. A meeting changes three times until its invitations are sent.
const MAX_RECENT: usize = 4;
/// Subjects that are reloaded at the same time, and the pause while a role is unavailable.
const RELOAD_BATCH: usize = 32;
const RELOAD_PAUSE: Duration = Duration::from_secs(1);
/// Seconds until a client may retry when too many streams are open.
const RETRY_AFTER: u32 = 5;

/// The open streams of this process.
pub struct Streams {
    open: Mutex<HashMap<String, OpenTopic>>,
    permits: Arc<Semaphore>,
    missed: Notify,
}

/// A topic with open streams.
struct OpenTopic {
    topic: Topic,
    recent: watch::Sender<VecDeque<Update>>,
    streams: usize,
}

impl Streams {
    /// No streams yet, and `max_streams` at most.
    pub fn new(max_streams: usize) -> Streams {
        let permits = Arc::new(Semaphore::new(max_streams.min(Semaphore::MAX_PERMITS)));
        Streams { open: Mutex::default(), permits, missed: Notify::new() }
    }

    /// Subscribes to a topic, until the subscription is dropped.
    ///
    /// # Errors
    /// 503 when too many streams are open.
    pub fn subscribe(self: &Arc<Self>, topic: &Topic) -> Result<StreamSubscription, Problem> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| too_many_streams())?;
        let mut open = self.open();
        let one = open.entry(topic.subject.clone()).or_insert_with(|| OpenTopic {
            topic: topic.clone(),
            recent: watch::Sender::default(),
            streams: 0,
        });
        one.streams += 1;
        let (recent, subject) = (one.recent.subscribe(), topic.subject.clone());
        Ok(StreamSubscription { recent, subject, streams: Arc::clone(self), _permit: permit })
    }

    /// Feeds the streams with the events of the queue, until the process drains.
    pub async fn run(
        &self,
        events: broadcast::Receiver<StreamItem>,
        queue: &Queue,
        peers: &Peers,
        lifecycle: &Lifecycle,
    ) {
        tokio::select! {
            () = lifecycle.wait_for(Phase::Draining) => {}
            () = self.consume(events) => {}
            () = self.recover(queue, peers) => {}
        }
    }

    async fn consume(&self, mut events: broadcast::Receiver<StreamItem>) {
        loop {
            match events.recv().await {
                Ok(StreamItem::Event { body, .. }) => self.forward(&body),
                Ok(StreamItem::Gap) | Err(RecvError::Lagged(_)) => self.missed.notify_one(),
                // this task holds the queue too, so it closes with the process
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn forward(&self, body: &[u8]) {
        // most events have no stream: their data is not read
        let subject = serde_json::from_slice::<About>(body).unwrap_or_default().subject;
        let Some(topic) = self.open().get(subject.as_ref()).map(|one| one.topic.clone()) else { return };
        let event = serde_json::from_slice::<Event>(body).ok();
        match event.and_then(|event| topic.update(event.name(), event.data.clone())) {
            Some(update) => self.publish(&topic.subject, update),
            None => tracing::warn!(role = ROLE.name, %subject, "an event holds no version"),
        }
    }

    /// Wakes the streams of a subject, unless they have this version or a newer one: events may come twice.
    fn publish(&self, subject: &str, update: Update) {
        if let Some(one) = self.open().get(subject) {
            one.recent.send_if_modified(|recent| {
                let is_newer = recent.back().is_none_or(|last| last.version < update.version);
                if is_newer {
                    recent.push_back(update);
                    recent.drain(..recent.len().saturating_sub(MAX_RECENT));
                }
                is_newer
            });
        }
    }

    /// Reloads all topics after events may have been missed, and regularly while the broker is unavailable.
    async fn recover(&self, queue: &Queue, peers: &Peers) {
        loop {
            let missed = timeout(PING_INTERVAL, self.missed.notified()).await.is_ok();
            if missed || queue.health().await.status == Status::Unhealthy {
                RequestContext::new(ROLE.name).scope(self.reload_all(peers)).await;
            }
        }
    }

    async fn reload_all(&self, peers: &Peers) {
        let mut left: Vec<Topic> = self.open().values().map(|one| one.topic.clone()).collect();
        while !left.is_empty() {
            let batch = left.split_off(left.len().saturating_sub(RELOAD_BATCH));
            let loaded = join_all(batch.iter().map(|topic| self.reload(peers, topic))).await;
            let failed: Vec<Topic> =
                batch.into_iter().zip(loaded).filter(|(_, loaded)| !loaded).map(|(topic, _)| topic).collect();
            if !failed.is_empty() {
                // at the other end, so that the rest comes first
                left.splice(..0, failed);
                sleep(RELOAD_PAUSE).await;
                let open = self.open();
                left.retain(|topic| open.contains_key(&topic.subject));
            }
        }
    }

    /// Reloads a topic. Returns false if it must be tried again.
    async fn reload(&self, peers: &Peers, topic: &Topic) -> bool {
        match topic.read(peers, &topic.path).await {
            Ok(update) => self.publish(&topic.subject, update),
            Err(problem) if problem.kind.status > 500 => return false,
            Err(problem) => {
                tracing::warn!(role = ROLE.name, subject = topic.subject, %problem, "a stream cannot be brought up to date")
            }
        }
        true
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, OpenTopic>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The subject of an event.
#[derive(Default, Deserialize)]
struct About<'a> {
    #[serde(borrow)]
    subject: Cow<'a, str>,
}

fn too_many_streams() -> Problem {
    let detail = "too many streams are open at this gateway (limits.streams): poll instead, or retry later";
    Problem { retry_after: Some(RETRY_AFTER), ..Problem::new(UNAVAILABLE, detail) }
}

/// The subscription of one stream. Dropping it ends it.
pub struct StreamSubscription {
    recent: watch::Receiver<VecDeque<Update>>,
    subject: String,
    streams: Arc<Streams>,
    _permit: OwnedSemaphorePermit,
}

impl StreamSubscription {
    /// Waits for the oldest recent update that is newer than `version`. Cancel-safe.
    pub async fn next_after(&mut self, version: i64) -> Option<Update> {
        let is_newer = |update: &&Update| update.version > version;
        let recent = self.recent.wait_for(|recent| recent.iter().any(|update| is_newer(&update))).await;
        // it fails only when all streams end
        recent.ok()?.iter().find(is_newer).cloned()
    }
}

impl Drop for StreamSubscription {
    fn drop(&mut self) {
        if let Entry::Occupied(mut one) = self.streams.open().entry(std::mem::take(&mut self.subject)) {
            one.get_mut().streams -= 1;
            if one.get().streams == 0 {
                one.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use jiff::Timestamp;
    use serde_json::json;

    use super::{MAX_RECENT, StreamSubscription, Streams, Topic};
    use crate::platform::queue::event::Event;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn topic(id: &str) -> Topic {
        Topic {
            subject: format!("poll/{id}"),
            role: "poll",
            path: String::new(),
            redact: |_| {},
            readers: |_| Vec::new(),
        }
    }

    fn publish(streams: &Streams, topic: &Topic, version: i64) {
        let event = Event::new(
            "poll",
            String::new(),
            "poll.updated",
            topic.subject.clone(),
            Timestamp::UNIX_EPOCH,
            json!({ "version": version }),
        );
        streams.forward(event.text().as_bytes());
    }

    /// The versions that a stream would send now.
    fn versions_after(subscription: &mut StreamSubscription, mut version: i64) -> Vec<i64> {
        let mut all = Vec::new();
        while let Some(Some(update)) = subscription.next_after(version).now_or_never() {
            version = update.version;
            all.push(version);
        }
        all
    }

    #[test]
    fn a_stream_gets_each_version_once_in_order_and_of_its_own_subject() -> Outcome {
        let streams = Arc::new(Streams::new(9));
        let (topic, other) = (topic("1"), topic("2"));
        let (mut one, mut another) = (streams.subscribe(&topic)?, streams.subscribe(&other)?);
        for version in [3, 4, 4, 3, 6, 5] {
            publish(&streams, &topic, version);
        }
        publish(&streams, &other, 7);
        assert_eq!(versions_after(&mut one, 3), [4, 6]);
        assert_eq!(versions_after(&mut streams.subscribe(&topic)?, 0), [3, 4, 6], "a later stream");
        assert_eq!(versions_after(&mut another, 0), [7]);
        Ok(())
    }

    #[test]
    fn a_slow_stream_misses_old_versions_but_never_the_newest() -> Outcome {
        let streams = Arc::new(Streams::new(1));
        let topic = topic("1");
        let mut slow = streams.subscribe(&topic)?;
        for version in 1..=1000 {
            publish(&streams, &topic, version);
        }
        let versions = versions_after(&mut slow, 0);
        assert_eq!((versions.len(), versions.last()), (MAX_RECENT, Some(&1000)));
        Ok(())
    }

    #[test]
    fn a_topic_is_forgotten_with_its_last_stream() -> Outcome {
        let streams = Arc::new(Streams::new(2));
        let topic = topic("1");
        let (first, second) = (streams.subscribe(&topic)?, streams.subscribe(&topic)?);
        assert!(streams.subscribe(&topic).is_err(), "two are the limit");
        drop(first);
        publish(&streams, &topic, 1);
        assert_eq!(versions_after(&mut streams.subscribe(&topic)?, 0), [1], "one stream is still open");
        drop(second);
        assert!(streams.open().is_empty());
        Ok(())
    }
}
