//! Entries in Redis, shared by all replicas. A request never waits for a connection: it uses the live one, or bypasses the
//! cache. `CacheAside::run` connects, and checks the epoch before requests use the connection.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    self, AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError,
    RedisResult, Script, TlsCertificates,
};
use deadpool_redis::{Connection, Manager, Pool};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Entry, LEASE, Lookup, TOMBSTONE, Unavailable};
use crate::config;
use crate::platform::http::health::{Dependency, Status};
use crate::platform::refusal::{cause, remedy};
use crate::platform::tls::own_roots_pem;

/// Keys in one script: a longer script would block Redis for other clients.
const MAX_KEYS: usize = 500;
/// Consecutive timeouts after which requests bypass the cache.
const MAX_TIMEOUTS: u32 = 3;
/// No request waits for it: a Redis that is slow to connect is not a dead one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// What health says while it responds, and requests bypass it.
const NOT_IN_USE: &str = "it responds, and is used as soon as the database has given the epoch of its entries";
/// How long a health check waits for a connection.
const HEALTH_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a Redis may take to respond without TLS, after it has not responded with TLS.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// A Redis server, and the one connection that all requests share.
pub struct Redis {
    server: ConnectionInfo,
    pool: Pool,
    live: RwLock<Option<MultiplexedConnection>>,
    timeouts: AtomicU32,
    lost: Notify,
    /// Why there is no connection, as far as it is known.
    outage: RwLock<Option<String>>,
    scripts: Scripts,
}

struct Scripts {
    get_or_lease: Script,
    fill: Script,
    release: Script,
}

impl Redis {
    /// The Redis at `cache.url`. Opens no connection yet.
    ///
    /// # Errors
    /// A URL that is no Redis URL, and authorities that cannot be read.
    pub fn open(cache: &config::Cache, tls: &config::Tls) -> anyhow::Result<Redis> {
        let server = server(cache, tls).with_context(|| format!("cache.url is {}", cache.url))?;
        let timeouts = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(Duration::from_millis(cache.timeout_ms)));
        let manager = Manager::new_with_config(server.clone(), timeouts)?;
        Ok(Redis {
            server,
            pool: Pool::builder(manager).max_size(1).build()?,
            live: RwLock::new(None),
            timeouts: AtomicU32::new(0),
            lost: Notify::new(),
            outage: RwLock::new(None),
            scripts: Scripts::new(),
        })
    }

    pub(super) async fn get_or_lease(&self, keys: &[String], token: &str) -> Result<Vec<Lookup>, Unavailable> {
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(MAX_KEYS) {
            let mut call = self.scripts.get_or_lease.prepare_invoke();
            call.arg(token).arg(LEASE.as_millis() as u64);
            for key in chunk {
                call.key(key);
            }
            let entries: Vec<Option<Bytes>> = self.execute(async |conn| call.invoke_async(conn).await).await?;
            found.extend(entries.into_iter().map(decode));
        }
        Ok(found)
    }

    pub(super) async fn fill(&self, entries: &[Entry], token: &str) -> Result<(), Unavailable> {
        for chunk in entries.chunks(MAX_KEYS) {
            let mut call = self.scripts.fill.prepare_invoke();
            call.arg(token);
            for entry in chunk {
                call.key(&entry.key)
                    .arg([b"V:", entry.value.as_ref()].concat())
                    .arg(entry.ttl.as_millis().max(1) as u64);
            }
            self.execute(async |conn| call.invoke_async::<()>(conn).await).await?;
        }
        Ok(())
    }

    pub(super) async fn tombstone(&self, key: &str, token: &str) -> Result<(), Unavailable> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(format!("T:{token}")).arg("PX").arg(TOMBSTONE.as_millis() as u64);
        self.execute(async |conn| command.query_async::<()>(conn).await).await
    }

    pub(super) async fn release(&self, key: &str, token: &str) -> Result<(), Unavailable> {
        let mut call = self.scripts.release.prepare_invoke();
        call.key(key).arg(token);
        self.execute(async |conn| call.invoke_async::<()>(conn).await).await
    }

    /// Whether it responds over the live connection, or else over a new one: it is not in use before the database has given its epoch.
    pub(super) async fn health(&self) -> Dependency {
        let begin = Instant::now();
        let reply = self.execute(async |conn| redis::cmd("PING").query_async::<()>(conn).await).await;
        if reply.is_ok() {
            return Dependency::measured(Status::Healthy, begin);
        }
        let outage = || self.outage.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
        let why = match timeout(HEALTH_TIMEOUT, self.connect()).await {
            Ok(Ok(_)) => return Dependency::measured(Status::Degraded, begin).with_cause(NOT_IN_USE),
            Ok(Err(why)) => format!("{why:#}"),
            Err(_) => outage(),
        };
        Dependency::measured(Status::Unhealthy, begin).with_cause(cause(&why))
    }

    /// Whether the log has the reason why there is no connection.
    pub fn is_outage_reported(&self) -> bool {
        self.outage.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Records why a connection attempt failed. The log has each reason once.
    pub fn report_outage(&self, why: &anyhow::Error) {
        let why = format!("{why:#}");
        match remedy(&why) {
            _ if self.outage.read().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&why) => {}
            Some(remedy) => tracing::error!(why, remedy, "the cache refuses: requests go to the database"),
            None => tracing::warn!(why, "the cache is unavailable: requests go to the database"),
        }
        *self.outage.write().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    /// Connects. Requests do not use the connection until [`Redis::resume`].
    ///
    /// Also returns the run id of the server: after a restart the entries may be older than acknowledged writes.
    ///
    /// # Errors
    /// A failure of Redis or of the network.
    pub async fn connect(&self) -> anyhow::Result<(MultiplexedConnection, String)> {
        let mut conn = match timeout(CONNECT_TIMEOUT * 2, self.pool.get()).await? {
            Ok(conn) => Connection::take(conn),
            // Redis waits for the end of a line, which a TLS handshake does not have
            Err(_) if matches!(timeout(PROBE_TIMEOUT, self.responds_without_tls()).await, Ok(Ok(()))) => {
                bail!("it responds without TLS");
            }
            Err(why) => return Err(why.into()),
        };
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut conn).await?;
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or("unknown").to_owned();
        Ok((conn, run))
    }

    /// Fails if TLS is not asked for, or the server responds to nothing else.
    async fn responds_without_tls(&self) -> anyhow::Result<()> {
        let ConnectionAddr::TcpTls { host, port, .. } = self.server.addr() else { bail!("it is not asked for TLS") };
        let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.write_all(b"PING\r\n").await?;
        let first = stream.read_u8().await?;
        ensure!([b'+', b'-'].contains(&first), "it is no response of Redis");
        Ok(())
    }

    /// Lets requests use this connection.
    pub fn resume(&self, conn: MultiplexedConnection) {
        self.timeouts.store(0, Ordering::Relaxed);
        *self.outage.write().unwrap_or_else(PoisonError::into_inner) = None;
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(conn);
    }

    /// Makes requests bypass the cache until `CacheAside::run` has reconnected.
    pub fn suspend(&self) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.lost.notify_one();
    }

    /// Completes when requests bypass the cache.
    pub async fn suspended(&self) {
        self.lost.notified().await;
    }

    async fn execute<T>(
        &self,
        command: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, Unavailable> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut conn = live.ok_or(Unavailable)?;
        match command(&mut conn).await {
            Ok(reply) => {
                if self.timeouts.load(Ordering::Relaxed) > 0 {
                    self.timeouts.store(0, Ordering::Relaxed);
                }
                Ok(reply)
            }
            Err(error) => Err(self.record_error(&error)),
        }
    }

    fn record_error(&self, error: &RedisError) -> Unavailable {
        let is_lost = error.is_connection_dropped() || error.is_io_error() && !error.is_timeout();
        let is_unresponsive = error.is_timeout() && self.timeouts.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_TIMEOUTS;
        tracing::warn!(%error, "the cache did not respond");
        if is_lost || is_unresponsive {
            self.suspend();
        }
        Unavailable
    }
}

