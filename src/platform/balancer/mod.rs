//! The replicas of a role, and the load balancer that picks one.
//!
//! A configured base URL whose host is a name stands for every address that the name has: `--scale availability=3` makes
//! three replicas of `http://availability:8000`, which are discovered without a restart.

pub mod probe;
mod replica;
mod retry_budget;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::interval;
use url::{Host, Url};

use crate::config::Policy;
pub use replica::{InFlightGuard, OUTCOMES, Replica};
use retry_budget::RetryBudget;

/// Interval of DNS look-ups.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(3);

/// The replicas of one role, shared by all worker threads.
#[derive(Debug, Default)]
pub struct Replicas {
    configured: Vec<String>,
    known: RwLock<Arc<Vec<Arc<Replica>>>>,
    /// Number of known replicas: read for every request, and cheaper than the lock.
    count: AtomicUsize,
    next: AtomicUsize,
    budget: RetryBudget,
    policy: Policy,
    /// Limit of requests in flight from this process to one replica.
    max_in_flight: usize,
}

/// Why no replica can be picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReplica {
    /// No replica is known, or none is ready.
    NoneReady,
    /// Every candidate has reached its limit of requests in flight.
    AllBusy,
}

impl Replicas {
    /// Base URLs without a trailing slash; each replica may have `max_in_flight` requests in flight.
    pub fn new(configured: Vec<String>, policy: Policy, max_in_flight: usize) -> Replicas {
        let known: Vec<_> = configured.iter().cloned().map(Replica::new).map(Arc::new).collect();
        let count = AtomicUsize::new(known.len());
        Replicas {
            known: RwLock::new(Arc::new(known)),
            count,
            configured,
            policy,
            max_in_flight,
            ..Replicas::default()
        }
    }

    /// The replicas that are known now.
    pub fn known(&self) -> Arc<Vec<Arc<Replica>>> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is more than one replica.
    pub fn has_alternatives(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 1
    }

    /// Whether there is exactly one replica, and DNS cannot add another.
    pub fn is_single(&self) -> bool {
        self.configured.len() < 2 && !self.configured.iter().any(|base| has_host_name(base))
    }

