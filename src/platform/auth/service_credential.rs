//! The credential that roles present to each other, which protects internal endpoints.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use subtle::ConstantTimeEq as _;

use crate::config::Settings;
use crate::platform::http::problem::{Problem, UNAUTHORIZED};

/// The header with the credential. The gateway removes it from client requests.
pub const CREDENTIAL: HeaderName = HeaderName::from_static("w2meet-service");

/// The secret that all roles share.
#[derive(Clone)]
pub struct ServiceCredential(HeaderValue);

impl ServiceCredential {
    /// The configured secret; `None` where roles trust every caller.
    pub fn of(settings: &Settings) -> Option<ServiceCredential> {
        let secret = &settings.auth.service_secret;
        let mut value = HeaderValue::from_str(secret.expose()).ok().filter(|_| !secret.is_empty())?;
        value.set_sensitive(true);
        Some(ServiceCredential(value))
    }

    /// The value of the header.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether a request has the credential, compared in constant time.
    pub fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(&CREDENTIAL);
        let is_right = |value: &HeaderValue| bool::from(value.as_bytes().ct_eq(self.0.as_bytes()));
        values.next().is_some_and(is_right) && values.next().is_none()
    }

    /// Checks the credential of a request of another role.
    ///
    /// # Errors
    /// 401 if it is missing or wrong.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.is_in(headers) {
            return Ok(());
        }
        if headers.contains_key(&CREDENTIAL) {
            tracing::error!("wrong service secret in a call: auth.service_secret must be the same for all roles");
        }
        Err(Problem::new(UNAUTHORIZED, "only roles may call this role; call the gateway instead"))
    }
}
