//! Steps of traces to whoever collects them: OpenTelemetry's protocol over HTTP, in batches, by threads of its own.
//!
//! Whoever answers a request hands a step over and goes on: a collector that is slow or away costs steps, which are counted, and
//! neither time nor memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::{KeyValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter as Wire, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor as _};

use super::http_client::OtlpHttpClient;
use crate::config::Telemetry;
use crate::platform::observe::metrics::{SpanOutcome, count_spans, register_spans};

/// Steps of one role that may wait to be sent.
const WAITING: usize = 2048;
/// How long they wait for company, and how many are worth a request.
const GATHER: Duration = Duration::from_secs(1);
const BATCH: usize = 512;
/// How long a collector may take over a batch; also how long the end of the process waits for the last ones.
const PATIENCE: Duration = Duration::from_secs(3);

static SINK: OnceLock<Sink> = OnceLock::new();

/// Where steps go, once exporting has begun.
struct Sink {
    /// For each role of this process, as a service of its own.
    ways: Vec<ServiceExporter>,
    /// Of all 64-bit numbers, those below it are drawn.
    share: u64,
}

struct ServiceExporter {
    role: &'static str,
    batches: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
}

/// Begins to export, if the settings say where to.
///
/// # Errors
/// An endpoint or headers that make no sense.
pub fn start(settings: &Telemetry, roles: impl Iterator<Item = &'static str>) -> anyhow::Result<()> {
    let base = settings.otlp_endpoint.trim_end_matches('/');
    if base.is_empty() {
        return Ok(());
    }
    let endpoint = if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") };
    let headers = headers(settings.otlp_headers.expose())?;
    let post = Arc::new(OtlpHttpClient::start(PATIENCE)?);
    let open = |role| {
        let wire = Wire::builder()
            .with_http()
            .with_shared_http_client(Arc::clone(&post) as Arc<_>)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&endpoint)
            .with_timeout(PATIENCE)
            .with_headers(headers.clone())
            .build()
            .context("telemetry.otlp_endpoint")?;
        let waiting = Arc::<AtomicUsize>::default();
        let exporter = CountingExporter { wire, waiting: Arc::clone(&waiting) };
        // with room for what is on its way: what is too much is refused, and counted, before it
        let limits = BatchConfigBuilder::default().with_max_queue_size(2 * WAITING).with_scheduled_delay(GATHER);
        let mut batches = BatchSpanProcessor::new(exporter, limits.with_max_export_batch_size(BATCH).build());
        batches.set_resource(&resource(role));
        anyhow::Ok(ServiceExporter { role, batches, waiting })
    };
    let ways = roles.map(open).collect::<Result<Vec<_>, _>>()?;
    // a float that is too large becomes the largest number
    let share = (settings.sample_ratio * 2f64.powi(64)) as u64;
    // a second start in the same process finds the first one's
    let _: Result<(), _> = SINK.set(Sink { ways, share });
    register_spans();
    tracing::info!(endpoint, "traces are exported");
    Ok(())
}

/// From `name=value,name=value`.
fn headers(text: &str) -> anyhow::Result<HashMap<String, String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read = |part: &str| {
        // what it says may be a secret
        let (name, value) =
            part.split_once('=').context("telemetry.otlp_headers: write name=value, with commas between")?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    parts.map(read).collect()
}

fn resource(role: &str) -> Resource {
    let about = [
        ("service.name", format!("w2meet-{role}")),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", uuid::Uuid::now_v7().to_string()),
    ];
    let about = about.map(|(key, value)| KeyValue::new(key, Value::from(value)));
    Resource::builder_empty().with_attributes(about).build()
}

/// Whether steps are exported at all.
pub fn is_on() -> bool {
    SINK.get().is_some()
}

/// Whether a trace that begins here is one of those that are recorded.
pub fn is_drawn(trace: u128) -> bool {
    SINK.get().is_some_and(|sink| sink.share == u64::MAX || (trace as u64) < sink.share)
}

/// Takes a step of a role; loses it when too many wait.
pub fn take(role: &str, step: SpanData) {
    let Some(way) = SINK.get().and_then(|sink| sink.ways.iter().find(|way| way.role == role)) else { return };
    if way.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
        way.waiting.fetch_sub(1, Ordering::Relaxed);
        count_spans(SpanOutcome::Lost, 1);
        return;
    }
    way.batches.on_end(step);
}

/// Sends what still waits, within some seconds; blocks meanwhile.
pub fn finish() {
    let Some(sink) = SINK.get() else { return };
    std::thread::scope(|scope| {
        for way in &sink.ways {
            // what a collector that is away does not take is lost
            scope.spawn(|| drop(way.batches.shutdown_with_timeout(PATIENCE)));
        }
    });
}

/// Counts what becomes of spans.
#[derive(Debug)]
struct CountingExporter {
    wire: Wire,
    waiting: Arc<AtomicUsize>,
}

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let outcome = self.wire.export(batch).await;
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        count_spans(if outcome.is_ok() { SpanOutcome::Sent } else { SpanOutcome::Lost }, count);
        if let Err(why) = &outcome {
            tracing::debug!(%why, count, "the collector did not take a batch of steps");
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.wire.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.wire.set_resource(resource);
    }
}
