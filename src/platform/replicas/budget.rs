//! How much may be asked twice: a fifth of what is asked once, and ten a second. Trouble behind us is never made worse by us.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// For each request.
const SHARE: f64 = 0.2;
/// For each second.
const RATE: f64 = 10.0;
/// What can be saved up.
const MOST: f64 = 20.0;

/// The repeats that are left.
#[derive(Debug)]
pub struct Budget(Mutex<(f64, Instant)>);

impl Default for Budget {
    fn default() -> Budget {
        Budget(Mutex::new((RATE, Instant::now())))
    }
}

impl Budget {
    /// A request was sent for the first time.
    pub fn earn(&self) {
        self.change(|left| left + SHARE);
    }

    /// Whether one may be repeated; it counts as repeated then.
    pub fn spend(&self) -> bool {
        let mut may = false;
        self.change(|left| {
            may = left >= 1.0;
            if may { left - 1.0 } else { left }
        });
        may
    }

    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut budget = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let left = (budget.0 + RATE * now.duration_since(budget.1).as_secs_f64()).min(MOST);
        *budget = (change(left).min(MOST), now);
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn a_fifth_of_what_is_asked_may_be_asked_again() {
        let budget = Budget::default();
        while budget.spend() {}
        let mut repeated = 0;
        for _ in 0..1000 {
            budget.earn();
            repeated += u32::from(budget.spend());
        }
        // this takes no second, in which there would be ten more
        assert!((195..=210).contains(&repeated), "{repeated}");
    }
}
