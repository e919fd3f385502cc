//! The lifecycle of a process: starting, ready, draining.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// The phase of the process: starting until all its roles are prepared, then ready, then draining.
pub struct Lifecycle {
    phase: watch::Sender<Phase>,
    /// Each tells why the process cannot work until an operator has mended something.
    defects: Mutex<Vec<DefectCheck>>,
}

/// Tells why the process cannot work until an operator has mended something, if that is so.
pub type DefectCheck = Box<dyn Fn() -> Option<&'static str> + Send>;

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
        Lifecycle { phase: watch::Sender::new(Phase::Starting), defects: Mutex::default() }
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

    /// Waits until the process has reached a phase.
    pub async fn wait_for(&self, phase: Phase) {
        // cannot fail: `self` holds the sender
        drop(self.phase.subscribe().wait_for(|now| *now >= phase).await);
    }
}
