//! Entries in the memory of this process, for when all roles run in it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::ops::compute::Op;
use moka::sync::Cache;

use super::{Entry, LEASE, Lookup, TOMBSTONE};

/// A bounded map of entries, each with its own time to live.
pub struct Memory(Cache<String, State>);

#[derive(Clone)]
enum State {
    Value(Bytes, Duration),
    Lease(String),
    Tombstone(String),
}

struct TimeToLive;

impl Expiry<String, State> for TimeToLive {
    fn expire_after_create(&self, _: &String, state: &State, _: Instant) -> Option<Duration> {
        Some(match state {
            State::Value(_, ttl) => *ttl,
            State::Lease(_) => LEASE,
            State::Tombstone(_) => TOMBSTONE,
        })
    }
    fn expire_after_update(&self, key: &String, state: &State, at: Instant, _: Option<Duration>) -> Option<Duration> {
        self.expire_after_create(key, state, at)
    }
}

impl Memory {
    /// An empty cache of at most `capacity` entries.
    pub fn new(capacity: u64) -> Memory {
        Memory(Cache::builder().max_capacity(capacity).expire_after(TimeToLive).build())
    }

    pub(super) fn get_or_lease(&self, key: &str, token: &str) -> Lookup {
        let lookup = |state: State| match state {
            State::Value(value, _) => Lookup::Value(value),
            State::Lease(_) => Lookup::LeasedElsewhere,
            State::Tombstone(_) => Lookup::Tombstoned,
        };
        if let Some(state) = self.0.get(key) {
            return lookup(state);
        }
        let mut result = Lookup::Leased;
        self.0.entry_by_ref(key).and_compute_with(|entry| match entry {
            Some(entry) => {
                result = lookup(entry.into_value());
                Op::Nop
            }
            None => Op::Put(State::Lease(token.to_owned())),
        });
        result
    }

    pub(super) fn fill(&self, entry: &Entry, token: &str) {
        self.0.entry_by_ref(&entry.key).and_compute_with(|stored| match stored.map(moka::Entry::into_value) {
            Some(State::Lease(holder)) if holder == token => Op::Put(State::Value(entry.value.clone(), entry.ttl)),
            _ => Op::Nop,
        });
    }

    pub(super) fn tombstone(&self, key: &str, token: &str) {
        self.0.insert(key.to_owned(), State::Tombstone(token.to_owned()));
    }

    pub(super) fn release(&self, key: &str, token: &str) {
        self.0.entry_by_ref(key).and_compute_with(|entry| match entry.map(moka::Entry::into_value) {
            Some(State::Tombstone(writer)) if writer != token => Op::Nop,
            Some(_) => Op::Remove,
            None => Op::Nop,
        });
    }
}
