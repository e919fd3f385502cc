//! The HTTP/1.1 client for calls between roles: connection pools, requests on the pool, and responses.
//!
//! It uses the codec that awc is built on, and not awc itself: awc 3.11 creates a task and a timer for every request
//! (docs/ARCHITECTURE.md).

mod connection;
mod pool;
mod response;

pub use connection::{RequestBody, SendError};
pub use pool::{ConnectionPool, KEEP_ALIVE};
pub use response::RpcResponse;
