//! One replica of a role: readiness, ejection after failures (outlier detection), and requests in flight.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that eject a replica.
const FAILURES: u32 = 3;
/// Duration of the first ejection; each further one in a row is longer by this.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Outcomes of a call, as the metric names them.
pub const OUTCOMES: [&str; 5] = ["answered", "failed", "unsent", "broken", "late"];

/// A replica, shared by all worker threads of this process.
#[derive(Debug)]
pub struct Replica {
    /// The base URL.
    pub base: String,
    /// Finished calls by outcome, in the order of [`OUTCOMES`].
    pub outcomes: [AtomicU64; OUTCOMES.len()],
    in_hand: AtomicUsize,
    failures: AtomicU32,
    /// Whether the last probe found it ready, or it was not probed yet.
    ready: AtomicBool,
    resting: AtomicBool,
    rest: Mutex<Ejection>,
}

/// The ejection of a replica that failed.
#[derive(Debug, Default)]
struct Ejection {
    /// Ejections in a row.
    times: u32,
    /// Half-open: one request probes whether the replica works again.
    on_trial: bool,
    until: Option<Instant>,
}

/// Counts one request in flight at a replica, until it is dropped.
pub struct InFlightGuard(Arc<Replica>);

impl InFlightGuard {
    /// The replica that has the request.
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
    /// A replica without history.
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

    /// Adds a request in flight, unless that exceeds `most`.
    pub fn take(self: &Arc<Self>, most: usize) -> Option<InFlightGuard> {
        let seat = InFlightGuard(Arc::clone(self));
        // dropping the guard undoes the increment
        (self.in_hand.fetch_add(1, Ordering::Relaxed) < most).then_some(seat)
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// Counts a call with this outcome.
    pub fn count(&self, outcome: &str) {
        if let Some(at) = OUTCOMES.iter().position(|one| *one == outcome) {
            self.outcomes[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests of this process in flight.
    pub fn in_hand(&self) -> usize {
        self.in_hand.load(Ordering::Relaxed)
    }

    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Records the result of its readiness probes.
    pub fn says(&self, ready: bool) {
        if self.ready.swap(ready, Ordering::Relaxed) != ready {
            tracing::info!(replica = self.base, ready, "a replica says whether it is ready");
            if ready {
                // it restarted: earlier failures no longer count
                self.succeeded();
            }
        }
    }

    /// Whether it is ejected.
    pub fn is_resting(&self) -> bool {
        self.resting.load(Ordering::Relaxed)
    }

    /// Whether the ejection is over and this caller must probe it with one request.
    pub fn wants_trial(&self) -> bool {
        if !self.is_resting() {
            return false;
        }
        let (mut rest, now) = (self.rest(), Instant::now());
        let over = rest.until.is_some_and(|until| until <= now);
        if over {
            // blocks further probes until this one ends or expires
            *rest = Ejection { on_trial: true, until: Some(now + REST), ..*rest };
        }
        over
    }

    /// Records a success: ends the ejection.
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

    /// Records a failure of the replica: ejects it after several in a row.
    pub fn failed(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures < FAILURES && !self.is_resting() {
            return;
        }
        let mut rest = self.rest();
        if self.is_resting() && !rest.on_trial {
            // the request was in flight when the ejection began, and says nothing new
            return;
        }
        let times = rest.times.saturating_add(1);
        // jitter: replicas that failed together do not return together
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
