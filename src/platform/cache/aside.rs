//! The protocol between cache and database: no read returns a value older than a write that was acknowledged before it.
//!
//! Readers lease missing keys, load them from the database, and fill those that are still leased to them. Writers put a
//! tombstone before their transaction commits, and remove it afterwards. A writer that cannot reach the cache invalidates all
//! of it instead: its transaction raises the *epoch*, which is part of every key. See docs/ARCHITECTURE.md, "The cache".

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::loader::{Loader, Source};
use super::redis::Redis;
use super::{Cache, Entry, Lookup};
use crate::config::Settings;
use crate::platform::observe::metrics::{CacheResult, count_lookups, register_lookups};
use crate::platform::refusal::warn_when_slow;

/// How long a reader waits for another reader's fill before it loads the key itself.
const FILL_WAIT: Duration = Duration::from_millis(30);
const FILL_INTERVAL: Duration = Duration::from_millis(3);
/// How often a replica reads the epoch: the documented bound of staleness for a replica that alone still reaches the cache.
const EPOCH_INTERVAL: Duration = Duration::from_secs(1);
const RECONNECT_DELAY: Duration = Duration::from_millis(300);

/// A cache in front of a source.
pub struct CacheAside<S: Source> {
    cache: Cache,
    source: Arc<S>,
    loader: Loader<S>,
    epoch: AtomicI64,
    namespace: String,
    ttl: Duration,
    negative_ttl: Duration,
    load_timeout: Duration,
}

/// The reason why a key could not be loaded.
#[derive(Debug)]
pub enum LoadError<E> {
    /// The source failed.
    Source(E),
    /// The source did not respond in time.
    Timeout,
}

/// The end of a transaction.
pub enum WriteOutcome<T> {
    /// It committed.
    Committed {
        /// Its result.
        value: T,
        /// The epoch after it.
        epoch: i64,
    },
    /// It changed nothing: the epoch is this one, not the one that it was given.
    OtherEpoch(i64),
}

impl<S: Source> CacheAside<S> {
    /// Puts the cache that the settings name in front of `source`; `kind` is part of every key.
    ///
    /// # Errors
    /// As [`Cache::open`].
    pub fn open(settings: &Settings, kind: &str, source: S) -> anyhow::Result<Arc<CacheAside<S>>> {
        register_lookups();
        let source = Arc::new(source);
        Ok(Arc::new(CacheAside {
            cache: Cache::open(settings)?,
            loader: Loader::new(Arc::clone(&source)),
            source,
            epoch: AtomicI64::new(0),
            namespace: format!("{}:{kind}", settings.cache.prefix),
            ttl: Duration::from_secs(settings.cache.ttl_seconds),
            negative_ttl: Duration::from_secs(settings.cache.negative_ttl_seconds),
            load_timeout: Duration::from_millis(settings.database.answer_ms),
        }))
    }

    /// The source behind the cache.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The cache itself, for health reports.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The values of these keys, in their order; `None` where the source has none.
    ///
    /// Takes one command to the cache and at most one query, for any number of keys.
    ///
    /// # Errors
    /// [`LoadError`], when a key that is not in the cache cannot be loaded.
    pub async fn get(&self, keys: &[&str]) -> Result<Vec<Option<Bytes>>, LoadError<S::Error>> {
        let token = token();
        let epoch = self.epoch.load(Ordering::Acquire);
        let names: Vec<String> = keys.iter().map(|key| self.name(epoch, key)).collect();
        let looked_up = self.cache.get_or_lease(&names, &token).await;
        let missed = if looked_up.is_ok() { CacheResult::Miss } else { CacheResult::Unavailable };
        let mut found = looked_up.unwrap_or_else(|_| vec![Lookup::Tombstoned; keys.len()]);
        self.await_fills(&names, &mut found, &token).await;
        log_lookups(&names, &found);
        let missing: Vec<usize> = (0..keys.len()).filter(|at| !matches!(found[*at], Lookup::Value(_))).collect();
        count_lookups(CacheResult::Hit, keys.len() - missing.len());
        count_lookups(missed, missing.len());
        if missing.is_empty() {
            return Ok(found.into_iter().map(value_of).collect());
        }
        let loading = self.loader.load(missing.iter().map(|at| keys[*at].to_owned()));
        let loaded = match timeout(self.load_timeout, loading).await {
            Ok(Some(outcome)) => outcome.map_err(LoadError::Source)?,
            Ok(None) | Err(_) => return Err(LoadError::Timeout),
        };
        let value = |at: usize| loaded.values.get(keys[at]).cloned().unwrap_or_default();
        if loaded.epoch == epoch {
            let leased = missing.iter().filter(|at| found[**at] == Lookup::Leased);
            let entries: Vec<Entry> = leased.map(|at| self.entry(names[*at].clone(), value(*at))).collect();
            // without the fill, the next reader loads the key again
            let _: Result<(), _> = self.cache.fill(&entries, &token).await;
        }
        self.epoch.fetch_max(loaded.epoch, Ordering::AcqRel);
        for at in missing {
            found[at] = Lookup::Value(value(at));
        }
        Ok(found.into_iter().map(value_of).collect())
    }

