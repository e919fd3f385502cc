//! Problem details (RFC 9457): the one error format of every role. The types below may come from any role; a role adds its own
//! types to its row of the table of roles.
//!
//! A handler returns `Err(Problem)`; `platform::server` writes the document, with the request's Case-ID and public path, and
//! logs it once. Code below the handlers returns `anyhow` or a small enum, which the handler converts.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::calendar::{Fault, truncate_for_message};

/// A problem type; stable over releases.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// The end of the `type`, after `/problems/`.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The title, the same for every occurrence.
    pub title: &'static str,
}

/// Defines problem types, and their list `PROBLEM_TYPES`. A role lists its own in its row.
macro_rules! problem_types {
    ($($name:ident $slug:literal $status:literal $title:literal)+) => {
        $(
            #[doc = $title]
            pub const $name: &$crate::platform::http::problem::ProblemType =
                &$crate::platform::http::problem::ProblemType { slug: $slug, status: $status, title: $title };
        )+
        /// All of these problem types.
        pub const PROBLEM_TYPES: &[&$crate::platform::http::problem::ProblemType] = &[$($name),+];
    };
}
pub(crate) use problem_types;

problem_types! {
    BAD_REQUEST          "bad-request"          400 "The request is malformed"
    UNAUTHORIZED         "unauthorized"         401 "Authentication is required"
    NOT_FOUND            "not-found"            404 "There is no such resource"
    UNKNOWN_USER         "unknown-user"         404 "There is no such user"
    UNKNOWN_JOB          "unknown-job"          404 "There is no such job"
    METHOD_NOT_ALLOWED   "method-not-allowed"   405 "The method is not allowed"
    TIMEOUT              "request-timeout"      408 "The request took too long to arrive"
    JOB_NOT_YOURS        "job-not-yours"        409 "The job has ended, or belongs to another attempt"
    PRECONDITION_FAILED  "precondition-failed"  412 "The resource has changed since it was read"
    TOO_LARGE            "too-large"            413 "The request body is too large"
    URI_TOO_LONG         "uri-too-long"         414 "The URL is too long"
    UNSUPPORTED_MEDIA    "unsupported-media"    415 "The content type is not supported"
    VALIDATION           "validation"           422 "The request is not valid"
    KEY_REUSED           "idempotency-key-reused" 422 "The idempotency key belongs to another request"
    HEADERS_TOO_LARGE    "headers-too-large"    431 "The request headers are too large"
    INTERNAL             "internal"             500 "An internal error occurred"
    DATABASE_DAMAGED     "database-damaged"     500 "The database is damaged"
    BAD_GATEWAY          "bad-gateway"          502 "A role sent an invalid response"
    UNAVAILABLE          "unavailable"          503 "The service is temporarily unavailable"
    NO_SPACE             "no-space"             507 "There is no space left to store data"
    GATEWAY_TIMEOUT      "gateway-timeout"      504 "A role did not respond in time"
    INVALID_TOKEN        "invalid-token"        401 "The token is invalid, expired or revoked"
    FORBIDDEN            "forbidden"            403 "The account lacks the permission"
    EXPECTATION_FAILED   "expectation-failed"   417 "The expectation cannot be met"
    MISDIRECTED          "misdirected"          421 "The host name is not served here"
    RATE_LIMITED         "rate-limited"         429 "Too many requests"
    NOT_IMPLEMENTED      "not-implemented"      501 "The method is not implemented"
}

/// A rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitKind {
    /// Requests from one address.
    Address,
    /// Attempts to sign in from one address.
    SignIn,
    /// Requests of one account, from any address.
    Account,
}

impl RateLimitKind {
    /// The name in headers and problems.
    pub fn name(self) -> &'static str {
        match self {
            RateLimitKind::Address => "default",
            RateLimitKind::SignIn => "sign-in",
            RateLimitKind::Account => "account",
        }
    }
}

/// Another form of errors, for the paths that have one: the status, and the document for `application/json`. A role registers it
/// as app data.
#[derive(Clone, Copy)]
pub struct ErrorFormat(pub fn(&HttpRequest, &Problem, case_id: &str) -> Option<(StatusCode, Value)>);

/// One occurrence of a problem.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The problem type.
    pub kind: &'static ProblemType,
    /// What happened and what the caller can do; a sentence without a full stop.
    pub detail: Cow<'static, str>,
    /// The faults of an invalid request.
    pub errors: Vec<Fault>,
    /// The delay in seconds before a retry.
    pub retry_after: Option<u32>,
    /// The role or the dependency that failed.
    pub upstream: Option<String>,
    /// E-mail addresses without a user.
    pub unknown: Vec<String>,
    /// The rate limit that the caller has exceeded.
    pub exceeded_limit: Option<RateLimitKind>,
}

