//! The hub of the live streams: who waits for which meeting, what changed there lately, and how what was missed is caught up.
//!
//! One subscription feeds all streams of the process. A change costs one look into a map, and wakes only those who wait for
//! that meeting, however many others there are.

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
use crate::platform::queue::event::Event;
use crate::platform::queue::{Queue, StreamItem};
use crate::platform::request_context::RequestContext;
use crate::platform::role::{Lifecycle, Phase};
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;
use crate::roles::user::api::meetings::Marked;

/// How often a stream says that it lives, and how old its state can be at most while the broker is away.
pub const PING: Duration = Duration::from_secs(15);
/// What the events of meetings begin with.
const MEETING: &str = "meeting.";
/// Changes that are kept for a stream that reads slowly; one that is further behind misses all but the newest, and each holds
/// the whole meeting. From its beginning to the invitations a meeting changes three times.
const KEPT: usize = 4;
/// Meetings that are read again at the same time, and how long to wait when user is away.
const AT_ONCE: usize = 32;
const PAUSE: Duration = Duration::from_secs(1);
/// After how many seconds to come again when all places are taken.
const LATER: u32 = 5;

/// Who waits for what.
pub struct MeetingStreams {
    topics: Mutex<HashMap<Uuid, Topic>>,
    places: Arc<Semaphore>,
    missed: Notify,
}

/// A meeting that somebody waits for.
struct Topic {
    lately: watch::Sender<VecDeque<MeetingUpdate>>,
    streams: usize,
}

/// A state of a meeting, as all its streams send it.
#[derive(Clone)]
pub struct MeetingUpdate {
    pub version: i64,
    pub text: Bytes,
}

impl MeetingUpdate {
    /// Says that `meeting` is like this now; `None` if it is no meeting.
    pub fn of(name: &str, meeting: &Value) -> Option<(Uuid, MeetingUpdate)> {
        let Marked { id, version } = Marked::deserialize(meeting).ok()?;
        let mut meeting = meeting.clone();
        // all who watch hear the same, and where the organizer's app is told is not for all
        meeting["callback_url"] = Value::Null;
        // JSON without spaces has no line breaks, so it is one line of an event
        let text = format!("id: {version}\nevent: {name}\ndata: {meeting}\n\n");
        Some((id, MeetingUpdate { version, text: text.into() }))
    }
}

impl MeetingStreams {
    /// With room for so many streams.
    pub fn new(places: usize) -> MeetingStreams {
        let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        MeetingStreams { topics: Mutex::default(), places, missed: Notify::new() }
    }

