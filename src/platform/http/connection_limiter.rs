//! The limit of open connections per client address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Open connections by client address. It is used when a connection opens or closes, never per request.
pub struct ConnectionLimiter {
    limit: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One counted connection, until it is dropped.
pub struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    client: IpAddr,
}

/// The client that an address stands for: an IPv6 client controls a whole /64.
pub fn client_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        four => four,
    }
}

impl ConnectionLimiter {
    /// At limit so many connections per address.
    pub fn new(limit: usize) -> ConnectionLimiter {
        ConnectionLimiter { limit, open: Mutex::default() }
    }

    /// Counts one more connection from this address; `None` if its client has reached the limit.
    pub fn acquire(self: &Arc<ConnectionLimiter>, address: IpAddr) -> Option<ConnectionPermit> {
        let client = client_prefix(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        (*count < self.limit).then(|| {
            *count += 1;
            ConnectionPermit { limiter: Arc::clone(self), client }
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.limiter.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ConnectionLimiter, client_prefix};

    #[test]
    fn a_client_has_a_limit_of_open_connections() {
        let limiter = Arc::new(ConnectionLimiter::new(2));
        let acquire = |address: &str| address.parse().ok().and_then(|address| limiter.acquire(address));
        let first = acquire("10.0.0.1");
        let _second = acquire("::ffff:10.0.0.1");
        assert!(acquire("10.0.0.1").is_none(), "a mapped address is the same one");
        assert!(acquire("10.0.0.2").is_some());
        drop(first);
        assert!(acquire("10.0.0.1").is_some());
        let _six = [acquire("2001:db8:0:1::1"), acquire("2001:db8:0:1:ffff::2")];
        assert!(acquire("2001:db8:0:1::3").is_none(), "a /64 is one client");
        assert!(acquire("2001:db8:0:2::1").is_some());
    }

    #[test]
    fn a_client_without_connections_takes_no_memory() {
        let limiter = Arc::new(ConnectionLimiter::new(1));
        for last in 0..200_u8 {
            drop(limiter.acquire([10, 0, 0, last].into()));
        }
        assert!(limiter.open.lock().is_ok_and(|open| open.is_empty()));
        assert_eq!(client_prefix([127, 0, 0, 1].into()).to_string(), "127.0.0.1");
    }
}
