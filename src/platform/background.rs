//! Background tasks. Each role's task has a thread of its own, because its clients are bound to one thread.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{pending, select_all};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::platform::role::{BackgroundTask, Lifecycle, Phase};

/// The background tasks of a process.
pub struct BackgroundTasks {
    running: Vec<(&'static str, JoinHandle<()>)>,
    patience: Duration,
}

impl BackgroundTasks {
    /// Starts the tasks; they begin to work when the process is ready. `drain_timeout` is the time that they get to end.
    pub fn start(
        works: Vec<(&'static str, BackgroundTask)>,
        lifecycle: &Arc<Lifecycle>,
        patience: Duration,
    ) -> BackgroundTasks {
        let start = |(role, work): (&'static str, BackgroundTask)| {
            let lifecycle = Arc::clone(lifecycle);
            let thread = spawn_blocking(move || {
                actix_rt::System::new().block_on(async move {
                    lifecycle.wait_for(Phase::Ready).await;
                    work(lifecycle).await;
                });
            });
            (role, thread)
        };
        BackgroundTasks { running: works.into_iter().map(start).collect(), patience }
    }

    /// The role of the first task that ends by itself; in normal operation, none does.
    pub async fn first_to_end(&mut self) -> &'static str {
        if self.running.is_empty() {
            return pending().await;
        }
        let roles: Vec<&'static str> = self.running.iter().map(|(role, _)| *role).collect();
        let (_, first, _) = select_all(self.running.iter_mut().map(|(_, thread)| thread)).await;
        roles[first]
    }

    /// Waits for the tasks to finish their current work.
    pub async fn end(self) {
        for (role, thread) in self.running {
            if timeout(self.patience, thread).await.is_err() {
                tracing::warn!(role, "the background work did not end in time: what it had in hand will be done again");
            }
        }
    }
}
