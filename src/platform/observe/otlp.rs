//! Exports spans by OTLP over HTTP, in batches, on threads of its own.
//!
//! A request never waits for the export. A collector that is slow or unavailable loses spans, which are counted; it costs
//! neither time nor memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::{KeyValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor as _};

use super::http_client::OtlpHttpClient;
use crate::config::Settings;
use crate::platform::observe::metrics::{SpanOutcome, count_spans, register_spans};

/// Spans of one role that may wait for export.
const MAX_WAITING: usize = 2048;
/// How long spans wait for a larger batch, and the largest batch.
const BATCH_DELAY: Duration = Duration::from_secs(1);
const BATCH: usize = 512;
/// The timeout of one export; also how long the process waits for the last spans when it ends.
const TIMEOUT: Duration = Duration::from_secs(3);

static EXPORT: OnceLock<Export> = OnceLock::new();

/// The exporters of this process.
struct Export {
    /// One for each role: each role is a service of its own.
    services: Vec<ServiceExporter>,
    /// Traces whose low 64 bits are below this are sampled.
    sample_below: u64,
}

struct ServiceExporter {
    role: &'static str,
    batches: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
}

/// Starts the export, if the settings name an endpoint.
///
/// # Errors
/// An invalid endpoint, invalid headers, and authorities that cannot be read.
pub fn start(settings: &Settings, roles: impl Iterator<Item = &'static str>) -> anyhow::Result<()> {
    let (settings, tls) = (&settings.telemetry, &settings.tls);
    if settings.otlp_endpoint.is_empty() {
        return Ok(());
    }
    let endpoint = endpoint(settings.otlp_endpoint.expose());
    let headers = parse_headers(settings.otlp_headers.expose())?;
    let client = Arc::new(OtlpHttpClient::start(tls, TIMEOUT)?);
    let open = |role| {
        let inner = OtlpExporter::builder()
            .with_http()
            .with_shared_http_client(Arc::clone(&client) as Arc<_>)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&endpoint)
            .with_timeout(TIMEOUT)
            .with_headers(headers.clone())
            .build()
            .context("telemetry.otlp_endpoint")?;
        let waiting = Arc::<AtomicUsize>::default();
        let exporter = CountingExporter { inner, waiting: Arc::clone(&waiting) };
        // twice the limit, for spans that are being sent: `export` enforces the limit and counts what is lost
        let limits =
            BatchConfigBuilder::default().with_max_queue_size(2 * MAX_WAITING).with_scheduled_delay(BATCH_DELAY);
        let mut batches = BatchSpanProcessor::new(exporter, limits.with_max_export_batch_size(BATCH).build());
        batches.set_resource(&resource(role));
        anyhow::Ok(ServiceExporter { role, batches, waiting })
    };
    let services = roles.map(open).collect::<Result<Vec<_>, _>>()?;
    // the cast saturates
    let sample_below = (settings.sample_ratio * 2f64.powi(64)) as u64;
    // a second start in the same process keeps the first exporters
    let _: Result<(), _> = EXPORT.set(Export { services, sample_below });
    register_spans();
    tracing::info!(endpoint = %settings.otlp_endpoint, "traces are exported");
    Ok(())
}

/// The address of the collector for traces, with the query of the configured one.
fn endpoint(configured: &str) -> String {
    let (base, query) = configured.split_at(configured.find('?').unwrap_or(configured.len()));
    let base = base.trim_end_matches('/').trim_end_matches("/v1/traces");
    format!("{base}/v1/traces{query}")
}

/// Parses `name=value,name=value`.
fn parse_headers(text: &str) -> anyhow::Result<HashMap<String, String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read = |part: &str| {
        // the error does not quote the text: it may be a secret
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

/// Whether spans are exported at all.
pub fn is_enabled() -> bool {
    EXPORT.get().is_some()
}

/// Whether a new trace with this id is sampled.
pub fn samples(trace: u128) -> bool {
    EXPORT.get().is_some_and(|export| export.sample_below == u64::MAX || (trace as u64) < export.sample_below)
}

/// Queues a span of a role; drops it when too many wait.
pub fn export(role: &str, span: SpanData) {
    let Some(service) = EXPORT.get().and_then(|export| export.services.iter().find(|one| one.role == role)) else {
        return;
    };
    if service.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
        service.waiting.fetch_sub(1, Ordering::Relaxed);
        count_spans(SpanOutcome::Lost, 1);
        return;
    }
    service.batches.on_end(span);
}

/// Sends the spans that wait; blocks until then, or until the timeout.
pub fn flush() {
    let Some(export) = EXPORT.get() else { return };
    std::thread::scope(|scope| {
        for service in &export.services {
            // spans that the collector does not take are lost
            scope.spawn(|| drop(service.batches.shutdown_with_timeout(TIMEOUT)));
        }
    });
}

/// Exports spans and counts the outcome.
#[derive(Debug)]
struct CountingExporter {
    inner: OtlpExporter,
    waiting: Arc<AtomicUsize>,
}

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let outcome = self.inner.export(batch).await;
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        count_spans(if outcome.is_ok() { SpanOutcome::Sent } else { SpanOutcome::Lost }, count);
        if let Err(why) = &outcome {
            tracing::debug!(%why, count, "the collector did not take a batch of spans");
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