    /// Runs a transaction that changes the value of `key`.
    ///
    /// The transaction receives the epoch of the tombstone, or `None` when the cache is unavailable and it must raise the epoch.
    /// It must lock the epoch until it commits, and change nothing if the epoch is another one: then it runs again.
    ///
    /// # Errors
    /// The transaction's own. The tombstone then stays until it expires: the commit may have happened.
    pub async fn write<T, E>(
        &self,
        key: &str,
        transaction: impl AsyncFn(Option<i64>) -> Result<WriteOutcome<T>, E>,
    ) -> Result<T, E> {
        let token = token();
        loop {
            let epoch = self.epoch.load(Ordering::Acquire);
            let name = self.name(epoch, key);
            let tombstone = self.cache.tombstone(&name, &token).await.ok().map(|()| epoch);
            let written = transaction(tombstone).await?;
            let (WriteOutcome::Committed { epoch, .. } | WriteOutcome::OtherEpoch(epoch)) = written;
            // before the response: later reads use the new epoch
            self.epoch.fetch_max(epoch, Ordering::AcqRel);
            if tombstone.is_some() {
                self.cache.release(&name, &token).await;
            }
            if let WriteOutcome::Committed { value, .. } = written {
                return Ok(value);
            }
        }
    }

    /// Connects the cache and follows the epoch. Never ends: spawn it once.
    pub async fn run(self: Arc<Self>) {
        match &self.cache {
            Cache::Memory(_) => {}
            Cache::Redis(redis) => loop {
                match self.connect(redis).await {
                    Ok(()) => self.watch(redis).await,
                    Err(why) => {
                        redis.report_outage(&why);
                        sleep(RECONNECT_DELAY).await;
                    }
                }
            },
        }
    }

    /// Lets requests use the cache, after the epoch of this cache server is known.
    async fn connect(&self, redis: &Redis) -> anyhow::Result<()> {
        let (conn, server) = warn_when_slow("the cache", redis.is_outage_reported(), redis.connect()).await?;
        let epoch =
            self.source.epoch(&server).await.map_err(|_| anyhow::anyhow!("the database does not give its epoch"))?;
        self.epoch.fetch_max(epoch, Ordering::AcqRel);
        redis.resume(conn);
        tracing::info!(epoch, "the cache is connected");
        Ok(())
    }

    /// Follows the epoch until the connection is lost.
    async fn watch(&self, redis: &Redis) {
        loop {
            tokio::select! {
                () = redis.suspended() => return,
                () = sleep(EPOCH_INTERVAL) => match timeout(self.load_timeout, self.loader.load([])).await {
                    Ok(Some(Ok(loaded))) => drop(self.epoch.fetch_max(loaded.epoch, Ordering::AcqRel)),
                    // without the database no write is acknowledged, so the cache stays current
                    _ => tracing::debug!("the epoch cannot be read"),
                },
            }
        }
    }

    /// Waits a little for the keys that other readers are loading.
    async fn await_fills(&self, names: &[String], found: &mut [Lookup], token: &str) {
        let mut waited = Duration::ZERO;
        while waited < FILL_WAIT && found.contains(&Lookup::LeasedElsewhere) {
            sleep(FILL_INTERVAL).await;
            waited += FILL_INTERVAL;
            let pending: Vec<usize> = (0..found.len()).filter(|at| found[*at] == Lookup::LeasedElsewhere).collect();
            let pending_names: Vec<String> = pending.iter().map(|at| names[*at].clone()).collect();
            let Ok(lookups) = self.cache.get_or_lease(&pending_names, token).await else {
                return;
            };
            for (at, lookup) in pending.into_iter().zip(lookups) {
                found[at] = lookup;
            }
        }
    }

    fn name(&self, epoch: i64, key: &str) -> String {
        format!("{}:{epoch}:{key}", self.namespace)
    }

    /// An entry whose time to live varies by a tenth, so that entries filled together do not expire together.
    fn entry(&self, key: String, value: Bytes) -> Entry {
        let ttl = if value.is_empty() { self.negative_ttl } else { self.ttl };
        Entry { key, value, ttl: ttl.mul_f64(rand::random_range(0.9..=1.1)) }
    }
}

/// An empty entry stands for no value.
fn value_of(found: Lookup) -> Option<Bytes> {
    match found {
        Lookup::Value(value) if !value.is_empty() => Some(value),
        _ => None,
    }
}

fn token() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Logs hits and misses with their keys; of many keys only the counts.
fn log_lookups(names: &[String], found: &[Lookup]) {
    const MAX_KEYS: usize = 8;
    if names.len() > MAX_KEYS {
        let hits = found.iter().filter(|found| matches!(found, Lookup::Value(_))).count();
        tracing::info!(hits, misses = names.len() - hits, first_key = names[0], "cache looked up");
        return;
    }
    for hit in [true, false] {
        let keys: Vec<&str> = names
            .iter()
            .zip(found)
            .filter(|(_, found)| matches!(found, Lookup::Value(_)) == hit)
            .map(|(name, _)| name.as_str())
            .collect();
        if !keys.is_empty() {
            tracing::info!(key = keys.join(" "), "{}", if hit { "cache hit" } else { "cache miss" });
        }
    }
}
