//! How many deliveries are under way to each host, so that a slow one does not hold up the others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

type Counts = RefCell<HashMap<String, usize>>;

/// The deliveries under way, as one worker thread sees them.
#[derive(Clone)]
pub struct HostLimiter {
    most: usize,
    counts: Rc<Counts>,
}

/// A place among the deliveries to one host; free again when it is dropped.
pub struct HostPermit {
    host: String,
    counts: Rc<Counts>,
}

impl HostLimiter {
    /// At most this many to each host at a time.
    pub fn new(most: usize) -> HostLimiter {
        HostLimiter { most, counts: Rc::default() }
    }

    /// A place, unless the host has as many deliveries as it may: the caller puts this one back for a while.
    pub fn try_enter(&self, host: &str) -> Option<HostPermit> {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(host.to_owned()).or_default();
        if *count >= self.most {
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
            // hosts come and go: one that is idle takes no room
            _ => drop(counts.remove(&self.host)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_host_holds_up_nobody_else() {
        let hosts = HostLimiter::new(2);
        let slow: Vec<Option<HostPermit>> = (0..3).map(|_| hosts.try_enter("slow.example")).collect();
        assert_eq!(slow.iter().flatten().count(), 2);
        assert!(hosts.try_enter("other.example").is_some());
        drop(slow);
        assert!(hosts.try_enter("slow.example").is_some());
    }

    #[test]
    fn an_idle_host_takes_no_room() {
        let hosts = HostLimiter::new(2);
        drop((hosts.try_enter("a.example"), hosts.try_enter("a.example")));
        assert!(hosts.counts.borrow().is_empty());
    }
}
