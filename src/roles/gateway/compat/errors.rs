//! The reference's errors: lists of what is wrong, and where.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, NAMES};
use crate::platform::http::problem::{BAD_GATEWAY, BAD_REQUEST, UNKNOWN_USER};
use crate::platform::request_context::RequestContext;

/// Runs a handler, and tells its problem as the reference would.
pub async fn told(place: &str, work: impl Future<Output = Answer>) -> HttpResponse {
    let problem = match work.await {
        Ok(answer) => return answer,
        Err(problem) => problem,
    };
    tracing::info!(%problem, "refused");
    let upstream = problem.upstream.as_deref().unwrap_or_default();
    let (status, message) = match problem.kind.status {
        404 if problem.kind == UNKNOWN_USER && place != "path" && place != "body" => {
            (404, "One or both users not found".to_owned())
        }
        404 if problem.kind == UNKNOWN_USER => (404, "User not found".to_owned()),
        422 if place == "task" => (422, problem.detail.to_string()),
        400 | 422 => (BAD_REQUEST.status, problem.detail.to_string()),
        503 | 504 => (503, problem.detail.to_string()),
        500.. => (BAD_GATEWAY.status, failed(upstream)),
        other => (other, problem.detail.to_string()),
    };
    let one = |loc: Vec<Value>, message: &str, kind: &str| json!({ "loc": loc, "msg": message, "type": kind });
    let mut detail: Vec<Value> =
        problem.errors.iter().map(|fault| one(loc(place, &fault.pointer), &fault.detail, &fault.code)).collect();
    if detail.is_empty() {
        detail.push(one(loc(place, ""), &message, problem.kind.slug));
    }
    let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY));
    if let Some(seconds) = problem.retry_after {
        answer.insert_header(("Retry-After", seconds));
    }
    answer.json(json!({ "case_id": RequestContext::current_id(), "detail": detail }))
}

/// `User service error` and its like.
fn failed(role: &str) -> String {
    let mut letters = role.chars();
    let name =
        letters.next().map_or_else(|| "Upstream".to_owned(), |first| first.to_uppercase().chain(letters).collect());
    format!("{name} service error")
}

/// A JSON pointer as the list of steps that FastAPI shows.
fn loc(place: &str, pointer: &str) -> Vec<Value> {
    let place = if place == "task" { "body" } else { place };
    let theirs = |text: &str| NAMES.iter().find(|(ours, _)| place == "body" && *ours == text);
    let step = |text: &str| match (text.parse::<u64>(), theirs(text)) {
        (Ok(index), _) => index.into(),
        (_, Some((_, theirs))) => (*theirs).into(),
        _ => text.trim().into(),
    };
    std::iter::once(place.into())
        .chain(pointer.trim_start_matches('#').split('/').filter(|it| !it.is_empty()).map(step))
        .collect()
}
