//! Counts the open connections of a server, and ends them when it stops: actix looks only once a second whether all have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// How long a connection may take from the listener to its worker thread.
const HANDOVER: Duration = Duration::from_millis(5);

/// The open connections of a server.
#[derive(Default)]
pub struct OpenConnections {
    count: AtomicUsize,
    closed: Notify,
    ending: watch::Sender<bool>,
}

/// A connection, counted until it is dropped.
pub struct OpenConnection(Arc<OpenConnections>);

impl OpenConnections {
    /// Counts a connection.
    pub fn open(self: &Arc<Self>) -> OpenConnection {
        self.count.fetch_add(1, Ordering::AcqRel);
        OpenConnection(Arc::clone(self))
    }

    /// Completes when connections are to end.
    pub fn ending(&self) -> impl Future<Output = ()> + use<> {
        let mut ending = self.ending.subscribe();
        async move { drop(ending.wait_for(|ending| *ending).await) }
    }

    /// Ends idle connections, and the others after their request, when the listener is closed. Returns whether all have ended
    /// within `limit`.
    pub async fn end(&self, limit: Duration) -> bool {
        self.ending.send_replace(true);
        sleep(HANDOVER).await;
        let all_closed = async {
            loop {
                let closed = self.closed.notified();
                if self.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                closed.await;
            }
        };
        timeout(limit, all_closed).await.is_ok()
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.closed.notify_one();
        }
    }
}
