//! The lifecycle of a process: starting, ready, draining.

use std::mem::take;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use tokio::sync::watch;

/// The phase of the process: starting until all its roles are prepared, then ready, then draining.
pub struct Lifecycle {
    phase: watch::Sender<Phase>,
    /// Each tells why the process cannot work until an operator has mended something.
    defects: Mutex<Vec<DefectCheck>>,
    last_steps: Mutex<Vec<LastStep>>,
}

/// Tells why the process cannot work until an operator has mended something, if that is so.
pub type DefectCheck = Box<dyn Fn() -> Option<&'static str> + Send>;

/// What an orderly stop does when no request is in flight any more.
pub type LastStep = Pin<Box<dyn Future<Output = ()> + Send>>;

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
            last_steps: Mutex::default(),
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
    pub fn defect(&self) -> Option<&'static str> {
        self.defects.lock().unwrap_or_else(PoisonError::into_inner).iter().find_map(|check| check())
    }

    /// Adds a step to the end of an orderly stop: it must be quick.
    pub fn add_last_step(&self, step: LastStep) {
        self.last_steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// Runs the last steps of an orderly stop.
    pub async fn end(&self) {
        let steps = take(&mut *self.last_steps.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(steps).await;
    }

    /// Waits until the process has reached a phase.
    pub async fn wait_for(&self, phase: Phase) {
        // cannot fail: `self` holds the sender
        drop(self.phase.subscribe().wait_for(|now| *now >= phase).await);
    }
}
