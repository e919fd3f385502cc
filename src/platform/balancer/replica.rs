//! One replica of a role: readiness, ejection after failures (outlier detection), and requests in flight.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that eject a replica.
const FAILURES_TO_EJECT: u32 = 3;
/// Duration of the first ejection; each further one in a row is longer by this.
const BASE_EJECTION: Duration = Duration::from_secs(2);
const MAX_EJECTION: Duration = Duration::from_secs(30);

/// Outcomes of a call, as the metric names them.
pub const OUTCOMES: [&str; 5] = ["answered", "failed", "unsent", "broken", "late"];

/// A replica, shared by all worker threads of this process.
#[derive(Debug)]
pub struct Replica {
    /// The base URL.
    pub base: String,
    /// Finished calls by outcome, in the order of [`OUTCOMES`].
    pub outcomes: [AtomicU64; OUTCOMES.len()],
    in_flight: AtomicUsize,
    failures: AtomicU32,
    /// Whether the last probe found it ready, or it was not probed yet.
    ready: AtomicBool,
    ejected: AtomicBool,
    ejection: Mutex<Ejection>,
}

/// The ejection of a replica that failed.
#[derive(Debug, Default)]
struct Ejection {
    /// Ejections in a row.
    times: u32,
    /// Half-open: one request probes whether the replica works again.
    half_open: bool,
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
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Replica {
    /// A replica without history.
    pub fn new(base: String) -> Replica {
        Replica {
            base,
            outcomes: Default::default(),
            in_flight: AtomicUsize::new(0),
            failures: AtomicU32::new(0),
            ready: AtomicBool::new(true),
            ejected: AtomicBool::new(false),
            ejection: Mutex::default(),
        }
    }

    /// Adds a request in flight, unless that exceeds `limit`.
    pub fn acquire(self: &Arc<Self>, limit: usize) -> Option<InFlightGuard> {
        let slot = InFlightGuard(Arc::clone(self));
        // dropping the guard undoes the increment
        (self.in_flight.fetch_add(1, Ordering::Relaxed) < limit).then_some(slot)
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
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Records the result of its readiness probes.
    pub fn set_ready(&self, ready: bool) {
        if self.ready.swap(ready, Ordering::Relaxed) != ready {
            tracing::info!(replica = self.base, ready, "replica readiness changed");
            if ready {
                // it restarted: earlier failures no longer count
                self.record_success();
            }
        }
    }

    /// Whether it is ejected.
    pub fn is_ejected(&self) -> bool {
        self.ejected.load(Ordering::Relaxed)
    }

    /// Whether the ejection is over and this caller must probe it with one request.
    pub fn may_probe(&self) -> bool {
        if !self.is_ejected() {
            return false;
        }
        let (mut rest, now) = (self.ejection(), Instant::now());
        let over = rest.until.is_some_and(|until| until <= now);
        if over {
            // blocks further probes until this one ends or expires
            *rest = Ejection { half_open: true, until: Some(now + BASE_EJECTION), ..*rest };
        }
        over
    }

    /// Records a success: ends the ejection.
    pub fn record_success(&self) {
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
        if self.is_ejected() {
            *self.ejection() = Ejection::default();
            self.ejected.store(false, Ordering::Relaxed);
            tracing::info!(replica = self.base, "replica works again");
        }
    }

    /// Records a failure of the replica: ejects it after several in a row.
    pub fn record_failure(&self) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures < FAILURES_TO_EJECT && !self.is_ejected() {
            return;
        }
        let mut rest = self.ejection();
        if self.is_ejected() && !rest.half_open {
            // the request was in flight when the ejection began, and says nothing new
            return;
        }
        let times = rest.times.saturating_add(1);
        // jitter: replicas that failed together do not return together
        let length = (BASE_EJECTION * times).min(MAX_EJECTION).mul_f64(rand::random_range(0.9..1.1));
        *rest = Ejection { times, half_open: false, until: Some(Instant::now() + length) };
        self.ejected.store(true, Ordering::Relaxed);
        tracing::warn!(replica = self.base, seconds = length.as_secs_f64(), "replica ejected");
    }

    fn ejection(&self) -> MutexGuard<'_, Ejection> {
        self.ejection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{FAILURES_TO_EJECT, Replica};

    fn replica() -> Arc<Replica> {
        Arc::new(Replica::new("http://a".to_owned()))
    }

    #[test]
    fn failures_in_a_row_eject_a_replica() {
        let replica = replica();
        for _ in 1..FAILURES_TO_EJECT {
            replica.record_failure();
        }
        replica.record_success();
        for _ in 1..FAILURES_TO_EJECT {
            replica.record_failure();
        }
        assert!(!replica.is_ejected());
        replica.record_failure();
        assert!(replica.is_ejected());
        assert!(!replica.may_probe(), "its ejection has just begun");
        replica.record_success();
        assert!(!replica.is_ejected(), "a success ends the ejection");
    }

    #[test]
    fn one_request_probes_it_and_the_next_ejection_is_longer() {
        let replica = replica();
        let end_ejection = || replica.ejection().until = Some(std::time::Instant::now());
        (0..FAILURES_TO_EJECT).for_each(|_| replica.record_failure());
        replica.record_failure();
        assert_eq!(replica.ejection().times, 1, "failures of requests in flight do not count");
        end_ejection();
        assert!(replica.may_probe());
        assert!(!replica.may_probe(), "one probe at a time");
        replica.record_failure();
        assert_eq!(replica.ejection().times, 2);
        assert!(!replica.may_probe());
    }

    #[test]
    fn a_replica_has_a_limit_of_requests_in_flight() {
        let replica = replica();
        let first = replica.acquire(2);
        assert!(first.is_some());
        let second = replica.acquire(2);
        assert!(replica.acquire(2).is_none());
        assert_eq!(replica.in_flight(), 2, "a refused request is not counted");
        drop(second);
        assert!(replica.acquire(2).is_some());
    }
}
