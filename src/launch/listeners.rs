//! The listeners of the roles, and the address book. Every listener is bound before a role is served.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use anyhow::Context as _;
use socket2::{Domain, Socket, Type};

use super::checks::contains;
use crate::config::Settings;
use crate::platform::balancer::{AddressBook, Replicas};
use crate::platform::role::Role;
use crate::roles;

/// Length of the accept queue of a shared port.
const BACKLOG: i32 = 1024;

/// The base URL of the gateway in this configuration.
pub fn public_url(settings: &Settings) -> String {
    let gateway = roles::ALL.iter().find(|role| role.faces_clients);
    let listen = gateway.map(|role| listen_address(settings, role.name, false, role.port)).unwrap_or_default();
    format!("http://{}", to_connect(&listen))
}

/// The address to connect to, for an address to listen on.
pub fn to_connect(listen: &str) -> String {
    listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
}

/// The address that a role listens on.
pub fn listen_address(settings: &Settings, role: &str, is_internal_only: bool, port: u16) -> String {
    match settings.listen(role) {
        "" => format!("127.0.0.1:{}", if is_internal_only { 0 } else { port }),
        given => given.to_owned(),
    }
}

/// Whether every caller of this role contains in the same process.
pub fn is_internal_only(role: &Role, roles: &[&'static Role], table: &[Role]) -> bool {
    let calls = |other: &Role| other.required_roles(table).contains(&role.name) || other.observes.contains(&role.name);
    !role.faces_clients && table.iter().filter(|other| calls(other)).all(|other| contains(roles, other.name))
}

/// A role and its bound listener.
pub struct BoundListener {
    pub role: &'static Role,
    pub listener: TcpListener,
    pub address: SocketAddr,
    /// The admin listener, if metrics and probes have an address of their own.
    pub admin: Option<TcpListener>,
}

pub fn bind(settings: &Settings, roles: &[&'static Role], table: &[Role]) -> anyhow::Result<Vec<BoundListener>> {
    let bind = |role: &&'static Role| {
        let address = listen_address(settings, role.name, is_internal_only(role, roles, table), role.port);
        let failed = || {
            format!(
                "{} cannot listen on {address}: set another address with W2MEET_{}__LISTEN",
                role.name,
                role.name.to_uppercase()
            )
        };
        let resolved: Vec<SocketAddr> = address.to_socket_addrs().with_context(failed)?.collect();
        let listener = match settings.server.share_port && role.faces_clients {
            true => bind_shared(&resolved),
            false => TcpListener::bind(resolved.as_slice()),
        };
        let listener = listener.with_context(failed)?;
        let address = listener.local_addr().with_context(failed)?;
        Ok(BoundListener { role, listener, address, admin: bind_admin(settings, role.name)? })
    };
    roles.iter().map(bind).collect()
}

fn bind_admin(settings: &Settings, role: &str) -> anyhow::Result<Option<TcpListener>> {
    let address = settings.admin_listen(role);
    let failed = || {
        let variable = format!("W2MEET_{}__ADMIN_LISTEN", role.to_uppercase());
        format!("{role} cannot serve its metrics on {address}: set another address with {variable}")
    };
    (!address.is_empty()).then(|| TcpListener::bind(address).with_context(failed)).transpose()
}

/// A listener on a port that other processes may also bind.
fn bind_shared(addresses: &[SocketAddr]) -> std::io::Result<TcpListener> {
    let open = |address: &SocketAddr| {
        let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&(*address).into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    let mut outcome = Err(std::io::Error::from(std::io::ErrorKind::AddrNotAvailable));
    for address in addresses {
        outcome = open(address);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The addresses of all roles: the configured ones, or else the bound ones of this process.
pub fn address_book(settings: &Settings, table: &[Role], bound: &[BoundListener]) -> AddressBook {
    let mut book = AddressBook::default();
    for role in table {
        let bound_bases = || {
            bound
                .iter()
                .filter(|bound| bound.role.name == role.name)
                .map(|bound| format!("http://{}", reachable(bound.address)))
        };
        let bases = match settings.upstreams(role.name) {
            [] => bound_bases().collect(),
            configured => configured.to_vec(),
        };
        if !bases.is_empty() {
            book.0
                .insert(role.name, Arc::new(Replicas::new(bases, settings.balance.policy, settings.balance.in_flight)));
        }
    }
    book
}

/// Sets the public URL, unless it is configured: the address at which other roles reach the gateway.
pub fn resolve_public_url(settings: &mut Settings, bound: &[BoundListener]) {
    let configured =
        || roles::ALL.iter().find(|role| role.faces_clients).and_then(|it| settings.upstreams(it.name).first());
    let bound_url = || bound.iter().find(|bound| bound.role.faces_clients).map(|it| reachable(it.address));
    let url = match settings.server.public_url.as_str() {
        "" => {
            configured().cloned().or_else(|| bound_url().map(|address| format!("http://{address}"))).unwrap_or_default()
        }
        given => given.trim_end_matches('/').to_owned(),
    };
    settings.server.public_url = url;
}

/// The address to connect to, for one that listens on all interfaces.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
