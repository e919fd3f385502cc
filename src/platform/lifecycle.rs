//! The lifecycle of a process: starting, ready, draining.

use std::mem::take;
use std::sync::{Mutex, PoisonError};

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::watch;

/// The phase of the process: starting until all its roles are prepared, then ready, then draining.
pub struct Lifecycle {
    phase: watch::Sender<Phase>,
    /// Each tells why the process cannot work until an operator has mended something.
    defects: Mutex<Vec<DefectCheck>>,
    shutdown_hooks: Mutex<Vec<ShutdownHook>>,
}

/// Tells why the process cannot work until an operator has mended something, if that is so.
pub type DefectCheck = Box<dyn Fn() -> Option<&'static str> + Send>;

/// What an orderly stop does when no request is in flight any more.
pub type ShutdownHook = BoxFuture<'static, ()>;

/// A phase of [`Lifecycle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Listening; connecting and migrating.
    Starting,
    /// Answering requests.
    Ready,
    /// Finishing the requests in flight.
    Draining,
}

impl Default for Lifecycle {
    fn default() -> Lifecycle {
        Lifecycle {
            phase: watch::Sender::new(Phase::Starting),
            defects: Mutex::default(),
            shutdown_hooks: Mutex::default(),
        }
    }
}

impl Lifecycle {
    /// The current phase.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Advances to a phase; never goes back.
    pub fn advance(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let is_later = phase > *now;
            *now = phase.max(*now);
            is_later
        });
    }

    /// Adds a check, which readiness runs each time: it must be quick.
    pub fn add_defect_check(&self, check: DefectCheck) {
        self.defects.lock().unwrap_or_else(PoisonError::into_inner).push(check);
    }

    /// Why the process cannot work until an operator has mended something.
    pub fn find_defect(&self) -> Option<&'static str> {
        self.defects.lock().unwrap_or_else(PoisonError::into_inner).iter().find_map(|check| check())
    }

    /// Adds a hook, which an orderly stop runs: it must be quick.
    pub fn add_shutdown_hook(&self, hook: ShutdownHook) {
        self.shutdown_hooks.lock().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// Runs the hooks of an orderly stop.
    pub async fn run_shutdown_hooks(&self) {
        let hooks = take(&mut *self.shutdown_hooks.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(hooks).await;
    }

    /// Waits until the process has reached a phase.
    pub async fn wait_for(&self, phase: Phase) {
        // cannot fail: `self` holds the sender
        drop(self.phase.subscribe().wait_for(|now| *now >= phase).await);
    }
}
