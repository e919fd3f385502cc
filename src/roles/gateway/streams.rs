//! The live streams of meetings: their subscriptions, the recent updates of each meeting, and how missed updates are recovered.
//!
//! One subscription to the queue feeds all streams of the process. An update costs one look-up in a map, and wakes only the streams
//! of its meeting.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, watch};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::ROLE;
use crate::platform::http::health::Status;
use crate::platform::http::problem::{Problem, UNAVAILABLE};
use crate::platform::lifecycle::{Lifecycle, Phase};
use crate::platform::queue::event::Event;
use crate::platform::queue::{Queue, StreamItem};
use crate::platform::request_context::RequestContext;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;
use crate::roles::reservation::api::meetings::Marked;

/// The interval of pings, and the greatest age of a stream's state while the broker is unavailable.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);
/// The prefix of the routing keys of meetings.
const MEETING_PREFIX: &str = "meeting.";
/// Updates that are kept for slow streams; a stream that is further behind misses the older ones. Each update holds the whole
/// meeting. A meeting changes three times until its invitations are sent.
const MAX_RECENT: usize = 4;
/// Meetings that are reloaded at the same time, and the pause while reservation is unavailable.
const RELOAD_BATCH: usize = 32;
const RELOAD_PAUSE: Duration = Duration::from_secs(1);
/// Seconds until a client may retry when too many streams are open.
const RETRY_AFTER: u32 = 5;

/// The open streams of this process.
pub struct MeetingStreams {
    topics: Mutex<HashMap<Uuid, Topic>>,
    permits: Arc<Semaphore>,
    missed: Notify,
}

/// A meeting with open streams.
struct Topic {
    recent: watch::Sender<VecDeque<MeetingUpdate>>,
    streams: usize,
}

/// One state of a meeting, as all its streams send it.
#[derive(Clone)]
pub struct MeetingUpdate {
    pub version: i64,
    pub text: Bytes,
}

impl MeetingUpdate {
    /// The update to this state of a meeting; `None` for JSON that is not a meeting.
    pub fn new(name: &str, meeting: &Value) -> Option<(Uuid, MeetingUpdate)> {
        let Marked { id, version } = Marked::deserialize(meeting).ok()?;
        let mut meeting = meeting.clone();
        // all attendees see the same update, and the callback URL is the organizer's alone
        meeting["callback_url"] = Value::Null;
        // JSON without spaces has no line breaks, so it is one line of an event
        let text = format!("id: {version}\nevent: {name}\ndata: {meeting}\n\n");
        Some((id, MeetingUpdate { version, text: text.into() }))
    }
}

impl MeetingStreams {
    /// No streams yet, and `max_streams` at most.
    pub fn new(max_streams: usize) -> MeetingStreams {
        let permits = Arc::new(Semaphore::new(max_streams.min(Semaphore::MAX_PERMITS)));
        MeetingStreams { topics: Mutex::default(), permits, missed: Notify::new() }
    }

