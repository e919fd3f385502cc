//! The context of a request: Case-ID, trace, deadline and authorization, which follow it through every hop and log line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::task::futures::TaskLocalFuture;

use crate::platform::case_id;
use crate::platform::observe::trace_context::TraceContext;

/// The header with the caller's timeout in milliseconds. It is ignored from outside.
pub static REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("request-timeout-ms");

/// The header with the user on whose behalf an API key acts.
pub static ON_BEHALF_OF: HeaderName = HeaderName::from_static("on-behalf-of");

tokio::task_local! { static CURRENT: Arc<RequestContext>; }

/// The context of the current request.
#[derive(Debug)]
pub struct RequestContext {
    id: HeaderValue,
    /// The span of this role's work.
    pub trace: TraceContext,
    /// The role that handles the request here.
    pub role: &'static str,
    /// Whether clients call that role.
    pub is_edge: bool,
    /// Start of this role's work.
    pub started: Instant,
    /// Timeout of the caller.
    timeout: Option<Duration>,
    /// Authorization of the request, passed on to called roles: the owner of the data verifies it again.
    authorization: Option<HeaderValue>,
    /// The user on whose behalf the request is sent, passed on with the authorization.
    on_behalf_of: Option<HeaderValue>,
}

impl RequestContext {
    /// Reads the context from headers. An id is used if it matches `[A-Za-z0-9._~-]{1,64}` and is the only one; otherwise it is
    /// a new UUIDv7.
    pub fn read(headers: &HeaderMap, role: &'static str, is_edge: bool) -> Arc<RequestContext> {
        let id = case_id::read(headers).unwrap_or_else(case_id::new);
        let timeout = if is_edge { None } else { headers.get(&REQUEST_TIMEOUT) };
        let timeout = timeout.and_then(|value| value.to_str().ok()?.parse().ok());
        let mut authorization = headers.get(AUTHORIZATION).cloned();
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let (trace, timeout) = (TraceContext::read(headers), timeout.map(Duration::from_millis));
        let (started, on_behalf_of) = (Instant::now(), headers.get(&ON_BEHALF_OF).cloned());
        Arc::new(RequestContext { id, trace, role, is_edge, started, timeout, authorization, on_behalf_of })
    }

    /// A context for work without a request.
    pub fn new(role: &'static str) -> Arc<RequestContext> {
        RequestContext::without_request(case_id::new(), TraceContext::new_root(), role)
    }

    /// A context for work that continues an earlier request; an invalid id or trace is replaced.
    pub fn resume(id: &str, traceparent: &str, role: &'static str) -> Arc<RequestContext> {
        let id = HeaderValue::from_str(id).ok().filter(case_id::is_valid);
        RequestContext::without_request(id.unwrap_or_else(case_id::new), TraceContext::resume(traceparent), role)
    }

    fn without_request(id: HeaderValue, trace: TraceContext, role: &'static str) -> Arc<RequestContext> {
        let started = Instant::now();
        Arc::new(RequestContext {
            id,
            trace,
            role,
            is_edge: false,
            started,
            timeout: None,
            authorization: None,
            on_behalf_of: None,
        })
    }

    /// Reads the current context; outside of a request, a new one.
    pub fn with<T>(look: impl Fn(&RequestContext) -> T) -> T {
        CURRENT.try_with(|case| look(case)).unwrap_or_else(|_| look(&RequestContext::new("w2meet")))
    }

    /// The current context; outside of a request, a new one.
    pub fn current() -> Arc<RequestContext> {
        CURRENT.try_with(Arc::clone).unwrap_or_else(|_| RequestContext::new("w2meet"))
    }

    /// The Case-ID of the current context.
    pub fn current_id() -> String {
        RequestContext::with(|case| case.id().to_owned())
    }

    /// The current span as a traceparent, for messages and rows.
    pub fn current_trace() -> String {
        RequestContext::with(|case| case.trace.text().to_owned())
    }

    /// Runs a future in this context.
    pub fn scope<F: Future>(self: Arc<Self>, work: F) -> TaskLocalFuture<Arc<RequestContext>, F> {
        CURRENT.scope(self, work)
    }

    /// The Case-ID as text.
    pub fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The Case-ID as a header value.
    pub fn header(&self) -> HeaderValue {
        self.id.clone()
    }

    /// The authorization of the request.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// The user on whose behalf the request is sent.
    pub fn on_behalf_of(&self) -> Option<&HeaderValue> {
        self.on_behalf_of.as_ref()
    }

    /// The time left until the caller's deadline, and at most `limit`.
    pub fn time_left(&self, limit: Duration) -> Duration {
        self.timeout.map_or(limit, |timeout| timeout.saturating_sub(self.started.elapsed()).min(limit))
    }

    /// Milliseconds since the start of this role's work, with microsecond precision.
    pub fn elapsed_ms(&self) -> f64 {
        milliseconds(self.started)
    }
}

/// Milliseconds since an instant, with microsecond precision.
pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::RequestContext;

    fn id_for(given: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).unwrap_or(HeaderValue::from_static("?")),
            );
        }
        RequestContext::read(&headers, "gateway", true).id().to_owned()
    }

    #[test]
    fn a_valid_id_is_kept_under_each_header_name() {
        for name in ["case-id", "cid", "x-request-id"] {
            assert_eq!(id_for(&[(name, "order-66_a.b~c")]), "order-66_a.b~c");
        }
        assert_eq!(id_for(&[("x-request-id", "late"), ("case-id", "early")]), "early");
    }

    #[test]
    fn an_invalid_id_is_replaced_and_not_refused() {
        for invalid in ["", "a b", "<script>", "a,b", "\u{e9}", &"x".repeat(65)] {
            let id = id_for(&[("case-id", invalid)]);
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{invalid:?} gave {id}");
        }
        assert_ne!(id_for(&[("case-id", "one"), ("case-id", "two")]), "one");
    }
}
