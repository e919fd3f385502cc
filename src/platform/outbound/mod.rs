//! Requests to URLs that clients name: webhooks (Standard Webhooks) and calendar subscriptions. They go to allowed addresses
//! alone.
//!
//! [`SsrfGuard::parse`] checks a URL when a client sends it, and the guard checks every connection again when it is opened: a
//! host name may resolve to another address by then.

pub mod calendar_source;
pub mod client;
pub mod feed_url;
pub mod fetch;
pub mod global_address;
pub mod resolver;
pub mod response;
pub mod signature;
mod skip_interim;
pub mod ssrf_guard;
mod unframed;

pub use client::{Delivery, WebhookClient};
pub use feed_url::{FeedUrl, mask_credentials};
pub use fetch::Subscription;
pub use resolver::Resolver;
pub use response::DeliveryResult;
pub use signature::Secret;
pub use ssrf_guard::{CallbackUrl, Refused, SsrfGuard};
