//! Spans for export, with names and attributes by OpenTelemetry's semantic conventions. Created only when the span is exported.

use std::borrow::Cow;
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::otlp;
use crate::platform::observe::trace_context::TraceContext;

/// The name and attributes of a span.
pub struct SpanRecord {
    kind: SpanKind,
    name: Cow<'static, str>,
    attributes: Vec<KeyValue>,
    error: Option<Cow<'static, str>>,
}

/// The span of an outgoing call or message: a child where spans are exported, else the current span itself.
pub fn outgoing(current: &TraceContext) -> TraceContext {
    if is_recorded(current) { current.child() } else { current.clone() }
}

/// Whether spans of this trace are exported. Callers build a [`SpanRecord`] only then.
pub fn is_recorded(trace: &TraceContext) -> bool {
    otlp::is_enabled() && trace.is_sampled()
}

/// Exports a span of `role` that began at `begin` and ends now.
pub fn record(role: &str, case_id: &str, trace: &TraceContext, begin: Instant, span: SpanRecord) {
    let SpanRecord { kind, name, mut attributes, error } = span;
    attributes.push(KeyValue::new("w2meet.case_id", case_id.to_owned()));
    let status = match error {
        Some(error) => {
            attributes.push(KeyValue::new("error.type", Value::from(error.into_owned())));
            Status::error("")
        }
        None => Status::Unset,
    };
    let id = TraceId::from_hex(trace.id()).unwrap_or(TraceId::INVALID);
    let context = SpanContext::new(id, SpanId::from(trace.span()), TraceFlags::SAMPLED, false, TraceState::default());
    let end_time = SystemTime::now();
    let remote = matches!(kind, SpanKind::Server | SpanKind::Consumer);
    otlp::export(
        role,
        SpanData {
            span_context: context,
            parent_span_id: SpanId::from(trace.parent()),
            parent_span_is_remote: remote,
            span_kind: kind,
            name,
            start_time: end_time.checked_sub(begin.elapsed()).unwrap_or(end_time),
            end_time,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: InstrumentationScope::builder("w2meet").build(),
        },
    );
}

impl SpanRecord {
    fn new(kind: SpanKind, name: impl Into<Cow<'static, str>>) -> SpanRecord {
        SpanRecord { kind, name: name.into(), attributes: Vec::new(), error: None }
    }

    fn with(mut self, key: &'static str, value: impl Into<Value>) -> SpanRecord {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    fn failed(self, error: Option<String>) -> SpanRecord {
        SpanRecord { error: error.map(Cow::Owned), ..self }
    }

    /// A request that this role answered. A 4xx status is no error of a server span.
    pub fn server(method: &'static str, route: Option<&'static str>, path: &str, status: u16) -> SpanRecord {
        let verb = if method == "_OTHER" { "HTTP" } else { method };
        let span = match route {
            Some(route) => SpanRecord::new(SpanKind::Server, format!("{verb} {route}")).with("http.route", route),
            None => SpanRecord::new(SpanKind::Server, verb),
        };
        let span = span.with("http.request.method", method).with("url.scheme", "http");
        let span = span.with("url.path", path.to_owned()).with("http.response.status_code", i64::from(status));
        span.failed((status >= 500).then(|| status.to_string()))
    }

    /// A call to `peer` at this URL. `outcome` is the status or the error; `resends` counts earlier attempts.
    pub fn client(method: &str, peer: &str, url: String, resends: usize, outcome: Result<u16, String>) -> SpanRecord {
        let span = SpanRecord::new(SpanKind::Client, method.to_owned())
            .with("http.request.method", method.to_owned())
            .with("peer.service", peer.to_owned());
        let address = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let span = span.with("server.address", host.to_owned());
        let span = match port.parse::<i64>() {
            Ok(port) => span.with("server.port", port),
            Err(_) => span,
        };
        let span = span.with("url.full", url);
        let span = if resends > 0 { span.with("http.request.resend_count", resends as i64) } else { span };
        match outcome {
            Ok(status) => {
                let error = (status >= 400).then(|| status.to_string());
                span.with("http.response.status_code", i64::from(status)).failed(error)
            }
            Err(error) => span.failed(Some(error)),
        }
    }

    /// A message that was published to `destination`.
    pub fn send(system: &'static str, destination: &str, id: &str, error: Option<String>) -> SpanRecord {
        SpanRecord::message(SpanKind::Producer, "send", system, destination)
            .with("messaging.message.id", id.to_owned())
            .failed(error)
    }

    /// A message that was processed.
    pub fn process(system: &'static str, destination: &str, error: Option<String>) -> SpanRecord {
        SpanRecord::message(SpanKind::Consumer, "process", system, destination).failed(error)
    }

    fn message(kind: SpanKind, what: &'static str, system: &'static str, destination: &str) -> SpanRecord {
        SpanRecord::new(kind, format!("{what} {destination}"))
            .with("messaging.system", system)
            .with("messaging.operation.name", what)
            .with("messaging.operation.type", what)
            .with("messaging.destination.name", destination.to_owned())
    }
}
