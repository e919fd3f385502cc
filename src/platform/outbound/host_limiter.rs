//! Limits concurrent deliveries to each host, so that a slow host does not block the others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

type Counts = RefCell<HashMap<String, usize>>;

/// The deliveries in flight of one worker thread.
#[derive(Clone)]
pub struct HostLimiter {
    limit: usize,
    counts: Rc<Counts>,
}

/// A permit for one delivery to a host; released when it is dropped.
pub struct HostPermit {
    host: String,
    counts: Rc<Counts>,
}

impl HostLimiter {
    /// Allows this many concurrent deliveries to each host.
    pub fn new(limit: usize) -> HostLimiter {
        HostLimiter { limit, counts: Rc::default() }
    }

    /// A permit, unless the host has reached the limit: then the caller postpones the delivery.
    pub fn try_acquire(&self, host: &str) -> Option<HostPermit> {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(host.to_owned()).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(HostPermit { host: host.to_owned(), counts: Rc::clone(&self.counts) })
    }
}

impl Drop for HostPermit {
    fn drop(&mut self) {
        let mut counts = self.counts.borrow_mut();
        match counts.get_mut(&self.host) {
            Some(count) if *count > 1 => *count -= 1,
            // an idle host takes no memory
            _ => drop(counts.remove(&self.host)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_at_its_limit_blocks_no_other_host() {
        let hosts = HostLimiter::new(2);
        let slow: Vec<Option<HostPermit>> = (0..3).map(|_| hosts.try_acquire("slow.example")).collect();
        assert_eq!(slow.iter().flatten().count(), 2);
        assert!(hosts.try_acquire("other.example").is_some());
        drop(slow);
        assert!(hosts.try_acquire("slow.example").is_some());
    }

    #[test]
    fn an_idle_host_takes_no_memory() {
        let hosts = HostLimiter::new(2);
        drop((hosts.try_acquire("a.example"), hosts.try_acquire("a.example")));
        assert!(hosts.counts.borrow().is_empty());
    }
}
