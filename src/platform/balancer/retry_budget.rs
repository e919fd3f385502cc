//! The retry budget: retries may add a fifth of the requests, and ten per second. It keeps retries from making an outage worse.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Retries earned by each request.
const RETRIES_PER_REQUEST: f64 = 0.2;
/// Retries earned per second.
const RETRIES_PER_SECOND: f64 = 10.0;
/// Largest balance.
const MAX_BALANCE: f64 = 20.0;

/// The balance of retries.
#[derive(Debug)]
pub struct RetryBudget {
    /// Requests since the balance was updated.
    sent: AtomicU32,
    left: Mutex<(f64, Instant)>,
}

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget { sent: AtomicU32::new(0), left: Mutex::new((RETRIES_PER_SECOND, Instant::now())) }
    }
}

impl RetryBudget {
    /// Counts a first attempt.
    pub fn deposit(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one retry from the balance; false if there is none.
    pub fn withdraw(&self) -> bool {
        let mut budget = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, sent) = (Instant::now(), f64::from(self.sent.swap(0, Ordering::Relaxed)));
        let earned = RETRIES_PER_REQUEST * sent + RETRIES_PER_SECOND * now.duration_since(budget.1).as_secs_f64();
        let left = (budget.0 + earned).min(MAX_BALANCE);
        let may = left >= 1.0;
        *budget = (if may { left - 1.0 } else { left }, now);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::RetryBudget;

    #[test]
    fn retries_are_a_fifth_of_the_requests() {
        let budget = RetryBudget::default();
        while budget.withdraw() {}
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            retries += u32::from(budget.withdraw());
        }
        // the test takes less than a second, which would earn ten more
        assert!((195..=210).contains(&retries), "{retries}");
    }
}
