//! Prometheus metrics. Code counts where something happens; the page at `/metrics` is encoded when it is read.
//!
//! Every label has a fixed set of values, or as many as are configured, so that no client can create series.

mod collector;
mod requests;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry};

use crate::platform::balancer::AddressBook;
use collector::Collector;
pub use requests::{RequestMetrics, Template, method_label, resource};

/// The metrics of this process, beside those that [`collector`] computes for each page.
static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The page of metrics.
pub struct MetricsPage {
    computed: Registry,
}

impl MetricsPage {
    /// A page of this process; `book` lists the roles that the process calls.
    pub fn new(book: Arc<AddressBook>) -> MetricsPage {
        LazyLock::force(&RETRIES);
        MetricsPage { computed: Collector::registry(book) }
    }

    /// The page in the OpenMetrics format.
    ///
    /// # Errors
    /// A metric that cannot be encoded.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut page = String::new();
        encode_registry(&mut page, &self.computed)?;
        encode_registry(&mut page, &registry())?;
        encode_eof(&mut page)?;
        Ok(page)
    }
}

/// Puts a metric on the page of this process. Call it once for each name, such as in the initializer of a `LazyLock`.
pub fn register(name: &str, help: &str, metric: impl Metric) {
    registry().register(name, help, metric);
}

/// Registers a counter with these series, all of them at zero. The page adds `_total` to the name.
pub fn register_counters<L>(name: &str, help: &str, series: impl IntoIterator<Item = L>) -> Family<L, Counter>
where
    L: Clone + Debug + Eq + Hash + EncodeLabelSet + Send + Sync + 'static,
{
    let family = Family::default();
    for labels in series {
        let _zero: Counter = family.get_or_create_owned(&labels);
    }
    register(name, help, family.clone());
    family
}

/// Defines an enum whose variants are the values of a label.
macro_rules! label_values {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            const ALL: &[$name] = &[$($name::$variant),+];
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
                match self {
                    $($name::$variant => $text,)+
                }
                .encode(encoder)
            }
        }
    };
}

label_values! {
    /// The result of a look-up in the cache.
    CacheResult {
        /// The cache has the key.
        Hit => "hit",
        /// The cache has no value for the key.
        Miss => "miss",
        /// The cache was unavailable.
        Unavailable => "away",
    }
}

label_values! {
    /// The reason of a second call to a role.
    RetryReason {
        /// No replica had received the request.
        NotSent => "unsent",
        /// The connection ended before a response.
        Reset => "broken",
        /// The response was slow: another replica was called as well.
        Slow => "slow",
    }
}

label_values! {
    /// What became of a span.
    SpanOutcome {
        /// The collector took it.
        Sent => "sent",
        /// The collector did not take it, or too many spans waited.
        Lost => "lost",
    }
}

/// The label of a counter with one label.
type Label<V> = [(&'static str, V); 1];

static CACHE: LazyLock<Family<Label<CacheResult>, Counter>> = LazyLock::new(|| {
    let help = "Keys that were looked up in the cache. away: the cache was unavailable";
    register_counters("w2meet_cache_requests", help, CacheResult::ALL.iter().map(|result| [("result", *result)]))
});

static RETRIES: LazyLock<Family<Label<RetryReason>, Counter>> = LazyLock::new(|| {
    let help = "Calls made once more. unsent: no replica had received the request; broken: the connection ended before a \
                response; slow: another replica was called as well";
    register_counters("w2meet_retries", help, RetryReason::ALL.iter().map(|reason| [("reason", *reason)]))
});

static SPANS: LazyLock<Family<Label<SpanOutcome>, Counter>> = LazyLock::new(|| {
    let help = "Spans for export. lost: the collector did not take them, or too many waited";
    register_counters("w2meet_spans", help, SpanOutcome::ALL.iter().map(|outcome| [("outcome", *outcome)]))
});

/// Puts the counters of look-ups on the page, at zero.
pub fn register_lookups() {
    LazyLock::force(&CACHE);
}

/// Puts the counters of spans on the page, at zero.
pub fn register_spans() {
    LazyLock::force(&SPANS);
}

/// Counts keys that were looked up in the cache.
pub fn count_lookups(result: CacheResult, keys: usize) {
    if keys > 0 {
        CACHE.get_or_create(&[("result", result)]).inc_by(keys as u64);
    }
}

/// Counts a call to a role that was made once more.
pub fn count_retry(reason: RetryReason) {
    RETRIES.get_or_create(&[("reason", reason)]).inc();
}

/// Counts spans that were exported or lost.
pub fn count_spans(outcome: SpanOutcome, spans: usize) {
    SPANS.get_or_create(&[("outcome", outcome)]).inc_by(spans as u64);
}
