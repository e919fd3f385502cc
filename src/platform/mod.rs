//! What every role stands on. Nothing in here knows a role by name.

pub mod cache;
pub mod call;
pub mod case;
pub mod db;
pub mod email;
pub mod extract;
pub mod health;
pub mod json;
pub mod peer;
pub mod preconditions;
pub mod problem;
pub mod proxy;
pub mod replicas;
pub mod role;
pub mod server;
pub mod telemetry;