    /// The retry budget.
    pub fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// Picks a replica for a request, leaving out those that were `tried`.
    ///
    /// Replicas that are not ready or are ejected are left out. One `idempotent` request at a time probes a replica whose
    /// ejection is over. When more than half are ejected, the fault is probably not theirs, and ejection is ignored.
    ///
    /// # Errors
    /// [`NoReplica`] when there is no candidate.
    pub fn choose(&self, tried: &[Arc<Replica>], idempotent: bool) -> Result<InFlightGuard, NoReplica> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_new = |replica: &&Arc<Replica>| !tried.iter().any(|one| Arc::ptr_eq(one, replica));
        if let [only] = known.as_slice() {
            let slot = || only.acquire(self.max_in_flight).ok_or(NoReplica::AllBusy);
            return if is_new(&only) { slot() } else { Err(NoReplica::NoneReady) };
        }
        let ready = || known.iter().filter(|replica| replica.is_ready());
        if idempotent
            && let Some(slot) =
                ready().filter(is_new).find(|it| it.may_probe()).and_then(|it| it.acquire(self.max_in_flight))
        {
            return Ok(slot);
        }
        let admitted = ready().filter(|replica| !replica.is_ejected()).count();
        let ignores_ejection = admitted * 2 < ready().count();
        let candidates = || ready().filter(is_new).filter(|replica| ignores_ejection || !replica.is_ejected());
        let count = candidates().count();
        if count == 0 {
            return Err(NoReplica::NoneReady);
        }
        let next = self.next.fetch_add(1, Ordering::Relaxed) % count;
        let in_turn = || candidates().cycle().skip(next).take(count);
        if self.policy == Policy::LeastLoaded && count > 1 {
            let two = in_turn().next().into_iter().chain(in_turn().nth(rand::random_range(1..count)));
            if let Some(slot) =
                two.min_by_key(|replica| replica.in_flight()).and_then(|it| it.acquire(self.max_in_flight))
            {
                return Ok(slot);
            }
        }
        in_turn().find_map(|replica| replica.acquire(self.max_in_flight)).ok_or(NoReplica::AllBusy)
    }

    /// As [`Replicas::choose`], but falls back to an ejected or unready replica if no healthy one is left. This process's view
    /// may be stale: during a rolling restart, the last replica may stop before the first one's return is noticed.
    ///
    /// # Errors
    /// As [`Replicas::choose`], once all were tried.
    pub fn choose_or_fallback(&self, tried: &[Arc<Replica>], idempotent: bool) -> Result<InFlightGuard, NoReplica> {
        match self.choose(tried, idempotent) {
            Err(NoReplica::NoneReady) => {}
            chosen => return chosen,
        }
        let known = self.known();
        let mut untried: Vec<_> = known.iter().filter(|one| !tried.iter().any(|it| Arc::ptr_eq(it, one))).collect();
        if untried.is_empty() {
            return Err(NoReplica::NoneReady);
        }
        // an unready replica responds at least; an ejected one may not
        untried.sort_by_key(|replica| (replica.is_ejected(), replica.in_flight()));
        untried.into_iter().find_map(|replica| replica.acquire(self.max_in_flight)).ok_or(NoReplica::AllBusy)
    }

    /// Repeats the DNS look-ups for as long as the process lives; returns at once if no base URL has a name.
    pub async fn watch_dns(self: Arc<Self>) {
        if !self.configured.iter().any(|base| has_host_name(base)) {
            return;
        }
        let mut tick = interval(LOOKUP_INTERVAL);
        loop {
            tick.tick().await;
            let looked_up = join_all(self.configured.iter().map(|base| resolve(base))).await;
            // a failed look-up changes nothing
            let Some(found) = looked_up.into_iter().collect::<Option<Vec<_>>>() else {
                continue;
            };
            let (found, known) = (found.concat(), self.known());
            if !known.iter().map(|replica| &replica.base).eq(&found) {
                tracing::info!(replicas = found.join(" "), "replicas changed");
                let known_or_new = |base: String| {
                    known.iter().find(|it| it.base == base).cloned().unwrap_or_else(|| Replica::new(base).into())
                };
                let all: Vec<_> = found.into_iter().map(known_or_new).collect();
                self.count.store(all.len(), Ordering::Relaxed);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(all);
            }
        }
    }
}

