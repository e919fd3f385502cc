//! One replica of a role: whether it is fit to be asked, and how much it has in hand.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row after which a replica is left alone.
const FAILURES: u32 = 3;
/// For how long, the first time; each time in a row as long again.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// How a call to a replica may end.
pub const OUTCOMES: [&str; 5] = ["answered", "failed", "unsent", "broken", "late"];

/// A replica, as all worker threads of this process see it.
#[derive(Debug)]
pub struct Replica {
    /// Its base URL.
    pub base: String,
    /// Calls that ended, in the order of [`OUTCOMES`].
    pub outcomes: [AtomicU64; OUTCOMES.len()],
    in_hand: AtomicUsize,
    failures: AtomicU32,
    /// Whether it says itself that it works, or has not been asked.
    ready: AtomicBool,
    resting: AtomicBool,
    rest: Mutex<Ejection>,
}

/// The time in which nobody asks a replica that failed.
#[derive(Debug, Default)]
struct Ejection {
    /// How often in a row.
    times: u32,
    /// Whether one request tries whether it works again.
    on_trial: bool,
    until: Option<Instant>,
}

/// A request that a replica has in hand.
pub struct InFlightGuard(Arc<Replica>);

impl InFlightGuard {
    /// Who has it.
    pub fn replica(&self) -> &Arc<Replica> {
        &self.0
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.in_hand.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Replica {
    /// One of which nothing is known.
    pub fn new(base: String) -> Replica {
        Replica {
            base,
            outcomes: Default::default(),
            in_hand: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            ready: AtomicBool::new(true),
            resting: AtomicBool::new(false),
            rest: Mutex::default(),
        }
    }

    /// Gives it one request more, if that is not more than `most`.
    pub fn take(self: &Arc<Self>, most: usize) -> Option<InFlightGuard> {
        let seat = InFlightGuard(Arc::clone(self));
        // the seat takes back what was added when it is dropped
        (self.in_hand.fetch_add(1, Ordering::Relaxed) < most).then_some(seat)
    }

    /// Its host and port.
    pub fn host(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Counts a call that ended like this.
    pub fn count(&self, outcome: &str) {
        if let Some(at) = OUTCOMES.iter().position(|one| *one == outcome) {
            self.outcomes[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many requests of this process it has in hand.
    pub fn in_hand(&self) -> usize {
        self.in_hand.load(Ordering::Relaxed)
    }

    /// Whether it says that it works.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Notes what it says of itself.
    pub fn says(&self, ready: bool) {
        if self.ready.swap(ready, Ordering::Relaxed) != ready {
            tracing::info!(replica = self.base, ready, "a replica says whether it is ready");
            if ready {
                // it was started again, and what failed before has nothing to do with it
                self.succeeded();
            }
        }
    }

    /// Whether it is left alone.
    pub fn is_resting(&self) -> bool {
        self.resting.load(Ordering::Relaxed)
    }

    /// Whether it has rested enough to be tried by one request: who is told so must try it.
    pub fn wants_trial(&self) -> bool {
        if !self.is_resting() {
            return false;
        }
        let (mut rest, now) = (self.rest(), Instant::now());
        let over = rest.until.is_some_and(|until| until <= now);
        if over {
            // nobody else, until this trial has ended or is forgotten
            *rest = Ejection { on_trial: true, until: Some(now + REST), ..*rest };
        }
        over
    }

    /// It did its work.
    pub fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.is_resting() {
            *self.rest() = Ejection::default();
            self.resting.store(false, Ordering::Relaxed);
            tracing::info!(replica = self.base, "a replica works again");
        }
    }

    /// It did not, and that is its own fault.
    pub fn failed(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures < FAILURES && !self.is_resting() {
            return;
        }
        let mut rest = self.rest();
        if self.is_resting() && !rest.on_trial {
            // it was under way when the rest began, and says nothing new
            return;
        }
        let times = rest.times.saturating_add(1);
        // replicas that failed together do not come back together
        let length = (REST * times).min(LONGEST_REST).mul_f64(rand::random_range(0.9..1.1));
        *rest = Ejection { times, on_trial: false, until: Some(Instant::now() + length) };
        self.resting.store(true, Ordering::Relaxed);
        tracing::warn!(
            replica = self.base,
            seconds = length.as_secs_f64(),
            "a replica fails and is left alone for a while"
        );
    }

    fn rest(&self) -> MutexGuard<'_, Ejection> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{FAILURES, Replica};

    fn replica() -> Arc<Replica> {
        Arc::new(Replica::new("http://a".to_owned()))
    }

    #[test]
    fn a_replica_rests_after_failures_in_a_row_and_only_then() {
        let replica = replica();
        for _ in 1..FAILURES {
            replica.failed();
        }
        replica.succeeded();
        for _ in 1..FAILURES {
            replica.failed();
        }
        assert!(!replica.is_resting());
        replica.failed();
        assert!(replica.is_resting());
        assert!(!replica.wants_trial(), "it has just begun to rest");
        replica.succeeded();
        assert!(!replica.is_resting(), "an answer is an answer");
    }

    #[test]
    fn one_request_tries_it_and_the_next_rest_is_longer() {
        let replica = replica();
        let rested = || replica.rest().until = Some(std::time::Instant::now());
        (0..FAILURES).for_each(|_| replica.failed());
        replica.failed();
        assert_eq!(replica.rest().times, 1, "what was under way says nothing new");
        rested();
        assert!(replica.wants_trial());
        assert!(!replica.wants_trial(), "one is enough");
        replica.failed();
        assert_eq!(replica.rest().times, 2);
        assert!(!replica.wants_trial());
    }

    #[test]
    fn a_replica_takes_no_more_than_it_may() {
        let replica = replica();
        let first = replica.take(2);
        assert!(first.is_some());
        let second = replica.take(2);
        assert!(replica.take(2).is_none());
        assert_eq!(replica.in_hand(), 2, "the one that was refused is not counted");
        drop(second);
        assert!(replica.take(2).is_some());
    }
}
