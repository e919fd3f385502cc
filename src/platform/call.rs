//! One request to another role, before it is sent.

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use serde::Serialize;

use crate::platform::problem::Problem;

/// One request to another role.
pub struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// Whether doing it twice is doing it once.
    pub(super) repeatable: bool,
}

impl Call {
    /// A request without a body.
    pub fn new(method: Method, path: impl Into<String>) -> Call {
        let repeatable = method.is_safe();
        Call { method, path: path.into(), headers: HeaderMap::new(), body: None, repeatable }
    }

    /// Reads something.
    pub fn get(path: impl Into<String>) -> Call {
        Call::new(Method::GET, path)
    }

    /// A question too long for a query string: asked by POST, harmless to repeat.
    pub fn ask(path: impl Into<String>, body: &impl Serialize) -> Result<Call, Problem> {
        Ok(Call { repeatable: true, ..Call::new(Method::POST, path).json(body)? })
    }

    /// With a JSON body.
    ///
    /// # Errors
    /// A value that JSON cannot hold.
    pub fn json(mut self, body: &impl Serialize) -> Result<Call, Problem> {
        let text = serde_json::to_vec(body).map_err(Problem::internal)?;
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = Some(text.into());
        Ok(self)
    }

    /// With this header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Call {
        self.headers.insert(name, value);
        self
    }

    /// A call that may be tried again when nobody knows whether it arrived.
    pub fn repeatable(mut self) -> Call {
        self.repeatable = true;
        self
    }

    /// With these headers and this body, as they are.
    pub fn raw(mut self, headers: HeaderMap, body: Option<Bytes>) -> Call {
        self.headers = headers;
        self.body = body;
        self
    }
}
