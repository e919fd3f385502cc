//! The errors of the legacy API: lists of faults with their places. Every error under its paths has this form, whoever finds it.

use actix_web::HttpRequest;
use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::FIELD_NAMES;
use super::responses::{ReferenceError, ReferenceFault, ReferenceStep};
use crate::calendar::Fault;
use crate::platform::http::extract::{UserKey, query_has};
use crate::platform::http::problem::{
    BAD_GATEWAY, BAD_REQUEST, INVALID_TOKEN, METHOD_NOT_ALLOWED, NOT_FOUND, Problem, UNAUTHORIZED, UNKNOWN_USER,
};

/// The first segments of its paths.
const PREFIXES: [&str; 4] = ["users", "availability", "suggestion", "worker"];
/// The one path that is not under a prefix.
const COMMON: &str = "/api/availability/common_availabilities";

/// Where the values of a request are.
#[derive(Clone, Copy, PartialEq)]
enum Location {
    Path,
    Header,
    /// A query that names one user.
    User,
    /// A query that names two users.
    Search,
    Body,
    /// The body of a task, which names two users.
    Task,
}

/// The error of a problem, if the request is one of the legacy API.
pub fn legacy_error(req: &HttpRequest, problem: &Problem, case_id: &str) -> Option<(StatusCode, Value)> {
    let path = req.uri().path();
    let prefix = path.split('/').nth(1).unwrap_or_default();
    if !PREFIXES.contains(&prefix) && path != COMMON {
        return None;
    }
    let location = location(req, problem);
    let (status, message) = status_and_message(problem, location);
    let mut detail: Vec<_> = problem
        .errors
        .iter()
        .map(|fault| legacy_fault(loc(req, location, fault), fault.detail.to_string(), &fault.code))
        .collect();
    if detail.is_empty() {
        detail.push(legacy_fault(vec![ReferenceStep::Name(location.name().to_owned())], message, problem.kind.slug));
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    Some((status, json!(ReferenceError { case_id: case_id.to_owned(), detail })))
}

fn legacy_fault(loc: Vec<ReferenceStep>, msg: String, code: &str) -> ReferenceFault {
    ReferenceFault { loc, msg, r#type: code.to_owned() }
}

fn location(req: &HttpRequest, problem: &Problem) -> Location {
    match (req.uri().path(), req.method()) {
        _ if [NOT_FOUND, METHOD_NOT_ALLOWED].contains(&problem.kind) => Location::Path,
        _ if [UNAUTHORIZED, INVALID_TOKEN].contains(&problem.kind) => Location::Header,
        ("/worker/tasks", _) => Location::Task,
        ("/users/user-avail/cache-aside" | "/users/user-avail/cache_aside", _) => Location::User,
        ("/availability/availabilities" | COMMON | "/suggestion/suggestions", _) => Location::Search,
        (_, &Method::PUT) if UserKey::read(req).is_err() => Location::Path,
        (_, &Method::POST | &Method::PUT) => Location::Body,
        _ => Location::Path,
    }
}

fn status_and_message(problem: &Problem, location: Location) -> (u16, String) {
    let upstream = problem.upstream.as_deref().unwrap_or_default();
    let detail = || problem.detail.to_string();
    match problem.kind.status {
        404 if problem.kind == UNKNOWN_USER => match location {
            Location::Search | Location::Task => (404, "One or both users not found".to_owned()),
            _ => (404, "User not found".to_owned()),
        },
        422 if location == Location::Task => (422, detail()),
        400 | 422 => (BAD_REQUEST.status, detail()),
        503 | 504 | 507 => (503, detail()),
        500.. => (BAD_GATEWAY.status, upstream_error(upstream)),
        other => (other, detail()),
    }
}

/// A message such as `User service error`.
fn upstream_error(role: &str) -> String {
    let mut characters = role.chars();
    let name = characters
        .next()
        .map_or_else(|| "Upstream".to_owned(), |first| first.to_uppercase().chain(characters).collect());
    format!("{name} service error")
}

/// The place of a fault as a list, as FastAPI shows it: in the names that the client has sent.
fn loc(req: &HttpRequest, location: Location, fault: &Fault) -> Vec<ReferenceStep> {
    let mut segments = fault.pointer.trim_start_matches('#').split('/').filter(|it| !it.is_empty());
    let is_in_query =
        fault.code == "unknown_field" && fault.pointer.strip_prefix("#/").is_some_and(|name| query_has(req, name));
    let location_name = if is_in_query { "query" } else { location.name() };
    let step = |text: &str| match text.parse() {
        Ok(index) => ReferenceStep::Index(index),
        Err(_) => ReferenceStep::Name(text.trim().to_owned()),
    };
    let first = segments.next().map(|name| step(legacy_name(location, name)));
    std::iter::once(ReferenceStep::Name(location_name.to_owned())).chain(first).chain(segments.map(step)).collect()
}

/// The name of a field of the API in the legacy API.
fn legacy_name(location: Location, native: &str) -> &str {
    let names = FIELD_NAMES.iter().find(|(name, _)| *name == native).filter(|_| location == Location::Body);
    names.map_or(native, |(_, legacy)| legacy)
}

impl Location {
    fn name(self) -> &'static str {
        match self {
            Location::Path => "path",
            Location::Header => "header",
            Location::User | Location::Search => "query",
            Location::Body | Location::Task => "body",
        }
    }
}
