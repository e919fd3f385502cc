//! The replicas of a role, and the load balancer that picks one.
//!
//! A configured base URL whose host is a name stands for every address that the name has: `--scale availability=3` makes
//! three replicas of `http://availability:8000`, which are discovered without a restart.

pub mod probe;
mod replica;
mod retry_budget;

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
const LOOKUP: Duration = Duration::from_secs(3);

/// The replicas of one role, shared by all worker threads.
#[derive(Debug, Default)]
pub struct Replicas {
    configured: Vec<String>,
    known: RwLock<Arc<Vec<Arc<Replica>>>>,
    /// Number of known replicas: read for every request, and cheaper than the lock.
    count: AtomicUsize,
    turn: AtomicUsize,
    budget: RetryBudget,
    policy: Policy,
    /// Limit of requests in flight from this process to one replica.
    most: usize,
}

/// Why no replica can be picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReplica {
    /// No replica is known, or none is ready.
    Ready,
    /// Every candidate has reached its limit of requests in flight.
    Free,
}

impl Replicas {
    /// Base URLs without a trailing slash; each replica may have `most` requests in flight.
    pub fn new(configured: Vec<String>, policy: Policy, most: usize) -> Replicas {
        let known: Vec<_> = configured.iter().cloned().map(Replica::new).map(Arc::new).collect();
        let count = AtomicUsize::new(known.len());
        Replicas { known: RwLock::new(Arc::new(known)), count, configured, policy, most, ..Replicas::default() }
    }

    /// The replicas that are known now.
    pub fn known(&self) -> Arc<Vec<Arc<Replica>>> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is more than one replica.
    pub fn are_several(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 1
    }

    /// Whether there is exactly one replica, and DNS cannot add another.
    pub fn stay_alone(&self) -> bool {
        self.configured.len() < 2 && !self.configured.iter().any(|base| is_name(base))
    }

    /// The retry budget.
    pub fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// Picks a replica for a request, leaving out those that were `tried`.
    ///
    /// Replicas that are not ready or are ejected are left out. One `repeatable` request at a time probes a replica whose
    /// ejection is over. When more than half are ejected, the fault is probably not theirs, and ejection is ignored.
    ///
    /// # Errors
    /// [`NoReplica`] when there is no candidate.
    pub fn choose(&self, tried: &[Arc<Replica>], repeatable: bool) -> Result<InFlightGuard, NoReplica> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_new = |replica: &&Arc<Replica>| !tried.iter().any(|one| Arc::ptr_eq(one, replica));
        if let [only] = known.as_slice() {
            let seat = || only.take(self.most).ok_or(NoReplica::Free);
            return if is_new(&only) { seat() } else { Err(NoReplica::Ready) };
        }
        let ready = || known.iter().filter(|replica| replica.is_ready());
        if repeatable
            && let Some(seat) = ready().filter(is_new).find(|it| it.wants_trial()).and_then(|it| it.take(self.most))
        {
            return Ok(seat);
        }
        let awake = ready().filter(|replica| !replica.is_resting()).count();
        let panic = awake * 2 < ready().count();
        let fit = || ready().filter(is_new).filter(|replica| panic || !replica.is_resting());
        let count = fit().count();
        if count == 0 {
            return Err(NoReplica::Ready);
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let by_turn = || fit().cycle().skip(turn).take(count);
        if self.policy == Policy::LeastLoaded && count > 1 {
            let two = by_turn().next().into_iter().chain(by_turn().nth(rand::random_range(1..count)));
            if let Some(seat) = two.min_by_key(|replica| replica.in_hand()).and_then(|it| it.take(self.most)) {
                return Ok(seat);
            }
        }
        by_turn().find_map(|replica| replica.take(self.most)).ok_or(NoReplica::Free)
    }

    /// As [`Replicas::choose`], but falls back to an ejected or unready replica if no healthy one is left. This process's view
    /// may be stale: during a rolling restart, the last replica may stop before the first one's return is noticed.
    ///
    /// # Errors
    /// As [`Replicas::choose`], once all were tried.
    pub fn choose_anybody(&self, tried: &[Arc<Replica>], repeatable: bool) -> Result<InFlightGuard, NoReplica> {
        match self.choose(tried, repeatable) {
            Err(NoReplica::Ready) => {}
            chosen => return chosen,
        }
        let known = self.known();
        let mut untried: Vec<_> = known.iter().filter(|one| !tried.iter().any(|it| Arc::ptr_eq(it, one))).collect();
        if untried.is_empty() {
            return Err(NoReplica::Ready);
        }
        // an unready replica responds at least; an ejected one may not
        untried.sort_by_key(|replica| (replica.is_resting(), replica.in_hand()));
        untried.into_iter().find_map(|replica| replica.take(self.most)).ok_or(NoReplica::Free)
    }