    /// Subscribes to a meeting, until the subscription is dropped.
    ///
    /// # Errors
    /// 503 when too many streams are open.
    pub fn subscribe(self: &Arc<Self>, id: Uuid) -> Result<StreamSubscription, Problem> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| too_many_streams())?;
        let mut topics = self.topics();
        let topic = topics.entry(id).or_insert_with(|| Topic { recent: watch::Sender::default(), streams: 0 });
        topic.streams += 1;
        Ok(StreamSubscription { recent: topic.recent.subscribe(), id, streams: Arc::clone(self), _permit: permit })
    }

    /// Feeds the streams with the events of the queue, until the process drains.
    pub async fn run(
        &self,
        events: broadcast::Receiver<StreamItem>,
        queue: &Queue,
        reservation: &Peer,
        lifecycle: &Lifecycle,
    ) {
        tokio::select! {
            () = lifecycle.wait_for(Phase::Draining) => {}
            () = self.consume(events) => {}
            () = self.recover(queue, reservation) => {}
        }
    }

    async fn consume(&self, mut events: broadcast::Receiver<StreamItem>) {
        loop {
            match events.recv().await {
                Ok(StreamItem::Event { routing_key, body }) if routing_key.starts_with(MEETING_PREFIX) => {
                    self.forward(&body)
                }
                Ok(StreamItem::Event { .. }) => {}
                Ok(StreamItem::Gap) | Err(RecvError::Lagged(_)) => self.missed.notify_one(),
                // this task holds the queue too, so it closes with the process
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn forward(&self, body: &[u8]) {
        if self.topics().is_empty() {
            return;
        }
        let update =
            serde_json::from_slice::<Event>(body).ok().and_then(|event| MeetingUpdate::new(event.name(), &event.data));
        match update {
            Some((id, update)) => self.publish(id, update),
            None => tracing::warn!(role = ROLE.name, "an event of a meeting holds no meeting"),
        }
    }

    /// Wakes the streams of a meeting, unless they have this version or a newer one: events may come twice.
    fn publish(&self, id: Uuid, update: MeetingUpdate) {
        if let Some(topic) = self.topics().get(&id) {
            topic.recent.send_if_modified(|recent| {
                let is_newer = recent.back().is_none_or(|last| last.version < update.version);
                if is_newer {
                    recent.push_back(update);
                    recent.drain(..recent.len().saturating_sub(MAX_RECENT));
                }
                is_newer
            });
        }
    }

    /// Reloads all meetings after events may have been missed, and regularly while the broker is unavailable.
    async fn recover(&self, queue: &Queue, reservation: &Peer) {
        loop {
            let missed = timeout(PING_INTERVAL, self.missed.notified()).await.is_ok();
            if missed || queue.health().await.status == Status::Unhealthy {
                RequestContext::new(ROLE.name).scope(self.reload_all(reservation)).await;
            }
        }
    }

    async fn reload_all(&self, reservation: &Peer) {
        let mut left: Vec<Uuid> = self.topics().keys().copied().collect();
        while !left.is_empty() {
            let batch = left.split_off(left.len().saturating_sub(RELOAD_BATCH));
            let loaded = join_all(batch.iter().map(|id| self.reload(reservation, *id))).await;
            let failed: Vec<Uuid> =
                batch.into_iter().zip(loaded).filter(|(_, loaded)| !loaded).map(|(id, _)| id).collect();
            if !failed.is_empty() {
                // at the other end, so that the rest comes first
                left.splice(..0, failed);
                sleep(RELOAD_PAUSE).await;
                let topics = self.topics();
                left.retain(|id| topics.contains_key(id));
            }
        }
    }

    /// Reloads a meeting. Returns false if it must be tried again.
    async fn reload(&self, reservation: &Peer, id: Uuid) -> bool {
        match read_meeting(reservation, format!("/internal/meetings/{id}")).await {
            Ok(update) => self.publish(id, update),
            Err(problem) if problem.kind.status > 500 => return false,
            Err(problem) => {
                tracing::warn!(role = ROLE.name, meeting_id = %id, %problem, "a stream cannot be brought up to date")
            }
        }
        true
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Uuid, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the current state of a meeting; the rights of the caller depend on `path`.
///
/// # Errors
/// 404 if there is none, or none for this caller, and what [`Peer::call`] says.
pub async fn read_meeting(reservation: &Peer, path: String) -> Result<MeetingUpdate, Problem> {
    let meeting: Value = reservation.call(RpcRequest::get(path)).await?;
    let update = MeetingUpdate::new("meeting", &meeting);
    update.map(|(_, update)| update).ok_or_else(|| Problem::internal("a meeting without id or version"))
}

fn too_many_streams() -> Problem {
    let detail = "too many streams are open at this gateway (limits.streams): poll the meeting instead, or retry later";
    Problem { retry_after: Some(RETRY_AFTER), ..Problem::new(UNAVAILABLE, detail) }
}

/// The subscription of one stream. Dropping it ends it.
pub struct StreamSubscription {
    recent: watch::Receiver<VecDeque<MeetingUpdate>>,
    id: Uuid,
    streams: Arc<MeetingStreams>,
    _permit: OwnedSemaphorePermit,
}

impl StreamSubscription {
    /// Waits for the oldest recent update that is newer than `version`. Cancel-safe.
    pub async fn next_after(&mut self, version: i64) -> Option<MeetingUpdate> {
        let is_newer = |update: &&MeetingUpdate| update.version > version;
        let recent = self.recent.wait_for(|recent| recent.iter().any(|update| is_newer(&update))).await;
        // it fails only when all streams end
        recent.ok()?.iter().find(is_newer).cloned()
    }
}

impl Drop for StreamSubscription {
    fn drop(&mut self) {
        if let Entry::Occupied(mut topic) = self.streams.topics().entry(self.id) {
            topic.get_mut().streams -= 1;
            if topic.get().streams == 0 {
                topic.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use serde_json::json;
    use uuid::Uuid;

    use super::{MAX_RECENT, MeetingStreams, MeetingUpdate, StreamSubscription};

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn publish(streams: &MeetingStreams, id: Uuid, version: i64) -> Outcome {
        let (id, update) =
            MeetingUpdate::new("meeting.updated", &json!({ "id": id, "version": version })).ok_or("a meeting")?;
        streams.publish(id, update);
        Ok(())
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
    fn a_stream_gets_each_version_once_in_order_and_of_its_own_meeting() -> Outcome {
        let streams = Arc::new(MeetingStreams::new(9));
        let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
        let (mut one, mut another) = (streams.subscribe(id)?, streams.subscribe(other)?);
        for version in [3, 4, 4, 3, 6, 5] {
            publish(&streams, id, version)?;
        }
        publish(&streams, other, 7)?;
        assert_eq!(versions_after(&mut one, 3), [4, 6]);
        assert_eq!(versions_after(&mut streams.subscribe(id)?, 0), [3, 4, 6], "a later stream");
        assert_eq!(versions_after(&mut another, 0), [7]);
        Ok(())
    }

    #[test]
    fn a_slow_stream_misses_old_versions_but_never_the_newest() -> Outcome {
        let streams = Arc::new(MeetingStreams::new(1));
        let id = Uuid::now_v7();
        let mut slow = streams.subscribe(id)?;
        for version in 1..=1000 {
            publish(&streams, id, version)?;
        }
        let versions = versions_after(&mut slow, 0);
        assert_eq!((versions.len(), versions.last()), (MAX_RECENT, Some(&1000)));
        Ok(())
    }

    #[test]
    fn a_meeting_is_forgotten_with_its_last_stream() -> Outcome {
        let streams = Arc::new(MeetingStreams::new(2));
        let id = Uuid::now_v7();
        let (first, second) = (streams.subscribe(id)?, streams.subscribe(id)?);
        assert!(streams.subscribe(id).is_err(), "two are the limit");
        drop(first);
        publish(&streams, id, 1)?;
        assert_eq!(versions_after(&mut streams.subscribe(id)?, 0), [1], "one stream is still open");
        drop(second);
        assert!(streams.topics().is_empty());
        Ok(())
    }
}
