//! The Case-ID: the request id that follows a request through every hop and log line.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::task::futures::TaskLocalFuture;

use crate::platform::observe::trace_context::TraceContext;

/// The header it travels in.
pub static CASE_ID: HeaderName = CASE_ID_NAME;
const CASE_ID_NAME: HeaderName = HeaderName::from_static("case-id");

/// The header by which a role tells another how long it will wait, in milliseconds; nobody outside may say so.
pub static PATIENCE: HeaderName = HeaderName::from_static("request-timeout-ms");

/// Names that it may come under, the first one present counts.
static NAMES: [HeaderName; 3] = [CASE_ID_NAME, HeaderName::from_static("cid"), HeaderName::from_static("x-request-id")];

tokio::task_local! { static CURRENT: Arc<RequestContext>; }

/// The case that the current work belongs to.
#[derive(Debug)]
pub struct RequestContext {
    id: HeaderValue,
    /// The step of a trace that this role's work on it is.
    pub trace: TraceContext,
    /// The role that works on it here.
    pub role: &'static str,
    /// Whether that role is the one that clients call.
    pub outer: bool,
    /// When this role took it up.
    pub started: Instant,
    /// How long its caller waits.
    patience: Option<Duration>,
    /// What it was asked with, for the roles that are called on the way: the one that owns the data looks at it again.
    authorization: Option<HeaderValue>,
}

impl RequestContext {
    /// Takes the id from the headers if it is tidy (`[A-Za-z0-9._~-]{1,64}`, and only one), else makes a UUIDv7.
    pub fn read(headers: &HeaderMap, role: &'static str, outer: bool) -> Arc<RequestContext> {
        let given = NAMES.iter().find(|name| headers.contains_key(*name)).and_then(|name| {
            let mut values = headers.get_all(name);
            values.next().filter(|value| is_tidy(value.as_bytes()) && values.next().is_none())
        });
        let id = given.cloned().unwrap_or_else(fresh_id);
        let told = if outer { None } else { headers.get(&PATIENCE) };
        let told = told.and_then(|value| value.to_str().ok()?.parse().ok());
        let mut authorization = headers.get(AUTHORIZATION).cloned();
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let (trace, patience) = (TraceContext::read(headers), told.map(Duration::from_millis));
        Arc::new(RequestContext { id, trace, role, outer, started: Instant::now(), patience, authorization })
    }

    /// Work that no request asked for.
    pub fn fresh(role: &'static str) -> Arc<RequestContext> {
        RequestContext::unasked(fresh_id(), TraceContext::new_root(), role)
    }

    /// Work that goes back to an earlier request; id and trace are new ones where they are not tidy.
    pub fn resumed(id: &str, traceparent: &str, role: &'static str) -> Arc<RequestContext> {
        let id = HeaderValue::from_str(id).ok().filter(|id| is_tidy(id.as_bytes()));
        RequestContext::unasked(id.unwrap_or_else(fresh_id), TraceContext::resume(traceparent), role)
    }

    fn unasked(id: HeaderValue, trace: TraceContext, role: &'static str) -> Arc<RequestContext> {
        let started = Instant::now();
        Arc::new(RequestContext { id, trace, role, outer: false, started, patience: None, authorization: None })
    }

    /// Looks at the case that this code works for; at a fresh one outside of any.
    pub fn with<T>(look: impl Fn(&RequestContext) -> T) -> T {
        CURRENT.try_with(|case| look(case)).unwrap_or_else(|_| look(&RequestContext::fresh("w2meet")))
    }

    /// The case that this code works for; a fresh one outside of any.
    pub fn current() -> Arc<RequestContext> {
        CURRENT.try_with(Arc::clone).unwrap_or_else(|_| RequestContext::fresh("w2meet"))
    }

    /// The id of the case that this code works for.
    pub fn current_id() -> String {
        RequestContext::with(|case| case.id().to_owned())
    }

    /// The step that this code is part of, as messages and rows keep it.
    pub fn current_trace() -> String {
        RequestContext::with(|case| case.trace.text().to_owned())
    }

    /// Runs `work` as part of this case.
    pub fn scope<F: Future>(self: Arc<Self>, work: F) -> TaskLocalFuture<Arc<RequestContext>, F> {
        CURRENT.scope(self, work)
    }

    /// The id as text.
    pub fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The id as a header's value.
    pub fn header(&self) -> HeaderValue {
        self.id.clone()
    }

    /// What it was asked with.
    pub fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// What is left of the time that the caller waits, and never more than `most`.
    pub fn patience(&self, most: Duration) -> Duration {
        self.patience.map_or(most, |all| all.saturating_sub(self.started.elapsed()).min(most))
    }

    /// Milliseconds since this role took it up, to the microsecond.
    pub fn elapsed_ms(&self) -> f64 {
        milliseconds(self.started)
    }
}

/// Milliseconds since then, to the microsecond.
pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_micros() as f64 / 1000.0
}

/// A UUIDv7 (RFC 9562, 5.7): when, and 74 random bits.
fn fresh_id() -> HeaderValue {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut drawn = [0; 10];
    rand::fill(&mut drawn);
    let id = uuid::Builder::from_unix_timestamp_millis(since.as_millis() as u64, &drawn).into_uuid();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
        .unwrap_or(HeaderValue::from_static("none"))
}

fn is_tidy(value: &[u8]) -> bool {
    (1..=64).contains(&value.len()) && value.iter().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(b))
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
    fn a_tidy_id_is_kept_under_each_of_its_names() {
        for name in ["case-id", "cid", "x-request-id"] {
            assert_eq!(id_for(&[(name, "order-66_a.b~c")]), "order-66_a.b~c");
        }
        assert_eq!(id_for(&[("x-request-id", "late"), ("case-id", "early")]), "early");
    }

    #[test]
    fn an_untidy_id_is_replaced_not_refused() {
        for untidy in ["", "a b", "<script>", "a,b", "\u{e9}", &"x".repeat(65)] {
            let id = id_for(&[("case-id", untidy)]);
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{untidy:?} gave {id}");
        }
        assert_ne!(id_for(&[("case-id", "one"), ("case-id", "two")]), "one");
    }
}
