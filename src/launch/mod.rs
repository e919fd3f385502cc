//! From settings to a running process: bind every listener, write the address book from what was really bound, serve, drain.

mod checks;
mod listeners;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::{Context as _, bail};
use futures_util::future::{select_all, try_join_all};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::Instrument as _;

use crate::config::Settings;
use crate::platform::admin_server;
use crate::platform::background::BackgroundTasks;
use crate::platform::balancer::probe;
use crate::platform::http::stream::OpenConnections;
use crate::platform::lifecycle::{Lifecycle, Phase};
use crate::platform::observe::otlp;
use crate::platform::queue::{Queue, Subscription};
use crate::platform::role::{Context, Role};
use crate::platform::{server, time_zones};
use checks::{check, lock_data, resolve_auth_mode};
use listeners::{BoundListener, address_book, bind, reachable, resolve_public_url};
pub use listeners::{is_internal_only, listen_address, public_url, to_connect};

/// Runs these roles of the table until the process receives a signal to stop.
///
/// # Errors
/// Settings that cannot work, an address in use, a data directory in use; each error names its remedy.
pub async fn serve(mut settings: Settings, roles: &[&'static Role], table: &'static [Role]) -> anyhow::Result<()> {
    check(&settings, roles, table)?;
    time_zones::install(&settings.time.zoneinfo)?;
    let _lock = lock_data(&settings, roles)?;
    let bound = bind(&settings, roles, table)?;
    resolve_auth_mode(&mut settings, roles.len() < table.len(), &bound)?;
    resolve_public_url(&mut settings, &bound);
    let gateway = bound.iter().find(|bound| bound.role.faces_clients);
    let url = gateway.map(|bound| format!("http://{}", reachable(bound.address)));
    otlp::start(&settings, roles.iter().map(|role| role.name))?;
    let (book, settings) = (Arc::new(address_book(&settings, table, &bound)), Arc::new(settings));
    for replicas in book.0.values() {
        tokio::spawn(Arc::clone(replicas).watch_dns());
        tokio::spawn(probe::watch(Arc::clone(replicas), Duration::from_millis(settings.balance.probe_ms)));
    }
    let lifecycle = Arc::new(Lifecycle::default());
    let queue = open_queue(&settings, roles, table)?;
    let workers = workers(&settings, roles.len());
    let mut servers = Vec::new();
    let (mut preparing, mut tasks) = (Vec::new(), Vec::new());
    for BoundListener { role, listener, address, admin } in bound {
        let (settings, book, lifecycle) = (Arc::clone(&settings), Arc::clone(&book), Arc::clone(&lifecycle));
        let context = Context { role, roles: table, settings, book, lifecycle, queue: queue.clone() };
        let service = (role.open)(&context).with_context(|| format!("{} cannot start", role.name))?;
        // servers stop in reverse order: the admin server stops after the role's own
        servers.extend(admin.map(|listener| serve_admin(&context, listener)).transpose()?);
        let (server, connections) = server::serve(&context, &service, listener, workers)
            .with_context(|| format!("{} cannot listen on {address}", role.name))?;
        tracing::info!(role = role.name, %address, "listening");
        let (handle, running) = (server.handle(), tokio::spawn(server));
        servers.push(RunningServer { role: role.name, handle, running, connections });
        tasks.extend(service.work.map(|work| (role.name, work)));
        preparing.push(service.prepare.instrument(tracing::info_span!("prepare", role = role.name)));
    }
    let drain_timeout = Duration::from_secs(settings.jobs.drain_seconds);
    let mut background = BackgroundTasks::start(tasks, &lifecycle, drain_timeout);
    let mut stop = Stop::new()?;
    let prepare = async {
        // each on a task of its own: a migration blocks its thread, and would take the wake-ups of the others
        try_join_all(preparing.into_iter().map(async |prepare| tokio::spawn(prepare).await?)).await?;
        lifecycle.advance(Phase::Ready);
        log_ready(roles, url.as_deref());
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        failed = prepare => failed?,
        role = first_to_end(&mut servers) => bail!("{role} stopped unexpectedly; see the log"),
        role = background.first_to_end() => bail!("the background task of {role} stopped unexpectedly; see the log"),
        () = stop.received() => {}
    }
    lifecycle.advance(Phase::Draining);
    tracing::info!("stopping: finishing the requests and jobs in flight");
    let is_split = roles.len() < table.len();
    let linger = Duration::from_millis(if is_split { settings.server.linger_ms } else { 0 });
    let drained = futures_util::future::join(background.end(), tokio::time::sleep(linger));
    tokio::select! {
        _ = drained => {}
        () = stop.received() => tracing::info!("second signal: stopping at once"),
    }
    drain(servers, Duration::from_secs(settings.server.drain_seconds), &lifecycle).await
}

/// Says that all roles are ready, where clients call them, and with which time zones.
fn log_ready(roles: &[&'static Role], url: Option<&str>) {
    let names = roles.iter().map(|role| role.name).collect::<Vec<_>>().join(",");
    let next = url.map(|_| "w2meet demo");
    tracing::info!(roles = names, url, time_zones = time_zones::version(), next, "ready");
}

/// The queue, if one of these roles uses it. It keeps events for every role of the table that subscribes.
fn open_queue(settings: &Settings, roles: &[&'static Role], table: &[Role]) -> anyhow::Result<Option<Arc<Queue>>> {
    let subscribing = table.iter().filter(|role| !role.subscribes.is_empty());
    let open = || {
        Queue::open(settings, subscribing.map(|role| Subscription { role: role.name, keys: role.subscribes }).collect())
    };
    let queue = roles.iter().any(|role| role.uses_queue).then(open).transpose()?;
    if let Some(queue) = &queue {
        tokio::spawn(Arc::clone(queue).run());
    }
    Ok(queue)
}

/// Worker threads per role: the roles of one process share the cores.
fn workers(settings: &Settings, roles: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match settings.server.workers {
        0 => cores.div_ceil(roles.max(1)),
        given => given,
    }
}

/// The signals that stop the process.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> anyhow::Result<Stop> {
        Ok(Stop { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

struct RunningServer {
    role: &'static str,
    handle: ServerHandle,
    running: JoinHandle<std::io::Result<()>>,
    connections: Arc<OpenConnections>,
}

fn serve_admin(context: &Context, listener: TcpListener) -> anyhow::Result<RunningServer> {
    let (role, address) = (context.role.name, listener.local_addr()?);
    let server = admin_server::serve(context, listener)?;
    tracing::info!(role, %address, "serving metrics");
    let (handle, running) = (server.handle(), tokio::spawn(server));
    // the process does not wait for clients that read metrics: it does not count their connections
    Ok(RunningServer { role, handle, running, connections: Arc::default() })
}

/// The role of the first server that ends by itself. The process ends then, because it no longer serves the role.
async fn first_to_end(servers: &mut [RunningServer]) -> &'static str {
    let names: Vec<_> = servers.iter().map(|server| server.role).collect();
    let (_, first, _) = select_all(servers.iter_mut().map(|server| &mut server.running)).await;
    names[first]
}

/// Stops callers first, so that their requests in flight still find the roles behind them.
async fn drain(servers: Vec<RunningServer>, limit: Duration, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    for RunningServer { role, handle, running, connections } in servers.into_iter().rev() {
        // closes the listener at once, so that no client waits in its queue; the future would wait for actix, which looks only
        // once a second whether all connections have ended
        drop(handle.stop(true));
        if !connections.end(limit).await {
            tracing::warn!(role, "requests are still in flight: they are cut off");
        }
        running.abort();
    }
    lifecycle.run_shutdown_hooks().await;
    // exports the spans of the last requests
    Ok(tokio::task::spawn_blocking(otlp::flush).await?)
}
