//! One request to another role.

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use bytes::Bytes;
use serde::Serialize;

use crate::platform::http::problem::Problem;

/// Header fields in pool format, each with its line end.
#[derive(Clone, Debug, Default)]
pub struct RawHeaders(Vec<u8>);

impl RawHeaders {
    /// An empty list with capacity for the fields of most requests.
    pub fn with_default_capacity() -> RawHeaders {
        RawHeaders(Vec::with_capacity(1 << 10))
    }

    /// Appends a field; the name must be lower case.
    pub fn push(&mut self, name: &str, value: &HeaderValue) {
        push_field(&mut self.0, name, value.as_bytes());
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends a field; the value must be valid in a header.
pub(super) fn push_field(fields: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        fields.extend_from_slice(part);
    }
}

/// One request to another role.
pub struct RpcRequest {
    pub(super) method: Method,
    pub(super) path: String,
    /// Its own header fields.
    pub headers: RawHeaders,
    /// Authorization that replaces the one of the current request.
    pub(super) bearer: Option<HeaderValue>,
    /// The body, in the parts in which it arrived.
    pub body: Option<Vec<Bytes>>,
    /// Whether a second delivery has no further effect.
    pub(super) idempotent: bool,
}

impl RpcRequest {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>) -> RpcRequest {
        let idempotent = method.is_safe();
        RpcRequest { method, path: path.into(), headers: RawHeaders::default(), bearer: None, body: None, idempotent }
    }

    /// A GET request.
    pub fn get(path: impl Into<String>) -> RpcRequest {
        RpcRequest::new(Method::GET, path)
    }

    /// A read-only query by POST, for parameters too long for a query string. It may be retried.
    pub fn query_by_post(path: impl Into<String>, body: &impl Serialize) -> Result<RpcRequest, Problem> {
        Ok(RpcRequest { idempotent: true, ..RpcRequest::new(Method::POST, path).json(body)? })
    }

    /// With a JSON body.
    ///
    /// # Errors
    /// The value cannot be represented in JSON.
    pub fn json(mut self, body: &impl Serialize) -> Result<RpcRequest, Problem> {
        let text = serde_json::to_vec(body).map_err(Problem::internal)?;
        self.headers.push(CONTENT_TYPE.as_str(), &HeaderValue::from_static("application/json"));
        self.body = Some(vec![text.into()]);
        Ok(self)
    }

    /// With this `Authorization`.
    pub fn bearer(mut self, bearer: HeaderValue) -> RpcRequest {
        self.bearer = Some(bearer);
        self
    }

    /// Marks the request as safe to retry when the outcome is unknown.
    pub fn idempotent(mut self) -> RpcRequest {
        self.idempotent = true;
        self
    }
}
