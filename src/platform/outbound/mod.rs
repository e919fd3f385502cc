//! Callbacks to addresses that clients name: Standard Webhooks, sent only where a stranger may make us send something.
//!
//! A URL passes [`SsrfGuard::parse`] when it is given to us, and every connection passes the guard again when it is opened:
//! a name may mean another address by then.

pub mod calendar_source;
pub mod client;
pub mod fetch;
pub mod global_address;
pub mod host_limiter;
pub mod resolver;
pub mod response;
pub mod signature;
pub mod ssrf_guard;

pub use client::{Delivery, WebhookClient};
pub use fetch::Subscription;
pub use host_limiter::{HostLimiter, HostPermit};
pub use resolver::Resolver;
pub use response::DeliveryResult;
pub use signature::Secret;
pub use ssrf_guard::{CallbackUrl, Refused, SsrfGuard};
