//! HTTP as every role speaks it: what is read from a request, the errors, and the parts of an answer.

pub mod client_address;
pub mod connection_limiter;
pub mod extract;
pub mod headers;
pub mod health;
pub mod idempotency;
pub mod json;
pub mod merge_patch;
pub mod openapi;
pub mod page;
pub mod preconditions;
pub mod problem;
pub mod stream;
pub mod window;
