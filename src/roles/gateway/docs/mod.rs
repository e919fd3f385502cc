//! The description of the API: `GET /openapi.json` for programs, `GET /docs` for people. Each is built at the first request, and
//! then kept.

mod example;
mod page;
mod schema_html;

use std::sync::OnceLock;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::platform::digest::sha256_number;
use crate::platform::http::HttpResult;
use crate::platform::http::preconditions::EntityTags;
use crate::platform::role::Context;

const STYLE: &str = include_str!("page.css");

/// A document that does not change while the process runs.
struct CachedDocument {
    body: Bytes,
    /// The entity tag, a digest of the body.
    tag: i64,
    content_type: &'static str,
    policy: String,
}

static DESCRIPTION: OnceLock<CachedDocument> = OnceLock::new();
static PAGE: OnceLock<CachedDocument> = OnceLock::new();

impl CachedDocument {
    fn new(body: String, content_type: &'static str, policy: &str) -> CachedDocument {
        let tag = sha256_number(body.as_bytes());
        let policy = format!("default-src 'none'; {policy}base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
        CachedDocument { body: body.into(), tag, content_type, policy }
    }

    /// The response: the document, or 304 if the client has it.
    fn respond(&self, req: &HttpRequest) -> HttpResult {
        let etag = (ETAG, format!("\"{}\"", self.tag));
        if EntityTags::read(req, &IF_NONE_MATCH)?.is_some_and(|known| known.match_weakly(self.tag)) {
            return Ok(HttpResponse::NotModified().insert_header(etag).finish());
        }
        Ok(HttpResponse::Ok()
            .insert_header(etag)
            .insert_header((CONTENT_SECURITY_POLICY, self.policy.as_str()))
            .content_type(self.content_type)
            .body(self.body.clone()))
    }
}

fn describe(context: &Context) -> utoipa::openapi::OpenApi {
    super::description(context.roles, context.settings.auth.mode, &context.settings.server.public_url)
}

/// `GET /openapi.json`
pub async fn find_description(req: HttpRequest, context: Data<Context>) -> HttpResult {
    let build = || CachedDocument::new(describe(&context).to_json().unwrap_or_default(), "application/json", "");
    DESCRIPTION.get_or_init(build).respond(&req)
}

/// `GET /docs`: a page without scripts and without external resources
pub async fn find_page(req: HttpRequest, context: Data<Context>) -> HttpResult {
    let build = || {
        let document = serde_json::to_value(describe(&context)).unwrap_or_default();
        let style = STANDARD.encode(Sha256::digest(STYLE));
        CachedDocument::new(
            page::render(&document, STYLE),
            "text/html; charset=utf-8",
            &format!("style-src 'sha256-{style}'; "),
        )
    };
    PAGE.get_or_init(build).respond(&req)
}
