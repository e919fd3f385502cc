//! The Case-ID: the id that follows a request through every hop, log line and message.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// The header with the Case-ID.
pub static CASE_ID: HeaderName = CASE_ID_NAME;
const CASE_ID_NAME: HeaderName = HeaderName::from_static("case-id");

/// Headers that may carry the id of a request; the first one present counts.
static NAMES: [HeaderName; 3] = [CASE_ID_NAME, HeaderName::from_static("cid"), HeaderName::from_static("x-request-id")];

/// The id that a request brings, if it brings one only and it is valid.
pub fn read(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(NAMES.iter().find(|name| headers.contains_key(*name))?);
    values.next().filter(|value| is_valid(value) && values.next().is_none()).cloned()
}

/// A UUIDv7 (RFC 9562, 5.7): the time and 74 random bits.
pub fn new() -> HeaderValue {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 10];
    rand::fill(&mut random);
    let id = uuid::Builder::from_unix_timestamp_millis(since.as_millis() as u64, &random).into_uuid();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
        .unwrap_or(HeaderValue::from_static("none"))
}

/// Whether an id from outside is used: it matches `[A-Za-z0-9._~-]{1,64}`.
pub fn is_valid(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    (1..=64).contains(&value.len()) && value.iter().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(b))
}
