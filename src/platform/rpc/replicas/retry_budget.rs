//! The retry budget: retries may add a fifth of the requests, and ten per second. It keeps retries from making an outage worse.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Retries earned by each request.
const SHARE: f64 = 0.2;
/// Retries earned per second.
const RATE: f64 = 10.0;
/// Largest balance.
const MOST: f64 = 20.0;

/// The balance of retries.
#[derive(Debug)]
pub struct RetryBudget {
    /// Requests since the balance was updated.
    sent: AtomicU32,
    left: Mutex<(f64, Instant)>,
}

impl Default for RetryBudget {
    fn default() -> RetryBudget {
        RetryBudget { sent: AtomicU32::new(0), left: Mutex::new((RATE, Instant::now())) }
    }
}

impl RetryBudget {
    /// Counts a first attempt.
    pub fn earn(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one retry from the balance; false if there is none.
    pub fn spend(&self) -> bool {
        let mut budget = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, sent) = (Instant::now(), f64::from(self.sent.swap(0, Ordering::Relaxed)));
        let earned = SHARE * sent + RATE * now.duration_since(budget.1).as_secs_f64();
        let left = (budget.0 + earned).min(MOST);
        let may = left >= 1.0;
        *budget = (if may { left - 1.0 } else { left }, now);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::RetryBudget;

    #[test]
    fn a_fifth_of_what_is_asked_may_be_asked_again() {
        let budget = RetryBudget::default();
        while budget.spend() {}
        let mut repeated = 0;
        for _ in 0..1000 {
            budget.earn();
            repeated += u32::from(budget.spend());
        }
        // the test takes less than a second, which would earn ten more
        assert!((195..=210).contains(&repeated), "{repeated}");
    }
}
