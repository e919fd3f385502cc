//! A cache that is never older than an acknowledged write: cache-aside by *lease on miss* and *tombstone before commit*.
//!
//! An entry is a value, a lease (one reader loads the value from the database and may fill it), or a tombstone (a writer
//! changes the value, and no reader may fill it). [`aside`] implements the protocol; [`memory`] and [`redis`] store entries.

pub mod aside;
pub mod loader;
pub mod memory;
pub mod redis;

use std::time::Duration;

use bytes::Bytes;

use crate::config::Settings;
use crate::platform::http::health::Dependency;

/// The time to live of a lease, for a reader that dies.
pub const LEASE: Duration = Duration::from_secs(3);
/// The time to live of a tombstone, far longer than a transaction may take. A writer that dies leaves the key uncached for this
/// long.
pub const TOMBSTONE: Duration = Duration::from_secs(10);

/// The result of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The value, as filled.
    Value(Bytes),
    /// No entry. The caller now holds the lease, and fills the value.
    Leased,
    /// Another reader holds the lease, and will fill the value soon.
    LeasedElsewhere,
    /// A writer has put a tombstone.
    Tombstoned,
}

/// The cache did not respond in time: bypass it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// A value to store.
pub struct Entry {
    /// The complete key.
    pub key: String,
    /// The value.
    pub value: Bytes,
    /// The time to live.
    pub ttl: Duration,
}

/// A store of entries.
pub enum Cache {
    /// In the memory of this process.
    Memory(memory::Memory),
    /// In a Redis that all replicas share.
    Redis(Box<redis::Redis>),
}

impl Cache {
    /// The cache that the settings name. Opens no connection yet.
    ///
    /// # Errors
    /// A URL that is no Redis URL.
    pub fn open(settings: &Settings) -> anyhow::Result<Cache> {
        match settings.cache.url.scheme() {
            "redis" | "rediss" => Ok(Cache::Redis(Box::new(redis::Redis::open(&settings.cache, &settings.tls)?))),
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

    /// Looks up every key, and leases the keys without an entry to `token`.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn get_or_lease(&self, keys: &[String], token: &str) -> Result<Vec<Lookup>, Unavailable> {
        match self {
            Cache::Memory(memory) => Ok(keys.iter().map(|key| memory.get_or_lease(key, token)).collect()),
            Cache::Redis(redis) => redis.get_or_lease(keys, token).await,
        }
    }

    /// Stores the values whose keys are still leased to `token`.
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

    /// Puts a tombstone before a write: it replaces the entry, and prevents fills.
    ///
    /// # Errors
    /// [`Unavailable`]; the write must then raise the epoch.
    pub async fn tombstone(&self, key: &str, token: &str) -> Result<(), Unavailable> {
        match self {
            Cache::Memory(memory) => memory.tombstone(key, token),
            Cache::Redis(redis) => redis.tombstone(key, token).await?,
        }
        Ok(())
    }

    /// Removes the writer's tombstone after the commit, or a value that replaced it. The tombstone of another writer stays.
    pub async fn release(&self, key: &str, token: &str) {
        match self {
            Cache::Memory(memory) => memory.release(key, token),
            // a tombstone that stays expires; until then readers load the key from the database
            Cache::Redis(redis) => drop(redis.release(key, token).await),
        }
    }

    /// The health of the cache.
    pub async fn health(&self) -> Dependency {
        match self {
            Cache::Memory(_) => Dependency::healthy(),
            Cache::Redis(redis) => redis.health().await,
        }
    }
}
