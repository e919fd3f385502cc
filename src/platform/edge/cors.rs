//! CORS: which origins may call the API from a browser (the Fetch standard).

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const SENT: &str =
    "Authorization, Content-Type, Case-ID, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, traceparent";
const READ: &str = "Case-ID, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After";
/// What a preflight response varies by.
const VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The allowed origins. Credentials mode is never allowed: callers send their token explicitly.
pub struct CorsPolicy(Vec<String>);

impl CorsPolicy {
    /// These origins, or `None` if the list is empty; `*` allows every origin.
    pub fn new(allowed: Vec<String>) -> Option<CorsPolicy> {
        (!allowed.is_empty()).then_some(CorsPolicy(allowed))
    }

    /// The value of `Access-Control-Allow-Origin`; `None` for an origin that is not allowed.
    fn echo(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.0.iter().any(|one| one == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.0.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// The response to a preflight request.
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

    /// Adds the CORS headers of an ordinary response.
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
