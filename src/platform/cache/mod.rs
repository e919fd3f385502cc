//! A cache that is never older than an acknowledged write: cache-aside by *lease on miss* and *tombstone before commit*.
//!
//! An entry is a value, a lease (somebody is reading it from the database and may fill it), or a tombstone (somebody is
//! writing it; nobody may fill it). [`aside`] speaks the protocol; [`memory`] and [`redis`] hold the entries.

pub mod aside;
pub mod loader;
pub mod memory;
pub mod redis;

use std::time::Duration;

use bytes::Bytes;

use crate::config::Settings;
use crate::platform::http::health::Dependency;

/// A lease ends by itself when its holder dies.
pub const LEASE: Duration = Duration::from_secs(3);
/// Far longer than any transaction may take; a writer that dies leaves the key uncached for this long.
pub const TOMBSTONE: Duration = Duration::from_secs(10);

/// What the cache knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The value, as filled.
    Value(Bytes),
    /// Nothing; the caller holds the lease now, and is to fill it.
    Leased,
    /// Nothing; somebody else is reading it and will fill it soon.
    Reading,
    /// Nothing; somebody is writing it.
    Writing,
}

/// The cache cannot be reached in time: go round it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// A value to keep, and for how long.
pub struct Entry {
    /// The key, complete.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// For how long.
    pub ttl: Duration,
}

/// Where the entries are.
pub enum Cache {
    /// Inside this process.
    Memory(memory::Memory),
    /// In a Redis that all replicas share.
    Redis(Box<redis::Redis>),
}

impl Cache {
    /// The cache that the settings name; connects to nothing yet.
    ///
    /// # Errors
    /// A URL that Redis' rules cannot read.
    pub fn open(settings: &Settings) -> anyhow::Result<Cache> {
        match settings.cache.url.scheme() {
            "redis" => Ok(Cache::Redis(Box::new(redis::Redis::open(&settings.cache)?))),
            _ => Ok(Cache::Memory(memory::Memory::new(settings.cache.capacity))),
        }
    }

    /// The name in health reports.
    pub fn name(&self) -> &'static str {
        match self {
            Cache::Memory(_) => "memory",
            Cache::Redis(_) => "redis",
        }
    }

    /// For each key what is there; a key of which nothing is there is leased to `token`.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn get_or_lease(&self, keys: &[String], token: &str) -> Result<Vec<Lookup>, Unavailable> {
        match self {
            Cache::Memory(memory) => Ok(keys.iter().map(|key| memory.get_or_lease(key, token)).collect()),
            Cache::Redis(redis) => redis.get_or_lease(keys, token).await,
        }
    }

    /// Keeps the values whose keys are still leased to `token`.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn fill(&self, entries: &[Entry], token: &str) -> Result<(), Unavailable> {
        match self {
            Cache::Memory(memory) => entries.iter().for_each(|entry| memory.fill(entry, token)),
            Cache::Redis(redis) => redis.fill(entries, token).await?,
        }
        Ok(())
    }

    /// Puts a tombstone before a write: what is there goes, and nothing can be filled.
    ///
    /// # Errors
    /// [`Unavailable`]; the write must then change the epoch.
    pub async fn bar(&self, key: &str, token: &str) -> Result<(), Unavailable> {
        match self {
            Cache::Memory(memory) => memory.bar(key, token),
            Cache::Redis(redis) => redis.bar(key, token).await?,
        }
        Ok(())
    }

    /// Takes the tombstone away after the commit, and any value that came in its place; another writer's stays.
    pub async fn release(&self, key: &str, token: &str) {
        match self {
            Cache::Memory(memory) => memory.release(key, token),
            // the tombstone ends by itself, and until then the key is read from the database
            Cache::Redis(redis) => drop(redis.release(key, token).await),
        }
    }

    /// Whether it answers.
    pub async fn health(&self) -> Dependency {
        match self {
            Cache::Memory(_) => Dependency::healthy(),
            Cache::Redis(redis) => redis.health().await,
        }
    }
}
