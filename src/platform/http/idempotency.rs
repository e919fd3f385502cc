//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a repeated request receives the first response again. The role
//! stores the response in the transaction of the effect.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::platform::digest::sha256_hex;
use crate::platform::http::problem::{BAD_REQUEST, KEY_REUSED, Problem};

/// The header with the key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header of a replayed response.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A key, and the request that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The account, method, path and key: the same key with another path is another key.
    pub scope: String,
    /// SHA-256 of the body as JSON, in hexadecimal.
    pub fingerprint: String,
}

impl IdempotencyKey {
    /// Reads the key of a request of this account with this body, quoted or bare; `None` if it has none.
    ///
    /// # Errors
    /// 400 for a key that is not 1 to 255 printable ASCII characters, or that is repeated.
    pub fn read(req: &HttpRequest, account: Option<&str>, body: &Value) -> Result<Option<IdempotencyKey>, Problem> {
        let mut values = req.headers().get_all(IDEMPOTENCY_KEY);
        let Some(value) = values.next() else { return Ok(None) };
        let bad =
            || Problem::new(BAD_REQUEST, "Idempotency-Key must be one text of 1 to 255 printable ASCII characters");
        let text = value.to_str().map_err(|_| bad())?.trim();
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let is_valid = (1..=255).contains(&bare.len()) && bare.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'"');
        if !is_valid || values.next().is_some() {
            return Err(bad());
        }
        let scope = format!("{} {} {bare}", req.method(), req.uri().path());
        let key = IdempotencyKey { scope, fingerprint: sha256_hex(body.to_string().as_bytes()) };
        Ok(Some(key.of(account)))
    }

    /// The key in the scope of this account, where the role that read the key did not know it: two accounts never share a key.
    pub fn of(self, account: Option<&str>) -> IdempotencyKey {
        match account {
            Some(id) => IdempotencyKey { scope: format!("{id} {}", self.scope), ..self },
            None => self,
        }
    }

    /// Checks that a stored response belongs to the same request.
    ///
    /// # Errors
    /// 422 when the key came with another body before.
    pub fn check(&self, stored: &str) -> Result<(), Problem> {
        match stored == self.fingerprint {
            true => Ok(()),
            false => Err(Problem::new(KEY_REUSED, "this Idempotency-Key was used with another body; use a new key")),
        }
    }
}

/// A response as it was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers of the handler.
    pub headers: Vec<(String, String)>,
    /// The body, as JSON text.
    pub body: String,
    /// The subject of the response, an address or an id. Deleting the subject deletes the response.
    #[serde(skip)]
    pub subject: String,
    /// Whether this is a replay.
    pub replayed: bool,
}

impl StoredResponse {
    /// A first response.
    pub fn new(status: u16, headers: &[(&str, String)], body: &Value) -> StoredResponse {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        StoredResponse { status, headers, body: body.to_string(), subject: String::new(), replayed: false }
    }

    /// A response about this subject.
    #[must_use]
    pub fn about(self, subject: impl ToString) -> StoredResponse {
        StoredResponse { subject: subject.to_string(), ..self }
    }

    /// The HTTP response.
    pub fn respond(self) -> HttpResponse {
        let mut response = HttpResponse::build(StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK));
        for (name, value) in self.headers {
            response.insert_header((name, value));
        }
        if self.replayed {
            response.insert_header((REPLAYED, HeaderValue::from_static("true")));
        }
        response.content_type("application/json").body(self.body)
    }
}
