//! A limit for each key, such as of the connections of each client or of the deliveries to each host, so that none of them takes
//! all.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Counts the permits of each key.
pub struct KeyedLimiter<K> {
    limit: usize,
    state: Mutex<State<K>>,
    released: Notify,
}

struct State<K> {
    counts: HashMap<K, usize>,
    /// The keys that were waited for in vain since they released a permit.
    stuck: HashSet<K>,
}

/// A permit; released when it is dropped.
pub struct KeyedPermit<K: Eq + Hash> {
    limiter: Arc<KeyedLimiter<K>>,
    key: K,
}

impl<K> KeyedLimiter<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> KeyedLimiter<K> {
    /// Allows this many permits for each key.
    pub fn new(limit: usize) -> Arc<KeyedLimiter<K>> {
        let state = State { counts: HashMap::new(), stuck: HashSet::new() };
        Arc::new(KeyedLimiter { limit, state: Mutex::new(state), released: Notify::new() })
    }

    /// A permit, unless the key has reached the limit.
    pub fn try_acquire(self: &Arc<Self>, key: K) -> Option<KeyedPermit<K>> {
        let mut state = self.state();
        let count = state.counts.entry(key.clone()).or_default();
        (*count < self.limit).then(|| {
            *count += 1;
            KeyedPermit { limiter: Arc::clone(self), key }
        })
    }

    /// A permit; waits for one, at most this long. After a wait in vain nobody waits for the key until it releases a permit: a key
    /// that is slow costs its callers no time.
    pub async fn acquire(self: &Arc<Self>, key: K, limit: Duration) -> Option<KeyedPermit<K>> {
        let waiting = async {
            loop {
                let mut released = std::pin::pin!(self.released.notified());
                // before the attempt, so that no release is missed
                released.as_mut().enable();
                if let Some(permit) = self.try_acquire(key.clone()) {
                    return Some(permit);
                }
                if self.state().stuck.contains(&key) {
                    return None;
                }
                released.await;
            }
        };
        match timeout(limit, waiting).await {
            Ok(permit) => permit,
            Err(_) => {
                self.state().stuck.insert(key);
                None
            }
        }
    }
}

impl<K: Eq + Hash> Drop for KeyedPermit<K> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.stuck.remove(&self.key);
        match state.counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            // a key without permits takes no memory
            _ => drop(state.counts.remove(&self.key)),
        }
        drop(state);
        self.limiter.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, sleep};

    use super::KeyedLimiter;

    #[test]
    fn a_key_at_its_limit_blocks_no_other_key_and_takes_no_memory_without_permits() {
        let limiter = KeyedLimiter::new(2);
        let slow = [(); 3].map(|()| limiter.try_acquire("slow.example"));
        assert_eq!(slow.iter().flatten().count(), 2);
        assert!(limiter.try_acquire("other.example").is_some());
        drop(slow);
        assert!(limiter.state().counts.is_empty());
        assert!(limiter.try_acquire("slow.example").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_waits_for_a_permit_but_not_for_a_key_that_is_stuck() {
        const LIMIT: Duration = Duration::from_secs(1);
        let limiter = KeyedLimiter::new(1);
        let held = limiter.try_acquire("a");
        let release = async {
            sleep(LIMIT / 2).await;
            drop(held);
        };
        let (got, ()) = tokio::join!(limiter.acquire("a", LIMIT), release);
        assert!(got.is_some(), "it was released in time");
        assert!(limiter.acquire("a", LIMIT).await.is_none(), "nobody released it");
        let begin = Instant::now();
        assert!(limiter.acquire("a", LIMIT).await.is_none());
        assert_eq!(begin.elapsed(), Duration::ZERO, "nobody waits for it now");
        drop(got);
        assert!(limiter.acquire("a", LIMIT).await.is_some());
        assert!(limiter.state().stuck.is_empty());
    }
}
