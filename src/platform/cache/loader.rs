//! Loads keys that are not in the cache: one query runs at a time, and the next query takes all keys requested meanwhile.
//!
//! So concurrent misses of one key share one query, and many keys share one round trip. A reader never receives the result of
//! a query that began before its request: such a result may be older than a write acknowledged in between.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::Instrument as _;

/// The database behind the cache.
pub trait Source: Send + Sync + 'static {
    /// The reason of a failure; every waiting reader receives a copy.
    type Error: Clone + Send + Sync + 'static;

    /// Reads these keys and the epoch, in one snapshot. Keys without a value are left out.
    fn load(&self, keys: &[String]) -> impl Future<Output = Result<Loaded, Self::Error>> + Send;

    /// Records the cache server in use, and returns the epoch. The epoch grows when the server is another one than before.
    fn epoch(&self, server: &str) -> impl Future<Output = Result<i64, Self::Error>> + Send;
}

/// The result of one query.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The epoch in the snapshot.
    pub epoch: i64,
    /// The values, encoded as the cache stores them.
    pub values: HashMap<String, Bytes>,
}

type Outcome<S> = Result<Arc<Loaded>, <S as Source>::Error>;

/// Combines the keys of concurrent readers into queries.
pub struct Loader<S: Source>(Arc<Inner<S>>);

struct Inner<S: Source> {
    source: Arc<S>,
    runtime: Handle,
    queue: Mutex<Queue<S>>,
}

struct Queue<S: Source> {
    is_running: bool,
    keys: BTreeSet<String>,
    readers: Vec<oneshot::Sender<Outcome<S>>>,
}

impl<S: Source> Loader<S> {
    /// A loader whose queries run on the current tokio runtime.
    pub fn new(source: Arc<S>) -> Loader<S> {
        let queue = Mutex::new(Queue { is_running: false, keys: BTreeSet::new(), readers: Vec::new() });
        Loader(Arc::new(Inner { source, runtime: Handle::current(), queue }))
    }

    /// The values of these keys, and of other keys that the same query read. `None` if the query panicked.
    pub async fn load(&self, keys: impl IntoIterator<Item = String>) -> Option<Outcome<S>> {
        let (sender, receiver) = oneshot::channel();
        let idle = {
            let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.keys.extend(keys);
            queue.readers.push(sender);
            !std::mem::replace(&mut queue.is_running, true)
        };
        if idle {
            let inner = Arc::clone(&self.0);
            self.0.runtime.spawn(async move { while inner.next().await {} }.in_current_span());
        }
        receiver.await.ok()
    }
}

impl<S: Source> Inner<S> {
    /// Runs the next query; false when no reader waits.
    async fn next(&self) -> bool {
        let (keys, readers) = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.readers.is_empty() {
                queue.is_running = false;
                return false;
            }
            (std::mem::take(&mut queue.keys), std::mem::take(&mut queue.readers))
        };
        let keys: Vec<String> = keys.into_iter().collect();
        let outcome = self.source.load(&keys).await.map(Arc::new);
        for reader in readers {
            drop(reader.send(outcome.clone()));
        }
        true
    }
}
