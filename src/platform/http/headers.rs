//! Readers of header fields.

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};

/// The length of the body in bytes, as the message declares it.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
