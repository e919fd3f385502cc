//! From settings to a running process: bind every listener, write the address book from what was really bound, serve, drain.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::{Context as _, bail};
use futures_util::future::{select_all, try_join_all};
use socket2::{Domain, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::config::{AuthMode, Settings};
use crate::platform::queue::Queue;
use crate::platform::replicas::{Replicas, probe};
use crate::platform::role::{AddressBook, Context, Lifecycle, Role, Stage};
use crate::platform::work::Threads;
use crate::platform::{db, server};
use crate::roles;

/// Connections that may wait to be accepted on a shared port.
const BACKLOG: i32 = 1024;

/// Runs these roles until the process is told to stop.
///
/// # Errors
/// Settings that cannot work, an address that is taken, a data directory that another process uses; each with its remedy.
pub async fn serve(settings: Settings, roles: &[&'static Role]) -> anyhow::Result<()> {
    check(&settings, roles)?;
    let _lock = lock_data(&settings, roles)?;
    let bound = bind(&settings, roles)?;
    check_access(&settings, &bound)?;
    let outer = bound.iter().find(|bound| bound.role.faces_clients);
    let url = outer.map(|bound| format!("http://{}", reachable(bound.address)));
    let settings = Arc::new(settings);
    let book = Arc::new(address_book(&settings, &bound));
    for replicas in book.0.values() {
        tokio::spawn(Arc::clone(replicas).follow());
        tokio::spawn(probe::watch(Arc::clone(replicas), Duration::from_millis(settings.balance.probe_ms)));
    }
    let lifecycle = Arc::new(Lifecycle::default());
    let queue = roles.iter().any(|role| role.uses_queue).then(|| Queue::open(&settings)).transpose()?;
    if let Some(queue) = &queue {
        tokio::spawn(Arc::clone(queue).run());
    }
    let workers = workers(&settings, roles.len());
    let mut servers = Vec::new();
    let (mut preparing, mut works) = (Vec::new(), Vec::new());
    for Bound { role, listener, address } in bound {
        let (settings, book, lifecycle) = (Arc::clone(&settings), Arc::clone(&book), Arc::clone(&lifecycle));
        let context = Context { role, settings, book, lifecycle, queue: queue.clone() };
        let service = (role.open)(&context).with_context(|| format!("{} cannot start", role.name))?;
        let server = server::serve(&context, &service, listener, workers)
            .with_context(|| format!("{} cannot listen on {address}", role.name))?;
        tracing::info!(role = role.name, %address, "listening");
        servers.push((role.name, server.handle(), tokio::spawn(server)));
        works.extend(service.work.map(|work| (role.name, work)));
        preparing.push(service.prepare.instrument(tracing::info_span!("prepare", role = role.name)));
    }
    let patience = Duration::from_secs(settings.jobs.drain_seconds);
    let mut working = Threads::start(works, &lifecycle, patience);
    let mut stop = Stop::new()?;
    let prepare = async {
        try_join_all(preparing).await?;
        lifecycle.reach(Stage::Ready);
        let names = roles.iter().map(|role| role.name).collect::<Vec<_>>().join(",");
        tracing::info!(roles = names, url, next = url.as_ref().map(|_| "w2meet demo"), "ready");
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        failed = prepare => failed?,
        role = first_to_end(&mut servers) => bail!("{role} ended by itself; the log says why"),
        role = working.first_to_end() => bail!("the background work of {role} ended by itself; the log says why"),
        () = stop.asked() => {}
    }
    lifecycle.reach(Stage::Draining);
    tracing::info!("stopping: finishing what is in flight");
    let apart = roles.len() < roles::ALL.len();
    let linger = Duration::from_millis(if apart { settings.server.linger_ms } else { 0 });
    let quietly = futures_util::future::join(working.end(), tokio::time::sleep(linger));
    tokio::select! {
        _ = quietly => {}
        () = stop.asked() => tracing::info!("told again: stopping at once"),
    }
    drain(servers).await
}

/// Where the gateway of this configuration answers, as a URL for people.
pub fn public_url(settings: &Settings) -> String {
    let gateway = roles::ALL.iter().find(|role| role.faces_clients);
    let listen = gateway.map(|role| listen_address(settings, role.name, false, role.port)).unwrap_or_default();
    format!("http://{}", to_connect(&listen))
}

/// Where to connect to, for an address to listen on.
pub fn to_connect(listen: &str) -> String {
    listen.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:")
}

/// The address that a role is to listen on.
pub fn listen_address(settings: &Settings, role: &str, unseen: bool, port: u16) -> String {
    match settings.listen(role) {
        "" => format!("127.0.0.1:{}", if unseen { 0 } else { port }),
        given => given.to_owned(),
    }
}

/// Whether everybody who may call this role runs in the same process.
pub fn is_unseen(role: &Role, roles: &[&'static Role]) -> bool {
    let calls = |other: &Role| other.calls.contains(&role.name) || other.observes.contains(&role.name);
    !role.faces_clients && roles::ALL.iter().filter(|other| calls(other)).all(|other| runs(roles, other.name))
}

fn runs(roles: &[&'static Role], name: &str) -> bool {
    roles.iter().any(|role| role.name == name)
}

/// Refuses what is only half configured, and says what is missing.
fn check(settings: &Settings, roles: &[&'static Role]) -> anyhow::Result<()> {
    for role in roles {
        for called in role.calls {
            if !runs(roles, called) && settings.upstreams(called).is_empty() {
                bail!(
                    "{} calls {called}, and nobody says where {called} is: add it to --role, or set \
                     W2MEET_UPSTREAMS__{}=http://host:port",
                    role.name,
                    called.to_uppercase()
                );
            }
        }
        if role.keeps_cache && !is_unseen(role, roles) && settings.cache.url.scheme() == "memory" {
            bail!(
                "{} would keep its cache inside this process, but its callers run elsewhere, so a second {} would answer with \
                 what the first has changed: set W2MEET_CACHE__URL=redis://host:6379 for all of them, or run every role in \
                 one process (--role all)",
                role.name,
                role.name
            );
        }
    }
    let user_of_queue = roles.iter().find(|role| role.uses_queue);
    let elsewhere = roles::ALL.iter().find(|role| role.uses_queue && !runs(roles, role.name));
    if let (Some(role), Some(elsewhere), "embedded") = (user_of_queue, elsewhere, settings.queue.url.scheme()) {
        bail!(
            "{} would use the queue inside this process, but {} runs elsewhere and would never hear of it: set \
             W2MEET_QUEUE__URL=amqp://user:password@host:5672 for all of them, or run every role in one process (--role all)",
            role.name,
            elsewhere.name
        );
    }
    if settings.auth.mode == AuthMode::Required {
        bail!(
            "auth.mode is required, but accounts come with a later release: use auto or open, on loopback or behind a proxy that \
               knows who may call"
        );
    }
    Ok(())
}

/// Without accounts everybody may do everything, so a listener that others can reach needs a deliberate yes.
fn check_access(settings: &Settings, bound: &[Bound]) -> anyhow::Result<()> {
    let beyond = bound.iter().find(|bound| !bound.address.ip().is_loopback());
    match beyond {
        Some(Bound { role, address, .. }) if !settings.auth.allow_open_beyond_loopback => bail!(
            "{} would listen on {address}, where others can reach it, and everybody may do everything: listen on 127.0.0.1, or \
             say that this is meant with W2MEET_AUTH__ALLOW_OPEN_BEYOND_LOOPBACK=true",
            role.name
        ),
        _ => Ok(()),
    }
}

/// Keeps every other process away from the embedded database.
fn lock_data(settings: &Settings, roles: &[&'static Role]) -> anyhow::Result<Option<File>> {
    let Some(database) = settings.sqlite_path().filter(|_| roles.iter().any(|role| role.keeps_cache)) else {
        return Ok(None);
    };
    let folder = db::make_folder(&database)?;
    let file = File::create(database.with_extension("lock"))
        .with_context(|| format!("cannot write in the data directory {}", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(_) => bail!(
            "another w2meet uses the data directory {}: stop it, or give this one its own with W2MEET_DATA_DIR",
            folder.display()
        ),
    }
}

/// A role and the listener it was given.
struct Bound {
    role: &'static Role,
    listener: TcpListener,
    address: SocketAddr,
}

fn bind(settings: &Settings, roles: &[&'static Role]) -> anyhow::Result<Vec<Bound>> {
    let bind = |role: &&'static Role| {
        let address = listen_address(settings, role.name, is_unseen(role, roles), role.port);
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
        Ok(Bound { role, listener, address })
    };
    roles.iter().map(bind).collect()
}

/// A listener beside which another process may open one on the same port.
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

/// Configured addresses first; a role of this process is where it was bound.
fn address_book(settings: &Settings, bound: &[Bound]) -> AddressBook {
    let mut book = AddressBook::default();
    for role in roles::ALL {
        let here = || {
            bound
                .iter()
                .filter(|bound| bound.role.name == role.name)
                .map(|bound| format!("http://{}", reachable(bound.address)))
        };
        let bases = match settings.upstreams(role.name) {
            [] => here().collect(),
            configured => configured.to_vec(),
        };
        if !bases.is_empty() {
            book.0
                .insert(role.name, Arc::new(Replicas::new(bases, settings.balance.policy, settings.balance.in_flight)));
        }
    }
    book
}

/// An address to connect to, for one that listens everywhere.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Threads for each role: the roles of one process share the cores.
fn workers(settings: &Settings, roles: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match settings.server.workers {
        0 => cores.div_ceil(roles.max(1)),
        given => given,
    }
}

/// The signals that ask the process to stop.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> anyhow::Result<Stop> {
        Ok(Stop { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

type Running = (&'static str, ServerHandle, JoinHandle<std::io::Result<()>>);

/// A server that ends unasked leaves a process that listens nowhere: better none at all.
async fn first_to_end(servers: &mut [Running]) -> &'static str {
    let names: Vec<_> = servers.iter().map(|(role, ..)| *role).collect();
    let (_, first, _) = select_all(servers.iter_mut().map(|(_, _, running)| running)).await;
    names[first]
}

/// Callers first, so that what they have in flight still finds the roles behind them.
async fn drain(servers: Vec<Running>) -> anyhow::Result<()> {
    for (role, handle, running) in servers.into_iter().rev() {
        handle.stop(true).await;
        running.await?.with_context(|| format!("{role} did not stop well"))?;
    }
    Ok(())
}