/// The replicas of each role: as configured, or as bound in this process.
#[derive(Default)]
pub struct AddressBook(pub BTreeMap<&'static str, Arc<Replicas>>);

impl AddressBook {
    /// The replicas of a role; `None` if it is neither configured nor in this process.
    pub fn find(&self, role: &str) -> Option<&Arc<Replicas>> {
        self.0.get(role)
    }
}

fn has_host_name(base: &str) -> bool {
    Url::parse(base).is_ok_and(|url| matches!(url.host(), Some(Host::Domain(_))))
}

/// A base URL for each address of the host; `None` if the look-up fails.
async fn resolve(base: &str) -> Option<Vec<String>> {
    let url = Url::parse(base).ok()?;
    let (Some(Host::Domain(name)), Some(port)) = (url.host(), url.port_or_known_default()) else {
        return Some(vec![base.to_owned()]);
    };
    let path = url.path().trim_end_matches('/');
    let found = tokio::net::lookup_host((name, port)).await.ok()?;
    let mut found: Vec<String> = found.map(|address| format!("http://{address}{path}")).collect();
    found.sort();
    found.dedup();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::{NoReplica, Policy, Replicas, resolve};

    fn replicas(count: usize, policy: Policy, max_in_flight: usize) -> Replicas {
        Replicas::new((0..count).map(|at| format!("http://{at}")).collect(), policy, max_in_flight)
    }

    /// How many of `count` requests each replica gets, when each ends at once.
    fn requests_per_replica(replicas: &Replicas, count: usize) -> Vec<usize> {
        let mut times = vec![0; replicas.known().len()];
        for _ in 0..count {
            let slot = replicas.choose(&[], true).map(|slot| slot.replica().base.clone());
            let at: usize = slot.ok().and_then(|base| base.trim_start_matches("http://").parse().ok()).unwrap_or(0);
            times[at] += 1;
        }
        times
    }

    #[actix_rt::test]
    async fn a_host_name_is_resolved_to_its_addresses() {
        assert_eq!(resolve("http://127.0.0.1:8081").await, Some(vec!["http://127.0.0.1:8081".to_owned()]));
        assert_eq!(resolve("http://no-such-host.invalid:8081").await, None);
        let local = resolve("http://localhost:8081").await.unwrap_or_default();
        assert!(local.contains(&"http://127.0.0.1:8081".to_owned()), "{local:?}");
    }

    #[test]
    fn round_robin_skips_unready_and_ejected_replicas() {
        let replicas = replicas(4, Policy::RoundRobin, 9);
        assert_eq!(requests_per_replica(&replicas, 400), [100, 100, 100, 100]);
        replicas.known()[1].set_ready(false);
        assert_eq!(requests_per_replica(&replicas, 300), [100, 0, 100, 100], "its share is spread over the others");
        (0..3).for_each(|_| replicas.known()[2].record_failure());
        assert_eq!(requests_per_replica(&replicas, 200), [100, 0, 0, 100]);
    }

    #[test]
    fn ejection_is_ignored_when_most_are_ejected_but_readiness_is_not() {
        let replicas = replicas(4, Policy::RoundRobin, 9);
        replicas.known()[0].set_ready(false);
        for at in [1, 2] {
            (0..3).for_each(|_| replicas.known()[at].record_failure());
        }
        assert_eq!(requests_per_replica(&replicas, 30), [0, 10, 10, 10]);
    }

    #[test]
    fn the_fallback_prefers_unready_to_ejected_replicas() {
        let replicas = replicas(3, Policy::RoundRobin, 9);
        let known = replicas.known();
        known.iter().for_each(|replica| replica.set_ready(false));
        (0..3).for_each(|_| known[0].record_failure());
        assert_eq!(replicas.choose(&[], true).err(), Some(NoReplica::NoneReady));
        let mut tried = Vec::new();
        while let Ok(slot) = replicas.choose_or_fallback(&tried, true) {
            tried.push(slot.replica().clone());
        }
        let bases: Vec<&str> = tried.iter().map(|replica| &*replica.base).collect();
        assert_eq!(bases, ["http://1", "http://2", "http://0"], "the ejected replica comes last");
    }

    #[test]
    fn a_replica_that_becomes_ready_is_no_longer_ejected() {
        let replicas = replicas(2, Policy::RoundRobin, 9);
        let known = replicas.known();
        (0..3).for_each(|_| known[0].record_failure());
        known[0].set_ready(true);
        assert_eq!(requests_per_replica(&replicas, 50), [0, 50], "its readiness did not change");
        known[0].set_ready(false);
        known[0].set_ready(true);
        assert_eq!(requests_per_replica(&replicas, 50), [25, 25]);
    }

    #[test]
    fn a_replica_that_was_tried_is_not_chosen_again() {
        let replicas = replicas(2, Policy::RoundRobin, 9);
        let known = replicas.known();
        for _ in 0..4 {
            let slot = replicas.choose(&known[..1], true).map(|slot| slot.replica().base.clone());
            assert_eq!(slot.ok().as_deref(), Some("http://1"));
        }
        assert_eq!(replicas.choose(&known, true).err(), Some(NoReplica::NoneReady));
    }

    #[test]
    fn the_least_loaded_of_two_is_chosen_up_to_its_limit() {
        let replicas = replicas(2, Policy::LeastLoaded, 3);
        let busy: Vec<_> = (0..2).filter_map(|_| replicas.known()[0].acquire(9)).collect();
        assert_eq!(requests_per_replica(&replicas, 50), [0, 50]);
        let more: Vec<_> = (0..4).filter_map(|_| replicas.choose(&[], true).ok()).collect();
        assert_eq!(busy.len() + more.len(), 6);
        assert_eq!(replicas.choose(&[], true).err(), Some(NoReplica::AllBusy));
    }
}
