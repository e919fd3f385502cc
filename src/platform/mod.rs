//! What every role stands on. Nothing in here knows a role by name.

pub mod cache;
pub mod call;
pub mod case;
pub mod db;
pub mod email;
pub mod event;
pub mod extract;
pub mod feed;
pub mod health;
pub mod idempotency;
pub mod json;
pub mod merge_patch;
pub mod peer;
pub mod preconditions;
pub mod problem;
pub mod proxy;
pub mod queue;
pub mod replicas;
pub mod role;
pub mod server;
pub mod telemetry;
pub mod webhook;
pub mod window;
pub mod work;
