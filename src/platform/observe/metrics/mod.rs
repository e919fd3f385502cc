//! Numbers for Prometheus: counted where something happens, read when somebody asks for the page.
//!
//! Every label has a fixed set of values, or as many as are configured, so that nobody can make series by asking for odd things.

pub mod admin;
mod counter;
mod exporter;
mod requests;

pub use counter::{CounterVec, Gauge, Metric, show};
pub use requests::{RequestMetrics, Template, method_label, resource, resource_of};

/// Look-ups in the cache, each key once.
pub static CACHE: CounterVec<3> = CounterVec::new(
    "w2meet_cache_requests",
    "Keys that were looked up in the cache. away: the cache could not be asked",
    &[("result", &["hit", "miss", "away"])],
);

/// Calls between roles that were made once more.
pub static RETRIES: CounterVec<3> = CounterVec::new(
    "w2meet_retries",
    "Calls made once more. unsent: nobody had seen it; broken: the connection ended before an answer; slow: another replica was \
     asked, too",
    &[("reason", &["unsent", "broken", "slow"])],
);
