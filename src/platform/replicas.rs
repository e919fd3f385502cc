//! Where the replicas of a role answer, and whose turn it is.
//!
//! A configured base URL whose host is a name stands for every address that the name has: `--scale availability=3` makes
//! three replicas of `http://availability:8000`, and they are found without a restart.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::interval;
use url::{Host, Url};

/// How often names are looked up again.
const LOOKUP: Duration = Duration::from_secs(3);

/// The replicas of one role; shared by all worker threads.
#[derive(Debug, Default)]
pub struct Replicas {
    configured: Vec<String>,
    bases: RwLock<Arc<Vec<String>>>,
    turn: AtomicUsize,
}

impl Replicas {
    /// Base URLs without a slash at their ends.
    pub fn new(configured: Vec<String>) -> Replicas {
        Replicas { bases: RwLock::new(Arc::new(configured.clone())), configured, turn: AtomicUsize::new(0) }
    }

    /// The base URLs of the replicas that are known now.
    pub fn bases(&self) -> Arc<Vec<String>> {
        Arc::clone(&self.bases.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number that grows by one for each call: round robin, whoever calls.
    pub fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks names up, again and again, for as long as the process lives; returns at once when there are none.
    pub async fn follow(self: Arc<Self>) {
        let is_name = |base: &String| Url::parse(base).is_ok_and(|url| matches!(url.host(), Some(Host::Domain(_))));
        if !self.configured.iter().any(is_name) {
            return;
        }
        let mut tick = interval(LOOKUP);
        loop {
            tick.tick().await;
            let looked_up = join_all(self.configured.iter().map(|base| addresses(base))).await;
            // a name server that is away for a moment changes nothing
            let Some(found) = looked_up.into_iter().collect::<Option<Vec<_>>>() else {
                continue;
            };
            let found = found.concat();
            if found != *self.bases() {
                tracing::info!(replicas = found.join(" "), "replicas found");
                *self.bases.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
            }
        }
    }
}

/// A base URL for each address of its host; none if the name cannot be looked up.
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
    use super::{Replicas, addresses};

    #[actix_rt::test]
    async fn an_address_stays_and_a_name_becomes_its_addresses() {
        assert_eq!(addresses("http://127.0.0.1:8081").await, Some(vec!["http://127.0.0.1:8081".to_owned()]));
        assert_eq!(addresses("http://no-such-host.invalid:8081").await, None);
        let local = addresses("http://localhost:8081").await.unwrap_or_default();
        assert!(local.contains(&"http://127.0.0.1:8081".to_owned()), "{local:?}");
    }

    #[test]
    fn turns_go_round() {
        let replicas = Replicas::new(vec!["http://a".into(), "http://b".into()]);
        let turns: Vec<usize> = (0..4).map(|_| replicas.next_turn() % replicas.bases().len()).collect();
        assert_eq!(turns, [0, 1, 0, 1]);
    }
}
