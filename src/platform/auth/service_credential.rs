//! What one role shows another, so that nobody else gets at the inner ones.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use subtle::ConstantTimeEq as _;

use crate::config::Settings;
use crate::platform::http::problem::{Problem, UNAUTHORIZED};

/// The header it travels in. The gateway passes on none that comes from outside.
pub const CREDENTIAL: HeaderName = HeaderName::from_static("w2meet-service");

/// The secret that all roles share.
#[derive(Clone)]
pub struct ServiceCredential(HeaderValue);

impl ServiceCredential {
    /// As the settings say; `None` where roles trust whoever reaches them.
    pub fn of(settings: &Settings) -> Option<ServiceCredential> {
        let secret = &settings.auth.service_secret;
        let mut value = HeaderValue::from_str(secret.expose()).ok().filter(|_| !secret.is_empty())?;
        value.set_sensitive(true);
        Some(ServiceCredential(value))
    }

    /// As it is sent.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Looks whether a request shows it, once and in the same time whatever it shows.
    ///
    /// # Errors
    /// 401 for everybody else.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut shown = headers.get_all(&CREDENTIAL);
        match (shown.next(), shown.next()) {
            (Some(one), None) if bool::from(one.as_bytes().ct_eq(self.0.as_bytes())) => Ok(()),
            (shown, _) => {
                if shown.is_some() {
                    tracing::error!(
                        "called with another service secret: auth.service_secret must be the same for all roles"
                    );
                }
                Err(Problem::new(UNAUTHORIZED, "this role answers to other roles only; ask the gateway"))
            }
        }
    }
}
