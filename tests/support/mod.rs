//! The support code of the tests: a running W2Meet in either shape, requests, and waiting for conditions.

pub mod access;
pub mod account;
pub mod authority;
pub mod benchmarks;
pub mod checks;
pub mod client;
pub mod cluster;
pub mod collector;
pub mod events;
pub mod fault_rig;
pub mod fixtures;
pub mod history;
pub mod in_process;
pub mod invariants;
pub mod load;
pub mod meeting;
pub mod oracle;
pub mod rabbit;
pub mod raw_http;
pub mod receiver;
pub mod refusal;
pub mod replicas;
pub mod rows;
pub mod rust_source;
pub mod servers;
pub mod shell;
pub mod smtp;
pub mod test_queue;
pub mod toxic_proxy;
pub mod upstream;

pub use client::{Client, Reply};
pub use cluster::{Cluster, Node, Shape};
pub use rabbit::PrivateRabbit;
pub use replicas::Replicas;
pub use servers::{PrivatePostgres, PrivateRedis};
pub use toxic_proxy::ToxicProxy;

use std::time::{Duration, Instant};

use w2meet::platform::endpoint::Endpoint;

/// Every endpoint that clients can call, but those of the older API.
pub fn public_endpoints() -> Vec<Endpoint> {
    let mut all = w2meet::platform::role::public_endpoints(w2meet::roles::ALL);
    all.retain(|endpoint| !endpoint.is_deprecated);
    all
}

/// Runs one test body as `embedded` (all roles in one process) and as `services` (each role in its own process, over
/// PostgreSQL and Redis). `with &[("W2MEET_…", "…")];` before the first body adds settings.
#[macro_export]
macro_rules! both_shapes {
    (with $more:expr; $($(#[$about:meta])* async fn $name:ident($cluster:ident) $body:block)+) => {$(
        $(#[$about])*
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every body needs all of its file's names")]
            use super::*;
            use $crate::support::{Cluster, Shape};

            async fn body($cluster: &Cluster) $body

            #[actix_web::test]
            async fn embedded() {
                body(&Cluster::in_shape(Shape::Embedded, $more).await).await;
            }

            #[actix_web::test]
            async fn services() {
                body(&Cluster::in_shape(Shape::Services, $more).await).await;
            }
        }
    )+};
    ($($(#[$about:meta])* async fn $name:ident($cluster:ident) $body:block)+) => {$(
        $(#[$about])*
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every body needs all of its file's names")]
            use super::*;

            async fn body($cluster: &$crate::support::Cluster) $body

            #[actix_web::test]
            async fn embedded() {
                body(&$crate::support::Cluster::all().await).await;
            }

            #[actix_web::test]
            async fn services() {
                body(&$crate::support::Cluster::split().await).await;
            }
        }
    )+};
}

/// Waits until `check` gives a value; fails with `what` after ten seconds.
pub async fn eventually<T>(what: &str, check: impl AsyncFnMut() -> Option<T>) -> T {
    within(Duration::from_secs(10), what, check).await
}

/// [`eventually`] with another limit.
pub async fn within<T>(limit: Duration, what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Some(value) = check().await {
            return value;
        }
        assert!(begin.elapsed() < limit, "it did not happen within {limit:?}: {what}");
    }
}
