//! What a write has met lately.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long it counts after a write that met it: small writes may find some room in between.
const COUNTS_FOR: Duration = Duration::from_secs(10);

/// Remembers when a write was last refused for one reason.
#[derive(Clone, Default)]
pub(super) struct Recent(Arc<Mutex<Option<Instant>>>);

impl Recent {
    /// Whether a write has met it in the last seconds.
    pub fn is_set(&self) -> bool {
        let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        at.is_some_and(|at| at.elapsed() < COUNTS_FOR)
    }

    /// A write has met it. Tells whether it is the first of several.
    pub fn set(&self) -> bool {
        let is_first = !self.is_set();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        is_first
    }
}
