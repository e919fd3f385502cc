//! The errors of the legacy API: lists of faults with their places.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::FIELD_NAMES;
use super::responses::{ReferenceError, ReferenceFault, ReferenceStep};
use crate::platform::http::HttpResult;
use crate::platform::http::problem::{BAD_GATEWAY, BAD_REQUEST, UNKNOWN_USER};
use crate::platform::request_context::RequestContext;

/// Runs a handler, and converts its problem to an error of the legacy API.
pub async fn legacy_response(place: &str, handler: impl Future<Output = HttpResult>) -> HttpResponse {
    let problem = match handler.await {
        Ok(response) => return response,
        Err(problem) => problem,
    };
    tracing::info!(%problem, "legacy request refused");
    let upstream = problem.upstream.as_deref().unwrap_or_default();
    let (status, message) = match problem.kind.status {
        404 if problem.kind == UNKNOWN_USER && place != "path" && place != "body" => {
            (404, "One or both users not found".to_owned())
        }
        404 if problem.kind == UNKNOWN_USER => (404, "User not found".to_owned()),
        422 if place == "task" => (422, problem.detail.to_string()),
        400 | 422 => (BAD_REQUEST.status, problem.detail.to_string()),
        503 | 504 | 507 => (503, problem.detail.to_string()),
        500.. => (BAD_GATEWAY.status, upstream_error(upstream)),
        other => (other, problem.detail.to_string()),
    };
    let fault = |pointer: &str, message: String, code: &str| ReferenceFault {
        loc: loc(place, pointer),
        msg: message,
        r#type: code.to_owned(),
    };
    let mut detail: Vec<_> =
        problem.errors.iter().map(|it| fault(&it.pointer, it.detail.to_string(), &it.code)).collect();
    if detail.is_empty() {
        detail.push(fault("", message, problem.kind.slug));
    }
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY));
    if let Some(seconds) = problem.retry_after {
        response.insert_header(("Retry-After", seconds));
    }
    response.json(ReferenceError { case_id: RequestContext::current_id(), detail })
}

/// A message such as `User service error`.
fn upstream_error(role: &str) -> String {
    let mut characters = role.chars();
    let name = characters
        .next()
        .map_or_else(|| "Upstream".to_owned(), |first| first.to_uppercase().chain(characters).collect());
    format!("{name} service error")
}

/// A JSON pointer as a list, as FastAPI shows it.
fn loc(place: &str, pointer: &str) -> Vec<ReferenceStep> {
    let place = if place == "task" { "body" } else { place };
    let legacy = |text: &str| FIELD_NAMES.iter().find(|(native, _)| place == "body" && *native == text);
    let step = |text: &str| match text.parse() {
        Ok(index) => ReferenceStep::Index(index),
        Err(_) => ReferenceStep::Name(legacy(text).map_or(text.trim(), |(_, legacy)| legacy).to_owned()),
    };
    std::iter::once(ReferenceStep::Name(place.to_owned()))
        .chain(pointer.trim_start_matches('#').split('/').filter(|it| !it.is_empty()).map(step))
        .collect()
}
