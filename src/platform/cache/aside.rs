//! The protocol between cache and database, after which no answer is older than a write that was acknowledged before.
//!
//! Readers lease what is missing, read the database, and fill only what is still leased to them. Writers put a tombstone
//! before their transaction commits and take it away after. A writer that cannot reach the cache makes everything in it
//! unreachable instead: its transaction raises the *epoch*, which is part of every key. See docs/ARCHITECTURE.md, "The cache".

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

/// How long a reader waits, once, for another reader's fill before it asks the database itself.
const FILL_WAIT: Duration = Duration::from_millis(30);
const FILL_POLL: Duration = Duration::from_millis(3);
/// How often a replica asks for the epoch: the published bound of staleness when it alone can still reach the cache.
const EPOCH_POLL: Duration = Duration::from_secs(1);
const RECONNECT: Duration = Duration::from_millis(300);

/// A cache in front of a source.
pub struct CacheAside<S: Source> {
    cache: Cache,
    source: Arc<S>,
    loader: Loader<S>,
    epoch: AtomicI64,
    space: String,
    ttl: Duration,
    negative_ttl: Duration,
    patience: Duration,
}

/// Why there is no value.
#[derive(Debug)]
pub enum LoadError<E> {
    /// What the source says.
    Source(E),
    /// It said nothing in time.
    Late,
}

/// How a transaction ended.
pub enum WriteOutcome<T> {
    /// As it should.
    Done {
        /// Its result.
        value: T,
        /// The epoch that holds now.
        epoch: i64,
    },
    /// It changed nothing: the epoch is not the one that it was given, but this one.
    OtherEpoch(i64),
}

impl<S: Source> CacheAside<S> {
    /// Puts the cache that the settings name in front of `source`; `kind` says what the keys are of.
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
            space: format!("{}:{kind}", settings.cache.prefix),
            ttl: Duration::from_secs(settings.cache.ttl_seconds),
            negative_ttl: Duration::from_secs(settings.cache.negative_ttl_seconds),
            patience: Duration::from_millis(settings.database.answer_ms),
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
    /// One question to the cache and at most one query, however many keys.
    ///
    /// # Errors
    /// [`LoadError`], when something that the cache does not have cannot be read.
    pub async fn get(&self, keys: &[&str]) -> Result<Vec<Option<Bytes>>, LoadError<S::Error>> {
        let token = token();
        let epoch = self.epoch.load(Ordering::Acquire);
        let names: Vec<String> = keys.iter().map(|key| self.name(epoch, key)).collect();
        let asked = self.cache.get_or_lease(&names, &token).await;
        let missed = if asked.is_ok() { CacheResult::Miss } else { CacheResult::Unavailable };
        let mut found = asked.unwrap_or_else(|_| vec![Lookup::Writing; keys.len()]);
        self.await_fills(&names, &mut found, &token).await;
        log_found(&names, &found);
        let missing: Vec<usize> = (0..keys.len()).filter(|at| !matches!(found[*at], Lookup::Value(_))).collect();
        count_lookups(CacheResult::Hit, keys.len() - missing.len());
        count_lookups(missed, missing.len());
        if missing.is_empty() {
            return Ok(found.into_iter().map(value_of).collect());
        }
        let asked = self.loader.load(missing.iter().map(|at| keys[*at].to_owned()));
        let loaded = match timeout(self.patience, asked).await {
            Ok(Some(outcome)) => outcome.map_err(LoadError::Source)?,
            Ok(None) | Err(_) => return Err(LoadError::Late),
        };
        let value = |at: usize| loaded.values.get(keys[at]).cloned().unwrap_or_default();
        if loaded.epoch == epoch {
            let leased = missing.iter().filter(|at| found[**at] == Lookup::Leased);
            let entries: Vec<Entry> = leased.map(|at| self.entry(names[*at].clone(), value(*at))).collect();
            // not kept is not wrong: the next reader asks the database again
            let _: Result<(), _> = self.cache.fill(&entries, &token).await;
        }
        self.epoch.fetch_max(loaded.epoch, Ordering::AcqRel);
        for at in missing {
            found[at] = Lookup::Value(value(at));
        }
        Ok(found.into_iter().map(value_of).collect())
    }

