//! The frame of the small pages behind links in letters: readable on a phone, usable by keyboard, without any script.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::platform::http::html::escaped;

const STYLE: &str = include_str!("page.css");

/// Nothing but our own style, and forms that come back to us.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
});

/// A page; the title is text, the content HTML.
pub fn page(status: StatusCode, title: &str, content: &str) -> HttpResponse {
    let body = format!(include_str!("page.html"), title = escaped(title), style = STYLE, content = content);
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header(("Content-Security-Policy", POLICY.as_str()))
        // the address holds what opens the page
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cache-Control", "no-store"))
        .body(body)
}
