//! Background tasks. Each role's task has a thread of its own, because its clients are bound to one thread.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{pending, select_all};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::platform::lifecycle::{Lifecycle, Phase};
use crate::platform::role::BackgroundTask;

/// The background tasks of a process.
pub struct BackgroundTasks {
    running: Vec<(&'static str, JoinHandle<()>)>,
    drain_timeout: Duration,
}

impl BackgroundTasks {
    /// Starts the tasks; they begin to work when the process is ready. `drain_timeout` is the time that they get to end.
    pub fn start(
        tasks: Vec<(&'static str, BackgroundTask)>,
        lifecycle: &Arc<Lifecycle>,
        drain_timeout: Duration,
    ) -> BackgroundTasks {
        let start = |(role, task): (&'static str, BackgroundTask)| {
            let lifecycle = Arc::clone(lifecycle);
            let thread = spawn_blocking(move || {
                actix_rt::System::new().block_on(async move {
                    lifecycle.wait_for(Phase::Ready).await;
                    task(lifecycle).await;
                });
            });
            (role, thread)
        };
        BackgroundTasks { running: tasks.into_iter().map(start).collect(), drain_timeout }
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
            if timeout(self.drain_timeout, thread).await.is_err() {
                tracing::warn!(role, "the background task did not end in time: its work in progress will be repeated");
            }
        }
    }
}