impl Problem {
    /// A problem of this type.
    pub fn new(kind: &'static ProblemType, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            upstream: None,
            unknown: Vec::new(),
            exceeded_limit: None,
        }
    }

    /// A request with invalid values.
    pub fn validation(errors: Vec<Fault>) -> Problem {
        let detail = errors.iter().map(sentence).collect::<Vec<_>>().join("; ");
        Problem { errors, ..Problem::new(VALIDATION, detail) }
    }

    /// A temporary failure of a role or a dependency.
    pub fn unavailable(upstream: &str, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { retry_after: Some(1), upstream: Some(upstream.to_owned()), ..Problem::new(UNAVAILABLE, detail) }
    }

    /// An internal error. The cause goes to the log, never to the caller.
    pub fn internal(cause: impl fmt::Display) -> Problem {
        tracing::error!(cause = %cause, "internal error");
        Problem::new(INTERNAL, "this is a fault of the server; its log has the cause under this Case-ID")
    }

    /// No user has this e-mail address.
    pub fn unknown_user(email: &str) -> Problem {
        Problem {
            unknown: vec![email.to_owned()],
            ..Problem::new(UNKNOWN_USER, format!("no user has the e-mail address {email}"))
        }
    }

    /// No endpoint has this path.
    pub fn no_such_path() -> Problem {
        Problem::new(NOT_FOUND, "the API has no such path; GET / lists where to start")
    }

    /// Parses another role's response; `None` if it is no problem document of a `known` type.
    pub fn read(
        status: StatusCode,
        body: &[u8],
        mut known: impl Iterator<Item = &'static ProblemType>,
    ) -> Option<Problem> {
        #[derive(Deserialize)]
        struct Document {
            r#type: String,
            detail: String,
            #[serde(default)]
            errors: Vec<Fault>,
            upstream: Option<String>,
            #[serde(default)]
            unknown: Vec<String>,
            retry_after: Option<u32>,
        }
        let document: Document = serde_json::from_slice(body).ok()?;
        let slug = document.r#type.strip_prefix("/problems/")?;
        let kind = known.find(|kind| kind.slug == slug && kind.status == status.as_u16())?;
        Some(Problem {
            kind,
            detail: document.detail.into(),
            errors: document.errors,
            retry_after: document.retry_after,
            upstream: document.upstream,
            unknown: document.unknown,
            exceeded_limit: None,
        })
    }

    /// The problem document.
    pub fn document(&self, instance: &str, case_id: &str) -> Value {
        let mut document = Map::new();
        let mut put = |key: &str, value: Value| drop(document.insert(key.to_owned(), value));
        put("type", format!("/problems/{}", self.kind.slug).into());
        put("title", self.kind.title.into());
        put("status", self.kind.status.into());
        put("detail", self.detail.as_ref().into());
        put("instance", instance.into());
        put("case_id", case_id.into());
        if !self.errors.is_empty() {
            put("errors", json!(self.errors));
        }
        if !self.unknown.is_empty() {
            put("unknown", json!(self.unknown));
        }
        if let Some(upstream) = &self.upstream {
            put("upstream", upstream.as_str().into());
        }
        if let Some(seconds) = self.retry_after {
            put("retry_after", seconds.into());
        }
        if let Some(policy) = self.exceeded_limit {
            put("violated-policies", json!([policy.name()]));
        }
        document.into()
    }

    /// The problem of a bare status, where a library responded without a body.
    pub fn of_status(status: StatusCode) -> Problem {
        let fallback = if status.is_server_error() { INTERNAL } else { BAD_REQUEST };
        let kind = PROBLEM_TYPES.iter().find(|kind| kind.status == status.as_u16());
        match kind.copied().unwrap_or(fallback) {
            NOT_FOUND => Problem::no_such_path(),
            METHOD_NOT_ALLOWED => Problem::new(METHOD_NOT_ALLOWED, "the Allow header lists the methods of this path"),
            kind => Problem::new(kind, "the request cannot be read: send a complete HTTP request to a path of /docs"),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// A fault as people read it: `name: must be a text, not 7`.
fn sentence(fault: &Fault) -> String {
    match fault.pointer.trim_start_matches('#') {
        "" => format!("the body {}", fault.detail),
        pointer => format!("{}: {}", field_name(pointer), fault.detail),
    }
}

/// A JSON pointer as people write a field: `attendees[0].email`.
fn field_name(pointer: &str) -> String {
    let path = pointer.strip_prefix('/').unwrap_or(pointer);
    let mut name = String::new();
    for (at, segment) in path.split('/').enumerate() {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        let segment = truncate_for_message(&segment);
        match segment.parse::<u32>() {
            Ok(index) if at > 0 => name.push_str(&format!("[{index}]")),
            _ if segment.is_empty() => name.push_str("\"\""),
            _ => name.push_str(&format!("{}{segment}", if at > 0 { "." } else { "" })),
        }
    }
    name
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.title, self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }
    /// Only the status: `platform::server` knows the request, and writes the document.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status())
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, sentence};

    #[test]
    fn a_fault_is_shown_with_its_field() {
        for (pointer, expected) in [
            ("#", "the body is odd"),
            ("#/name", "name: is odd"),
            ("#/attendees/0/email", "attendees[0].email: is odd"),
            ("#/a~1b~0c", "a/b~c: is odd"),
            ("#/", "\"\": is odd"),
            ("#/overrides/2026-11-27/1", "overrides.2026-11-27[1]: is odd"),
        ] {
            assert_eq!(sentence(&Fault::new(pointer, "odd", "is odd")), expected);
        }
    }
}
