//! The jobs of the embedded queue that wait for a consumer, oldest first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// A job as it waits.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its place in the queue; it keeps it when it goes back.
    pub seq: i64,
    pub case_id: String,
    pub traceparent: String,
    pub body: Bytes,
    pub redelivered: bool,
}

/// The jobs that wait, and the consumers that wait for jobs.
#[derive(Default)]
pub struct Ready {
    jobs: Mutex<BTreeMap<i64, Job>>,
    came: Notify,
}

impl Ready {
    /// Adds jobs, and wakes as many consumers.
    pub fn put(&self, jobs: impl IntoIterator<Item = Job>) {
        let mut waiting = self.jobs();
        for job in jobs {
            waiting.insert(job.seq, job);
            self.came.notify_one();
        }
    }

    /// The oldest; waits for one. May be dropped while it waits.
    pub async fn take(&self) -> Job {
        loop {
            // a consumer looks before it waits, and a wake-up with nobody waiting is kept: none is missed
            if let Some((_, job)) = self.jobs().pop_first() {
                return job;
            }
            self.came.notified().await;
        }
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<i64, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