/// The server of a URL. Behind `rediss:` it must have a certificate of the operator's own authorities, if there are any, and else of
/// the public ones.
fn server(cache: &config::Cache, tls: &config::Tls) -> anyhow::Result<ConnectionInfo> {
    let url = cache.url.expose();
    if !url.starts_with("rediss:") {
        return Ok(url.into_connection_info()?);
    }
    ensure!(!url.contains('#'), "remove what follows #; certificates are always verified");
    let authorities = TlsCertificates { client_tls: None, root_cert: own_roots_pem(tls)? };
    Ok(Client::build_with_tls(url, authorities)?.get_connection_info().clone())
}

fn decode(entry: Option<Bytes>) -> Lookup {
    match entry {
        None => Lookup::Leased,
        Some(value) if value.starts_with(b"V:") => Lookup::Value(value.slice(2..)),
        Some(value) if value.starts_with(b"L:") => Lookup::LeasedElsewhere,
        Some(_) => Lookup::Tombstoned,
    }
}

impl Scripts {
    fn new() -> Scripts {
        Scripts {
            get_or_lease: Script::new(
                "local there = redis.call('MGET', unpack(KEYS))
                for i, value in ipairs(there) do
                    if not value then redis.call('SET', KEYS[i], 'L:' .. ARGV[1], 'PX', ARGV[2]) end
                end
                return there",
            ),
            fill: Script::new(
                "local mine = 'L:' .. ARGV[1]
                for i, key in ipairs(KEYS) do
                    if redis.call('GET', key) == mine then redis.call('SET', key, ARGV[2 * i], 'PX', ARGV[2 * i + 1]) end
                end",
            ),
            release: Script::new(
                "local there = redis.call('GET', KEYS[1])
                if there and (there == 'T:' .. ARGV[1] or string.sub(there, 1, 2) ~= 'T:') then redis.call('DEL', KEYS[1]) end",
            ),
        }
    }
}