    /// Runs a transaction that changes what `key` stands for.
    ///
    /// It is given the epoch at which the key is barred, or `None` when the cache is away and it must raise the epoch. It
    /// must hold the epoch until it commits, and change nothing if that is another one: then it is run again.
    ///
    /// # Errors
    /// The transaction's own. The tombstone then stays until it ends by itself: nobody knows whether the commit happened.
    pub async fn write<T, E>(
        &self,
        key: &str,
        transaction: impl AsyncFn(Option<i64>) -> Result<WriteOutcome<T>, E>,
    ) -> Result<T, E> {
        let token = token();
        loop {
            let epoch = self.epoch.load(Ordering::Acquire);
            let name = self.name(epoch, key);
            let barred = self.cache.bar(&name, &token).await.ok().map(|()| epoch);
            let written = transaction(barred).await?;
            let (WriteOutcome::Done { epoch, .. } | WriteOutcome::OtherEpoch(epoch)) = written;
            // before the answer: whoever asks after it looks under the new epoch
            self.epoch.fetch_max(epoch, Ordering::AcqRel);
            if barred.is_some() {
                self.cache.release(&name, &token).await;
            }
            if let WriteOutcome::Done { value, .. } = written {
                return Ok(value);
            }
        }
    }

    /// Keeps the epoch fresh and the cache connected, for as long as the process lives.
    pub async fn keep(self: Arc<Self>) {
        match &self.cache {
            Cache::Memory(_) => {}
            Cache::Redis(redis) => loop {
                match self.connect(redis).await {
                    Ok(()) => self.watch(redis).await,
                    Err(why) => {
                        tracing::debug!(%why, "the cache is away");
                        sleep(RECONNECT).await;
                    }
                }
            },
        }
    }

    /// Lets requests use the cache, after the epoch is known and this server's memory is known to be ours.
    async fn connect(&self, redis: &Redis) -> anyhow::Result<()> {
        let (conn, server) = redis.connect().await?;
        let epoch = self.source.epoch(&server).await.map_err(|_| anyhow::anyhow!("the epoch cannot be read"))?;
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
                () = sleep(EPOCH_POLL) => match timeout(self.patience, self.loader.load([])).await {
                    Ok(Some(Ok(loaded))) => drop(self.epoch.fetch_max(loaded.epoch, Ordering::AcqRel)),
                    // without the database no write is acknowledged, so what is cached stays true
                    _ => tracing::debug!("the epoch cannot be read"),
                },
            }
        }
    }

    /// Where another reader is at it already, waits a little for what it fills.
    async fn await_fills(&self, names: &[String], found: &mut [Lookup], token: &str) {
        let mut waited = Duration::ZERO;
        while waited < FILL_WAIT && found.contains(&Lookup::Reading) {
            sleep(FILL_POLL).await;
            waited += FILL_POLL;
            let open: Vec<usize> = (0..found.len()).filter(|at| found[*at] == Lookup::Reading).collect();
            let again: Vec<String> = open.iter().map(|at| names[*at].clone()).collect();
            let Ok(there) = self.cache.get_or_lease(&again, token).await else {
                return;
            };
            for (at, state) in open.into_iter().zip(there) {
                found[at] = state;
            }
        }
    }

    fn name(&self, epoch: i64, key: &str) -> String {
        format!("{}:{epoch}:{key}", self.space)
    }

    /// An end that differs by up to a tenth, so that what was filled together is not missed together.
    fn entry(&self, key: String, value: Bytes) -> Entry {
        let ttl = if value.is_empty() { self.negative_ttl } else { self.ttl };
        Entry { key, value, ttl: ttl.mul_f64(rand::random_range(0.9..=1.1)) }
    }
}

/// No value is kept as an empty one.
fn value_of(found: Lookup) -> Option<Bytes> {
    match found {
        Lookup::Value(value) if !value.is_empty() => Some(value),
        _ => None,
    }
}

fn token() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Hits and misses with their keys; a long list is told by its number.
fn log_found(names: &[String], found: &[Lookup]) {
    const LONGEST: usize = 8;
    if names.len() > LONGEST {
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
