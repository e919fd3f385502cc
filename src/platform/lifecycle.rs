//! The lifecycle of a process: starting, ready, draining.

use tokio::sync::watch;

/// The phase of the process: starting until all its roles are prepared, then ready, then draining.
pub struct Lifecycle(watch::Sender<Phase>);

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
        Lifecycle(watch::Sender::new(Phase::Starting))
    }
}

impl Lifecycle {
    /// The current phase.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Advances to a phase; never goes back.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let is_later = phase > *now;
            *now = phase.max(*now);
            is_later
        });
    }

    /// Waits until the process has reached a phase.
    pub async fn wait_for(&self, phase: Phase) {
        // cannot fail: `self` holds the sender
        drop(self.0.subscribe().wait_for(|now| *now >= phase).await);
    }
}
