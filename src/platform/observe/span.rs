//! What is recorded of a step: its name and attributes by OpenTelemetry's conventions. Made only where the step is exported.

use std::borrow::Cow;
use std::time::{Instant, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::otlp;
use crate::platform::observe::trace_context::TraceContext;

/// A step as it is told.
pub struct SpanRecord {
    kind: SpanKind,
    name: Cow<'static, str>,
    attributes: Vec<KeyValue>,
    error: Option<Cow<'static, str>>,
}

/// The step that a call or a message is: one of its own where it is recorded, else the step that it is made in.
pub fn outgoing(within: &TraceContext) -> TraceContext {
    if is_recorded(within) { within.child() } else { within.clone() }
}

/// Whether steps of this trace are exported; what is said of one that is not would be work for nobody.
pub fn is_recorded(trace: &TraceContext) -> bool {
    otlp::is_on() && trace.is_sampled()
}

/// Records a step of `role`, for this case, that began then and ends now.
pub fn record(role: &str, case_id: &str, trace: &TraceContext, begin: Instant, step: SpanRecord) {
    let SpanRecord { kind, name, mut attributes, error } = step;
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
    otlp::take(
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

    /// A request that was answered. That the caller was wrong is no error of whoever answers.
    pub fn server(method: &'static str, route: Option<&'static str>, path: &str, status: u16) -> SpanRecord {
        let verb = if method == "_OTHER" { "HTTP" } else { method };
        let step = match route {
            Some(route) => SpanRecord::new(SpanKind::Server, format!("{verb} {route}")).with("http.route", route),
            None => SpanRecord::new(SpanKind::Server, verb),
        };
        let step = step.with("http.request.method", method).with("url.scheme", "http");
        let step = step.with("url.path", path.to_owned()).with("http.response.status_code", i64::from(status));
        step.failed((status >= 500).then(|| status.to_string()))
    }

    /// A call to `peer` at this base URL that came to this: a status, or what went wrong. `again`: how often it was made before.
    pub fn client(method: &str, peer: &str, url: String, again: usize, outcome: Result<u16, String>) -> SpanRecord {
        let step = SpanRecord::new(SpanKind::Client, method.to_owned())
            .with("http.request.method", method.to_owned())
            .with("peer.service", peer.to_owned());
        let address = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        let step = step.with("server.address", host.to_owned());
        let step = match port.parse::<i64>() {
            Ok(port) => step.with("server.port", port),
            Err(_) => step,
        };
        let step = step.with("url.full", url);
        let step = if again > 0 { step.with("http.request.resend_count", again as i64) } else { step };
        match outcome {
            Ok(status) => {
                let error = (status >= 400).then(|| status.to_string());
                step.with("http.response.status_code", i64::from(status)).failed(error)
            }
            Err(error) => step.failed(Some(error)),
        }
    }

    /// A message on its way to `destination`.
    pub fn send(system: &'static str, destination: &str, id: &str, error: Option<String>) -> SpanRecord {
        SpanRecord::message(SpanKind::Producer, "send", system, destination)
            .with("messaging.message.id", id.to_owned())
            .failed(error)
    }

    /// A message that was worked on.
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