    /// Begins to listen for a meeting, until the place is dropped.
    ///
    /// # Errors
    /// 503 when all places are taken.
    pub fn enter(self: &Arc<Self>, id: Uuid) -> Result<StreamSubscription, Problem> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| full())?;
        let mut topics = self.topics();
        let topic = topics.entry(id).or_insert_with(|| Topic { lately: watch::Sender::default(), streams: 0 });
        topic.streams += 1;
        Ok(StreamSubscription { lately: topic.lately.subscribe(), id, hub: Arc::clone(self), _permit: permit })
    }

    /// Passes on what it hears, until the process drains.
    pub async fn work(
        &self,
        heard: broadcast::Receiver<StreamItem>,
        queue: &Queue,
        user: &Peer,
        lifecycle: &Lifecycle,
    ) {
        tokio::select! {
            () = lifecycle.reached(Phase::Draining) => {}
            () = self.hear(heard) => {}
            () = self.catch_up(queue, user) => {}
        }
    }

    async fn hear(&self, mut heard: broadcast::Receiver<StreamItem>) {
        loop {
            match heard.recv().await {
                Ok(StreamItem::Event { routing_key, body }) if routing_key.starts_with(MEETING) => self.pass_on(&body),
                Ok(StreamItem::Event { .. }) => {}
                Ok(StreamItem::Gap) | Err(RecvError::Lagged(_)) => self.missed.notify_one(),
                // the queue is ours as well, so it is there as long as we are
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn pass_on(&self, body: &[u8]) {
        if self.topics().is_empty() {
            return;
        }
        let news =
            serde_json::from_slice::<Event>(body).ok().and_then(|event| MeetingUpdate::of(event.name(), &event.data));
        match news {
            Some((id, news)) => self.tell(id, news),
            None => tracing::warn!(role = ROLE.name, "an event of a meeting that names none"),
        }
    }

    /// Wakes the streams of a meeting, unless they know this or something newer: events may come twice.
    fn tell(&self, id: Uuid, news: MeetingUpdate) {
        if let Some(topic) = self.topics().get(&id) {
            topic.lately.send_if_modified(|lately| {
                let fresh = lately.back().is_none_or(|last| last.version < news.version);
                if fresh {
                    lately.push_back(news);
                    lately.drain(..lately.len().saturating_sub(KEPT));
                }
                fresh
            });
        }
    }

    /// Reads all meetings again after something may have been missed, and now and then while the broker is away.
    async fn catch_up(&self, queue: &Queue, user: &Peer) {
        loop {
            let missed = timeout(PING, self.missed.notified()).await.is_ok();
            if missed || queue.health().await.status == Status::Unhealthy {
                RequestContext::fresh(ROLE.name).scope(self.read_again(user)).await;
            }
        }
    }

    async fn read_again(&self, user: &Peer) {
        let mut left: Vec<Uuid> = self.topics().keys().copied().collect();
        while !left.is_empty() {
            let some = left.split_off(left.len().saturating_sub(AT_ONCE));
            let read = join_all(some.iter().map(|id| self.read(user, *id))).await;
            let unread: Vec<Uuid> = some.into_iter().zip(read).filter(|(_, read)| !read).map(|(id, _)| id).collect();
            if !unread.is_empty() {
                // at the other end, so that the others have their turn
                left.splice(..0, unread);
                sleep(PAUSE).await;
                let topics = self.topics();
                left.retain(|id| topics.contains_key(id));
            }
        }
    }

    /// Whether there is nothing more to try.
    async fn read(&self, user: &Peer, id: Uuid) -> bool {
        match read_meeting(user, format!("/internal/meetings/{id}")).await {
            Ok(news) => self.tell(id, news),
            Err(problem) if problem.kind.status > 500 => return false,
            Err(problem) => tracing::warn!(role = ROLE.name, meeting_id = %id, %problem, "a stream stays as it is"),
        }
        true
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Uuid, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The meeting as it is now; `path` says on whose behalf it is read.
///
/// # Errors
/// 404 if there is none, or none for this caller, and what [`Peer::call`] says.
pub async fn read_meeting(user: &Peer, path: String) -> Result<MeetingUpdate, Problem> {
    let meeting: Value = user.call(RpcRequest::get(path)).await?;
    let news =
        MeetingUpdate::of("meeting", &meeting).ok_or_else(|| Problem::internal("a meeting without id or version"))?;
    Ok(news.1)
}

fn full() -> Problem {
    let detail = "as many streams are open as this gateway takes (limits.streams); read the meeting itself meanwhile";
    Problem { retry_after: Some(LATER), ..Problem::new(UNAVAILABLE, detail) }
}

/// One stream's place.
pub struct StreamSubscription {
    lately: watch::Receiver<VecDeque<MeetingUpdate>>,
    id: Uuid,
    hub: Arc<MeetingStreams>,
    _permit: OwnedSemaphorePermit,
}

impl StreamSubscription {
    /// The oldest state that is kept and newer than this version; waits for one. May be dropped while it waits.
    pub async fn after(&mut self, version: i64) -> Option<MeetingUpdate> {
        let newer = |news: &&MeetingUpdate| news.version > version;
        let lately = self.lately.wait_for(|lately| lately.iter().any(|news| newer(&news))).await;
        // an error says that the hub is gone
        lately.ok()?.iter().find(newer).cloned()
    }
}

impl Drop for StreamSubscription {
    fn drop(&mut self) {
        if let Entry::Occupied(mut topic) = self.hub.topics().entry(self.id) {
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

    use super::{KEPT, MeetingStreams, MeetingUpdate, StreamSubscription};

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn tell(hub: &MeetingStreams, id: Uuid, version: i64) -> Outcome {
        let (id, news) =
            MeetingUpdate::of("meeting.updated", &json!({ "id": id, "version": version })).ok_or("a meeting")?;
        hub.tell(id, news);
        Ok(())
    }

    /// The versions that a stream sends when it gets to it.
    fn read(place: &mut StreamSubscription, mut version: i64) -> Vec<i64> {
        let mut all = Vec::new();
        while let Some(Some(news)) = place.after(version).now_or_never() {
            version = news.version;
            all.push(version);
        }
        all
    }

    #[test]
    fn nothing_comes_twice_or_out_of_order_or_from_another_meeting() -> Outcome {
        let hub = Arc::new(MeetingStreams::new(9));
        let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
        let (mut place, mut another) = (hub.enter(id)?, hub.enter(other)?);
        for version in [3, 4, 4, 3, 6, 5] {
            tell(&hub, id, version)?;
        }
        tell(&hub, other, 7)?;
        assert_eq!(read(&mut place, 3), [4, 6]);
        assert_eq!(read(&mut hub.enter(id)?, 0), [3, 4, 6], "who comes later");
        assert_eq!(read(&mut another, 0), [7]);
        Ok(())
    }

    #[test]
    fn who_reads_slowly_misses_states_but_never_the_newest() -> Outcome {
        let hub = Arc::new(MeetingStreams::new(1));
        let id = Uuid::now_v7();
        let mut place = hub.enter(id)?;
        for version in 1..=1000 {
            tell(&hub, id, version)?;
        }
        let read = read(&mut place, 0);
        assert_eq!((read.len(), read.last()), (KEPT, Some(&1000)));
        Ok(())
    }

    #[test]
    fn nothing_is_kept_for_those_who_are_gone() -> Outcome {
        let hub = Arc::new(MeetingStreams::new(2));
        let id = Uuid::now_v7();
        let places = (hub.enter(id)?, hub.enter(id)?);
        assert!(hub.enter(id).is_err(), "there is room for two");
        drop(places.0);
        tell(&hub, id, 1)?;
        assert_eq!(read(&mut hub.enter(id)?, 0), [1], "one is still there");
        drop(places.1);
        assert!(hub.topics().is_empty());
        Ok(())
    }
}
