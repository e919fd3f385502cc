//! Reads what the cache does not have: one query at a time, and everything asked for meanwhile goes with the next.
//!
//! So concurrent misses of one key share one query, many keys share one round trip, and no reader is given the result of a
//! query that began before it asked: such a result may be older than a write acknowledged in between.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::Instrument as _;

/// Where the truth is.
pub trait Source: Send + Sync + 'static {
    /// Why there is no answer; every reader that waits gets its own copy.
    type Error: Clone + Send + Sync + 'static;

    /// Reads these keys, and the epoch, as of one moment. Keys without a value are left out.
    fn load(&self, keys: &[String]) -> impl Future<Output = Result<Loaded, Self::Error>> + Send;

    /// The epoch, after noting which cache server is in use: the epoch grows when it is not the one noted before.
    fn epoch(&self, server: &str) -> impl Future<Output = Result<i64, Self::Error>> + Send;
}

/// What one query found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The cache's epoch at that moment.
    pub epoch: i64,
    /// The values, encoded as the cache keeps them.
    pub values: HashMap<String, Bytes>,
}

type Outcome<S> = Result<Arc<Loaded>, <S as Source>::Error>;

/// Gathers the keys of concurrent readers into queries.
pub struct Loader<S: Source>(Arc<Inner<S>>);

struct Inner<S: Source> {
    source: Arc<S>,
    home: Handle,
    queue: Mutex<Queue<S>>,
}

struct Queue<S: Source> {
    busy: bool,
    keys: BTreeSet<String>,
    readers: Vec<oneshot::Sender<Outcome<S>>>,
}

impl<S: Source> Loader<S> {
    /// Queries run on the current tokio runtime, whoever asks.
    pub fn new(source: Arc<S>) -> Loader<S> {
        let queue = Mutex::new(Queue { busy: false, keys: BTreeSet::new(), readers: Vec::new() });
        Loader(Arc::new(Inner { source, home: Handle::current(), queue }))
    }

    /// The values of these keys, and of whatever others the same query read. `None` if the query died.
    pub async fn load(&self, keys: impl IntoIterator<Item = String>) -> Option<Outcome<S>> {
        let (tell, told) = oneshot::channel();
        let idle = {
            let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.keys.extend(keys);
            queue.readers.push(tell);
            !std::mem::replace(&mut queue.busy, true)
        };
        if idle {
            let inner = Arc::clone(&self.0);
            self.0.home.spawn(async move { while inner.next().await {} }.in_current_span());
        }
        told.await.ok()
    }
}

impl<S: Source> Inner<S> {
    /// Runs the next query; false when nobody asks any more.
    async fn next(&self) -> bool {
        let (keys, readers) = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.readers.is_empty() {
                queue.busy = false;
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
