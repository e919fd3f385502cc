//! A limit for each key, such as of the connections of each client or of the deliveries to each host, so that none of them takes
//! all.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts the permits of each key.
pub struct KeyedLimiter<K> {
    limit: usize,
    counts: Mutex<HashMap<K, usize>>,
}

/// A permit; released when it is dropped.
pub struct KeyedPermit<K: Eq + Hash> {
    limiter: Arc<KeyedLimiter<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> KeyedLimiter<K> {
    /// Allows this many permits for each key.
    pub fn new(limit: usize) -> Arc<KeyedLimiter<K>> {
        Arc::new(KeyedLimiter { limit, counts: Mutex::default() })
    }

    /// A permit, unless the key has reached the limit.
    pub fn try_acquire(self: &Arc<Self>, key: K) -> Option<KeyedPermit<K>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        (*count < self.limit).then(|| {
            *count += 1;
            KeyedPermit { limiter: Arc::clone(self), key }
        })
    }
}

impl<K: Eq + Hash> Drop for KeyedPermit<K> {
    fn drop(&mut self) {
        let mut counts = self.limiter.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            // a key without permits takes no memory
            _ => drop(counts.remove(&self.key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::KeyedLimiter;

    #[test]
    fn a_key_at_its_limit_blocks_no_other_key_and_takes_no_memory_without_permits() {
        let limiter = KeyedLimiter::new(2);
        let slow = [(); 3].map(|()| limiter.try_acquire("slow.example"));
        assert_eq!(slow.iter().flatten().count(), 2);
        assert!(limiter.try_acquire("other.example").is_some());
        drop(slow);
        assert!(limiter.counts.lock().is_ok_and(|counts| counts.is_empty()));
        assert!(limiter.try_acquire("slow.example").is_some());
    }
}