    /// Repeats the DNS look-ups for as long as the process lives; returns at once if no base URL has a name.
    pub async fn follow(self: Arc<Self>) {
        if !self.configured.iter().any(|base| is_name(base)) {
            return;
        }
        let mut tick = interval(LOOKUP);
        loop {
            tick.tick().await;
            let looked_up = join_all(self.configured.iter().map(|base| addresses(base))).await;
            // a failed look-up changes nothing
            let Some(found) = looked_up.into_iter().collect::<Option<Vec<_>>>() else {
                continue;
            };
            let (found, known) = (found.concat(), self.known());
            if !known.iter().map(|replica| &replica.base).eq(&found) {
                tracing::info!(replicas = found.join(" "), "replicas found");
                let here = |base: String| {
                    known.iter().find(|it| it.base == base).cloned().unwrap_or_else(|| Replica::new(base).into())
                };
                let all: Vec<_> = found.into_iter().map(here).collect();
                self.count.store(all.len(), Ordering::Relaxed);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(all);
            }
        }
    }
}

fn is_name(base: &str) -> bool {
    Url::parse(base).is_ok_and(|url| matches!(url.host(), Some(Host::Domain(_))))
}

/// A base URL for each address of the host; `None` if the look-up fails.
async fn addresses(base: &str) -> Option<Vec<String>> {
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
    use super::{NoReplica, Policy, Replicas, addresses};

    fn replicas(count: usize, policy: Policy, most: usize) -> Replicas {
        Replicas::new((0..count).map(|at| format!("http://{at}")).collect(), policy, most)
    }

    /// How many of `count` requests each replica gets, when each ends at once.
    fn asked(replicas: &Replicas, count: usize) -> Vec<usize> {
        let mut times = vec![0; replicas.known().len()];
        for _ in 0..count {
            let seat = replicas.choose(&[], true).map(|seat| seat.replica().base.clone());
            let at: usize = seat.ok().and_then(|base| base.trim_start_matches("http://").parse().ok()).unwrap_or(0);
            times[at] += 1;
        }
        times
    }

    #[actix_rt::test]
    async fn an_address_stays_and_a_name_becomes_its_addresses() {
        assert_eq!(addresses("http://127.0.0.1:8081").await, Some(vec!["http://127.0.0.1:8081".to_owned()]));
        assert_eq!(addresses("http://no-such-host.invalid:8081").await, None);
        let local = addresses("http://localhost:8081").await.unwrap_or_default();
        assert!(local.contains(&"http://127.0.0.1:8081".to_owned()), "{local:?}");
    }

    #[test]
    fn turns_go_round_over_those_that_are_fit() {
        let replicas = replicas(4, Policy::RoundRobin, 9);
        assert_eq!(asked(&replicas, 400), [100, 100, 100, 100]);
        replicas.known()[1].says(false);
        assert_eq!(asked(&replicas, 300), [100, 0, 100, 100], "its share is not its neighbour's");
        (0..3).for_each(|_| replicas.known()[2].failed());
        assert_eq!(asked(&replicas, 200), [100, 0, 0, 100]);
    }

    #[test]
    fn when_most_rest_all_are_asked_but_never_those_that_say_no() {
        let replicas = replicas(4, Policy::RoundRobin, 9);
        replicas.known()[0].says(false);
        for at in [1, 2] {
            (0..3).for_each(|_| replicas.known()[at].failed());
        }
        assert_eq!(asked(&replicas, 30), [0, 10, 10, 10]);
    }

    #[test]
    fn somebody_is_asked_before_a_request_is_given_up() {
        let replicas = replicas(3, Policy::RoundRobin, 9);
        let known = replicas.known();
        known.iter().for_each(|replica| replica.says(false));
        (0..3).for_each(|_| known[0].failed());
        assert_eq!(replicas.choose(&[], true).err(), Some(NoReplica::Ready));
        let mut tried = Vec::new();
        while let Ok(seat) = replicas.choose_anybody(&tried, true) {
            tried.push(seat.replica().clone());
        }
        let bases: Vec<&str> = tried.iter().map(|replica| &*replica.base).collect();
        assert_eq!(bases, ["http://1", "http://2", "http://0"], "who rests comes last");
    }

    #[test]
    fn a_replica_that_returns_has_rested_enough() {
        let replicas = replicas(2, Policy::RoundRobin, 9);
        let known = replicas.known();
        (0..3).for_each(|_| known[0].failed());
        known[0].says(true);
        assert_eq!(asked(&replicas, 50), [0, 50], "it says what it said before");
        known[0].says(false);
        known[0].says(true);
        assert_eq!(asked(&replicas, 50), [25, 25]);
    }

    #[test]
    fn what_was_tried_is_not_tried_again() {
        let replicas = replicas(2, Policy::RoundRobin, 9);
        let known = replicas.known();
        for _ in 0..4 {
            let seat = replicas.choose(&known[..1], true).map(|seat| seat.replica().base.clone());
            assert_eq!(seat.ok().as_deref(), Some("http://1"));
        }
        assert_eq!(replicas.choose(&known, true).err(), Some(NoReplica::Ready));
    }

    #[test]
    fn the_least_loaded_of_two_is_asked_and_nobody_beyond_what_they_may() {
        let replicas = replicas(2, Policy::LeastLoaded, 3);
        let busy: Vec<_> = (0..2).filter_map(|_| replicas.known()[0].take(9)).collect();
        assert_eq!(asked(&replicas, 50), [0, 50]);
        let more: Vec<_> = (0..4).filter_map(|_| replicas.choose(&[], true).ok()).collect();
        assert_eq!(busy.len() + more.len(), 6);
        assert_eq!(replicas.choose(&[], true).err(), Some(NoReplica::Free));
    }
}
