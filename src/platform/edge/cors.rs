//! CORS: which origins may call the API from a browser (the Fetch standard).

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Case-ID, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, On-Behalf-Of, traceparent";
const EXPOSED_HEADERS: &str =
    "Case-ID, ETag, Idempotency-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After";
/// The request headers that a preflight response depends on.
const VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The allowed origins. Credentials mode is never allowed: callers send their token explicitly.
pub struct CorsPolicy(Vec<String>);

impl CorsPolicy {
    /// These origins, or `None` if the list is empty; `*` allows every origin.
    pub fn new(allowed: Vec<String>) -> Option<CorsPolicy> {
        (!allowed.is_empty()).then_some(CorsPolicy(allowed))
    }

    /// The value of `Access-Control-Allow-Origin`; `None` for an origin that is not allowed.
    fn allow_origin(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.0.iter().any(|one| one == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.0.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// The response to a preflight request.
    pub fn preflight(&self, head: &RequestHead) -> Option<HttpResponse> {
        let requested = head.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
        let origin =
            head.headers.get(header::ORIGIN).filter(|_| head.method == Method::OPTIONS && requested.is_some())?;
        let mut response = HttpResponse::NoContent();
        response.insert_header((header::VARY, VARY));
        if let Some(origin) = self.allow_origin(origin) {
            response
                .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin))
                .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS))
                .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
                .insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"));
        }
        Some(response.finish())
    }

    /// Adds the CORS headers of an ordinary response.
    pub fn add_headers(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !headers.get_all(header::VARY).any(|vary| vary.as_bytes().starts_with(b"Origin")) {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin.and_then(|origin| self.allow_origin(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
        }
    }
}
