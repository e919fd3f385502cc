//! Entries inside this process, for when all roles run in it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::ops::compute::Op;
use moka::sync::Cache;

use super::{Entry, LEASE, Lookup, TOMBSTONE};

/// A bounded map of entries, each with its own end.
pub struct Memory(Cache<String, State>);

#[derive(Clone)]
enum State {
    Value(Bytes, Duration),
    Lease(String),
    Tombstone(String),
}

struct Ends;

impl Expiry<String, State> for Ends {
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
    /// Holds at most `capacity` entries.
    pub fn new(capacity: u64) -> Memory {
        Memory(Cache::builder().max_capacity(capacity).expire_after(Ends).build())
    }

    pub(super) fn get_or_lease(&self, key: &str, token: &str) -> Lookup {
        let found = |state: State| match state {
            State::Value(value, _) => Lookup::Value(value),
            State::Lease(_) => Lookup::Reading,
            State::Tombstone(_) => Lookup::Writing,
        };
        if let Some(state) = self.0.get(key) {
            return found(state);
        }
        let mut there = Lookup::Leased;
        self.0.entry_by_ref(key).and_compute_with(|entry| match entry {
            Some(entry) => {
                there = found(entry.into_value());
                Op::Nop
            }
            None => Op::Put(State::Lease(token.to_owned())),
        });
        there
    }

    pub(super) fn fill(&self, entry: &Entry, token: &str) {
        self.0.entry_by_ref(&entry.key).and_compute_with(|there| match there.map(moka::Entry::into_value) {
            Some(State::Lease(holder)) if holder == token => Op::Put(State::Value(entry.value.clone(), entry.ttl)),
            _ => Op::Nop,
        });
    }

    pub(super) fn bar(&self, key: &str, token: &str) {
        self.0.insert(key.to_owned(), State::Tombstone(token.to_owned()));
    }

    pub(super) fn release(&self, key: &str, token: &str) {
        self.0.entry_by_ref(key).and_compute_with(|there| match there.map(moka::Entry::into_value) {
            Some(State::Tombstone(writer)) if writer != token => Op::Nop,
            Some(_) => Op::Remove,
            None => Op::Nop,
        });
    }
}
