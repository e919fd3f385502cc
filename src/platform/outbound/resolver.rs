//! What a host name means: asked of the system, or scripted by a test.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use super::ssrf_guard::Blocked;

/// Answers a host name with its addresses.
pub type Script = Rc<dyn Fn(&str) -> Vec<IpAddr>>;

/// Who is asked what a host name means.
#[derive(Clone)]
pub enum Resolver {
    /// The resolver of the system, with its `/etc/hosts`.
    System,
    /// This, so that a test may have a name mean one thing now and another later.
    Scripted(Script),
}

/// Why there is no address to connect to.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// There is one, but it may not be connected to.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// Nobody knows the host.
    #[error("its host name cannot be resolved")]
    Unknown(#[source] io::Error),
}

impl Resolver {
    /// The addresses of a host name; never none.
    pub(super) async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unreachable> {
        let found: Vec<SocketAddr> = match self {
            Resolver::System => tokio::net::lookup_host((host, port)).await.map_err(Unreachable::Unknown)?.collect(),
            Resolver::Scripted(answer) => answer(host).into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        };
        match found.is_empty() {
            true => Err(Unreachable::Unknown(io::ErrorKind::NotFound.into())),
            false => Ok(found),
        }
    }
}
