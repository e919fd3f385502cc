//! Entries in Redis, shared by all replicas. A request never waits for a connection: it uses the one that is live, or goes
//! round the cache. Connecting is the keeper's work (`aside`), which checks the epoch before it lets requests back in.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{self, AsyncConnectionConfig, RedisError, RedisResult, Script};
use deadpool_redis::{Connection, Manager, Pool};
use tokio::sync::Notify;

use super::{Entry, LEASE, Lookup, TOMBSTONE, Unavailable};
use crate::config;
use crate::platform::http::health::{Dependency, Status};

/// Keys in one script: a longer one would hold Redis up for everybody.
const CHUNK: usize = 500;
/// Slow answers in a row after which requests stop asking.
const PATIENCE: u32 = 3;
const CONNECT: Duration = Duration::from_millis(200);

/// A Redis, and the one connection that everybody shares.
pub struct Redis {
    pool: Pool,
    live: RwLock<Option<MultiplexedConnection>>,
    slow: AtomicU32,
    lost: Notify,
    scripts: Scripts,
}

struct Scripts {
    get_or_lease: Script,
    fill: Script,
    release: Script,
}

impl Redis {
    /// Prepares for the Redis at `cache.url`; connects to nothing yet.
    ///
    /// # Errors
    /// A URL that Redis' rules cannot read.
    pub fn open(cache: &config::Cache) -> anyhow::Result<Redis> {
        let patience = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(Duration::from_millis(cache.timeout_ms)));
        let manager = Manager::new_with_config(cache.url.expose(), patience)
            .map_err(|why| anyhow::anyhow!("cache.url is {}: {why}", cache.url))?;
        Ok(Redis {
            pool: Pool::builder(manager).max_size(1).build()?,
            live: RwLock::new(None),
            slow: AtomicU32::new(0),
            lost: Notify::new(),
            scripts: Scripts::new(),
        })
    }

    pub(super) async fn get_or_lease(&self, keys: &[String], token: &str) -> Result<Vec<Lookup>, Unavailable> {
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(CHUNK) {
            let mut call = self.scripts.get_or_lease.prepare_invoke();
            call.arg(token).arg(LEASE.as_millis() as u64);
            for key in chunk {
                call.key(key);
            }
            let there: Vec<Option<Bytes>> = self.ask(async |conn| call.invoke_async(conn).await).await?;
            found.extend(there.into_iter().map(read));
        }
        Ok(found)
    }

    pub(super) async fn fill(&self, entries: &[Entry], token: &str) -> Result<(), Unavailable> {
        for chunk in entries.chunks(CHUNK) {
            let mut call = self.scripts.fill.prepare_invoke();
            call.arg(token);
            for entry in chunk {
                call.key(&entry.key)
                    .arg([b"V:", entry.value.as_ref()].concat())
                    .arg(entry.ttl.as_millis().max(1) as u64);
            }
            self.ask(async |conn| call.invoke_async::<()>(conn).await).await?;
        }
        Ok(())
    }

    pub(super) async fn bar(&self, key: &str, token: &str) -> Result<(), Unavailable> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(format!("T:{token}")).arg("PX").arg(TOMBSTONE.as_millis() as u64);
        self.ask(async |conn| command.query_async::<()>(conn).await).await
    }

    pub(super) async fn release(&self, key: &str, token: &str) -> Result<(), Unavailable> {
        let mut call = self.scripts.release.prepare_invoke();
        call.key(key).arg(token);
        self.ask(async |conn| call.invoke_async::<()>(conn).await).await
    }

    pub(super) async fn health(&self) -> Dependency {
        let begin = Instant::now();
        let answer = self.ask(async |conn| redis::cmd("PING").query_async::<()>(conn).await).await;
        Dependency::measured(if answer.is_ok() { Status::Healthy } else { Status::Unhealthy }, begin)
    }

    /// Connects anew. The connection is not in use until [`Redis::resume`].
    ///
    /// Returns it with the server's run id: another id is another memory, whose entries may be older than our writes.
    ///
    /// # Errors
    /// What Redis or the network says.
    pub async fn connect(&self) -> anyhow::Result<(MultiplexedConnection, String)> {
        let mut conn = Connection::take(tokio::time::timeout(CONNECT * 2, self.pool.get()).await??);
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut conn).await?;
        let run = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or("unknown").to_owned();
        Ok((conn, run))
    }

    /// Lets requests use this connection.
    pub fn resume(&self, conn: MultiplexedConnection) {
        self.slow.store(0, Ordering::Relaxed);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(conn);
    }

    /// Stops requests from using the cache until the keeper has connected anew.
    pub fn suspend(&self) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.lost.notify_one();
    }

    /// Completes when requests have stopped using the cache.
    pub async fn suspended(&self) {
        self.lost.notified().await;
    }

    async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, Unavailable> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut conn = live.ok_or(Unavailable)?;
        match question(&mut conn).await {
            Ok(answer) => {
                if self.slow.load(Ordering::Relaxed) > 0 {
                    self.slow.store(0, Ordering::Relaxed);
                }
                Ok(answer)
            }
            Err(error) => Err(self.complain(&error)),
        }
    }

    fn complain(&self, error: &RedisError) -> Unavailable {
        let hopeless = error.is_connection_dropped() || error.is_io_error() && !error.is_timeout();
        let tired = error.is_timeout() && self.slow.fetch_add(1, Ordering::Relaxed) + 1 >= PATIENCE;
        tracing::warn!(%error, "the cache does not answer");
        if hopeless || tired {
            self.suspend();
        }
        Unavailable
    }
}

fn read(there: Option<Bytes>) -> Lookup {
    match there {
        None => Lookup::Leased,
        Some(value) if value.starts_with(b"V:") => Lookup::Value(value.slice(2..)),
        Some(value) if value.starts_with(b"L:") => Lookup::Reading,
        Some(_) => Lookup::Writing,
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
