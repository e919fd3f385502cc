//! One request to another role, before it is sent.

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use bytes::Bytes;
use serde::Serialize;

use crate::platform::http::problem::Problem;

/// Header fields as they go over the wire, each with the end of its line.
#[derive(Clone, Debug, Default)]
pub struct RawHeaders(Vec<u8>);

impl RawHeaders {
    /// None yet, and room for those of most requests.
    pub fn roomy() -> RawHeaders {
        RawHeaders(Vec::with_capacity(1 << 10))
    }

    /// One more; the name in lower case.
    pub fn put(&mut self, name: &str, value: &HeaderValue) {
        put(&mut self.0, name, value.as_bytes());
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.0
    }
}

/// Writes a field, whose value is one that a header may have.
pub(super) fn put(fields: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        fields.extend_from_slice(part);
    }
}

/// One request to another role.
pub struct RpcRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) fields: RawHeaders,
    /// What it is asked with, if that is not what the case was asked with.
    pub(super) bearer: Option<HeaderValue>,
    /// In the parts that it came in.
    pub(super) body: Option<Vec<Bytes>>,
    /// Whether doing it twice is doing it once.
    pub(super) repeatable: bool,
}

impl RpcRequest {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>) -> RpcRequest {
        let repeatable = method.is_safe();
        RpcRequest { method, path: path.into(), fields: RawHeaders::default(), bearer: None, body: None, repeatable }
    }

    /// Reads something.
    pub fn get(path: impl Into<String>) -> RpcRequest {
        RpcRequest::new(Method::GET, path)
    }

    /// A question too long for a query string: asked by POST, harmless to repeat.
    pub fn ask(path: impl Into<String>, body: &impl Serialize) -> Result<RpcRequest, Problem> {
        Ok(RpcRequest { repeatable: true, ..RpcRequest::new(Method::POST, path).json(body)? })
    }

    /// With a JSON body.
    ///
    /// # Errors
    /// A value that JSON cannot hold.
    pub fn json(mut self, body: &impl Serialize) -> Result<RpcRequest, Problem> {
        let text = serde_json::to_vec(body).map_err(Problem::internal)?;
        self.fields.put(CONTENT_TYPE.as_str(), &HeaderValue::from_static("application/json"));
        self.body = Some(vec![text.into()]);
        Ok(self)
    }

    /// Asked with this `Authorization`.
    pub fn bearer(mut self, bearer: HeaderValue) -> RpcRequest {
        self.bearer = Some(bearer);
        self
    }

    /// A call that may be tried again when nobody knows whether it arrived.
    pub fn repeatable(mut self) -> RpcRequest {
        self.repeatable = true;
        self
    }

    /// With these fields, as they are.
    pub fn with(mut self, fields: RawHeaders) -> RpcRequest {
        self.fields = fields;
        self
    }

    /// With this body, in any parts, whose kind is among the fields.
    pub fn holding(mut self, body: Option<Vec<Bytes>>) -> RpcRequest {
        self.body = body;
        self
    }
}
