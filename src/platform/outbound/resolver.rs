//! Resolves host names, by the system or by a script of a test.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use super::ssrf_guard::Blocked;

/// Maps a host name to addresses.
pub type Script = Rc<dyn Fn(&str) -> Vec<IpAddr>>;

/// A resolver of host names.
#[derive(Clone)]
pub enum Resolver {
    /// The resolver of the system, with its `/etc/hosts`.
    System,
    /// A script, so that a test can change the addresses of a name.
    Scripted(Script),
}

/// The reason why there is no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// The guard does not allow an address.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// The name does not resolve, or leads to an address that is not public.
    #[error("its host name leads to no address on the public internet")]
    NotPublic,
}

impl Resolver {
    /// The addresses of a host name, at least one.
    pub(super) async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unreachable> {
        let found: Vec<SocketAddr> = match self {
            Resolver::System => {
                tokio::net::lookup_host((host, port)).await.map_err(|_| Unreachable::NotPublic)?.collect()
            }
            Resolver::Scripted(script) => script(host).into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        };
        match found.is_empty() {
            true => Err(Unreachable::NotPublic),
            false => Ok(found),
        }
    }
}
