//! The limit of open connections per client address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Open connections by client address. It is used when a connection opens or closes, never per request.
pub struct ConnectionLimiter {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One counted connection; dropping it frees its slot.
pub struct ConnectionPermit {
    crowd: Arc<ConnectionLimiter>,
    of: IpAddr,
}

/// The client that an address stands for: an IPv6 client controls a whole /64.
pub fn client_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        four => four,
    }
}

impl ConnectionLimiter {
    /// At most so many connections per address.
    pub fn new(most: usize) -> ConnectionLimiter {
        ConnectionLimiter { most, open: Mutex::default() }
    }

    /// Counts one more connection from this address; `None` if it has reached the limit.
    pub fn enter(self: &Arc<ConnectionLimiter>, address: IpAddr) -> Option<ConnectionPermit> {
        let of = client_prefix(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(of).or_default();
        (*count < self.most).then(|| {
            *count += 1;
            ConnectionPermit { crowd: Arc::clone(self), of }
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.crowd.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ConnectionLimiter, client_prefix};

    #[test]
    fn each_address_has_so_many_and_gets_them_back() {
        let crowd = Arc::new(ConnectionLimiter::new(2));
        let enter = |address: &str| address.parse().ok().and_then(|address| crowd.enter(address));
        let first = enter("10.0.0.1");
        let _second = enter("::ffff:10.0.0.1");
        assert!(enter("10.0.0.1").is_none(), "a mapped address is the same one");
        assert!(enter("10.0.0.2").is_some());
        drop(first);
        assert!(enter("10.0.0.1").is_some());
        let _six = [enter("2001:db8:0:1::1"), enter("2001:db8:0:1:ffff::2")];
        assert!(enter("2001:db8:0:1::3").is_none(), "a /64 is one client");
        assert!(enter("2001:db8:0:2::1").is_some());
    }

    #[test]
    fn nobody_is_remembered_who_is_gone() {
        let crowd = Arc::new(ConnectionLimiter::new(1));
        for last in 0..200_u8 {
            drop(crowd.enter([10, 0, 0, last].into()));
        }
        assert!(crowd.open.lock().is_ok_and(|open| open.is_empty()));
        assert_eq!(client_prefix([127, 0, 0, 1].into()).to_string(), "127.0.0.1");
    }
}
