//! Which web pages elsewhere may call the API from their scripts (the Fetch standard's CORS).

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const SENT: &str =
    "Authorization, Content-Type, Case-ID, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, traceparent";
const READ: &str = "Case-ID, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After";
/// What a preflight's answer depends on.
const VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The origins that may. Nothing here is allowed with credentials: callers send their token themselves.
pub struct CorsPolicy(Vec<String>);

impl CorsPolicy {
    /// These, or none; `*` is everybody.
    pub fn new(allowed: Vec<String>) -> Option<CorsPolicy> {
        (!allowed.is_empty()).then_some(CorsPolicy(allowed))
    }

    /// What an allowed origin is told; whose origin is not allowed is told nothing.
    fn echo(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.0.iter().any(|one| one == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.0.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// The answer to a browser that asks beforehand.
    pub fn preflight(&self, head: &RequestHead) -> Option<HttpResponse> {
        let asked = head.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
        let origin = head.headers.get(header::ORIGIN).filter(|_| head.method == Method::OPTIONS && asked.is_some())?;
        let mut answer = HttpResponse::NoContent();
        answer.insert_header((header::VARY, VARY));
        if let Some(origin) = self.echo(origin) {
            answer
                .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin))
                .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
                .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT))
                .insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"));
        }
        Some(answer.finish())
    }

    /// What an ordinary answer to `origin` says.
    pub fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !headers.get_all(header::VARY).any(|vary| vary.as_bytes().starts_with(b"Origin")) {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin.and_then(|origin| self.echo(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
        }
    }
}
