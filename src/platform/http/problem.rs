//! The one error that leaves every role: an RFC 9457 problem. Its types are the rows of one table.
//!
//! Return `Err(Problem)` from a handler; `platform::server` writes it, with the request's Case-ID and public path, and logs
//! it once. Below the handlers use `anyhow` or a small enum of your own, and turn it into a problem where the caller is known.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::calendar::Fault;

/// What went wrong, as a class: stable over releases.
#[derive(Debug, PartialEq, Eq)]
pub struct ProblemType {
    /// The `type` is `/problems/` and this.
    pub slug: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// A few words, the same for every occurrence.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($name:ident $slug:literal $status:literal $title:literal)+) => {
        $(#[doc = $title] pub const $name: &ProblemType = &ProblemType { slug: $slug, status: $status, title: $title };)+
        /// Every kind of problem, for the table in the docs and for reading another role's answer.
        pub const KINDS: &[&ProblemType] = &[$($name),+];
    };
}

kinds! {
    BAD_REQUEST          "bad-request"          400 "The request cannot be read"
    UNAUTHORIZED         "unauthorized"         401 "This needs a key that was not given"
    NOT_FOUND            "not-found"            404 "There is nothing here"
    UNKNOWN_USER         "unknown-user"         404 "There is no such user"
    UNKNOWN_CALENDAR     "unknown-calendar"     404 "There is no such calendar"
    UNKNOWN_MEETING      "unknown-meeting"      404 "There is no such meeting"
    UNKNOWN_JOB          "unknown-job"          404 "There is no such job"
    METHOD_NOT_ALLOWED   "method-not-allowed"   405 "This method is not allowed here"
    TIMEOUT              "request-timeout"      408 "The request took too long to arrive"
    USER_EXISTS          "user-exists"          409 "There is already a user with this e-mail address"
    SLOT_TAKEN           "slot-taken"           409 "Another meeting has taken this time"
    MEETING_OVER         "meeting-over"         409 "This meeting is called off"
    JOB_NOT_YOURS        "job-not-yours"        409 "This job is not to be done, or by another attempt"
    PRECONDITION_FAILED  "precondition-failed"  412 "It has changed since you read it"
    TOO_LARGE            "too-large"            413 "The request body is too large"
    URI_TOO_LONG         "uri-too-long"         414 "The address is too long"
    UNSUPPORTED_MEDIA    "unsupported-media"    415 "This content type is not understood here"
    VALIDATION           "validation"           422 "The request is not valid"
    KEY_REUSED           "idempotency-key-reused" 422 "This key stands for another request"
    HEADERS_TOO_LARGE    "headers-too-large"    431 "The request headers are too large"
    INTERNAL             "internal"             500 "Something went wrong here"
    BAD_GATEWAY          "bad-gateway"          502 "A role gave an answer that makes no sense"
    UNAVAILABLE          "unavailable"          503 "This cannot be answered just now"
    GATEWAY_TIMEOUT      "gateway-timeout"      504 "A role did not answer in time"
    INVALID_TOKEN        "invalid-token"        401 "This token is not valid, or not any more"
    WRONG_PASSWORD       "wrong-password"       401 "E-mail address and password do not belong together"
    FORBIDDEN            "forbidden"            403 "This account may not do this"
    TOO_MANY_ATTEMPTS    "too-many-attempts"    429 "There were too many failed attempts to sign in"
    LINK_VOID            "link-void"            410 "This link does not work any more"
    UNVERIFIED           "mailbox-unverified"   403 "This mailbox is not verified yet"
    TOO_MANY_LETTERS     "too-many-letters"     429 "This address gets enough letters for now"
    EXPECTATION_FAILED   "expectation-failed"   417 "What is expected cannot be met"
    MISDIRECTED          "misdirected"          421 "This is not the place for that name"
    RATE_LIMITED         "rate-limited"         429 "Too many requests"
    NOT_IMPLEMENTED      "not-implemented"      501 "There is no such method"
}

/// How often callers may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitKind {
    /// Anybody, from one address.
    Address,
    /// Whoever signs in, from one address.
    SignIn,
    /// An account, from anywhere.
    Account,
}

impl RateLimitKind {
    /// What it is called in headers and problems.
    pub fn name(self) -> &'static str {
        match self {
            RateLimitKind::Address => "default",
            RateLimitKind::SignIn => "sign-in",
            RateLimitKind::Account => "account",
        }
    }
}

/// One occurrence of a problem.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Its class.
    pub kind: &'static ProblemType,
    /// What happened, to what, and what to do; a sentence without full stop.
    pub detail: Cow<'static, str>,
    /// The single faults of a request that is not valid.
    pub errors: Vec<Fault>,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
    /// The role, or the part of one, that failed.
    pub upstream: Option<String>,
    /// E-mail addresses that no user has.
    pub unknown: Vec<String>,
    /// The limit that the caller has used up.
    pub violated: Option<RateLimitKind>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: &'static ProblemType, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            upstream: None,
            unknown: Vec::new(),
            violated: None,
        }
    }

    /// A request that was understood, and is wrong in these places.
    pub fn validation(errors: Vec<Fault>) -> Problem {
        let detail = match errors.as_slice() {
            [one] => format!("{} {}", one.pointer, one.detail),
            many => format!("{} places are not valid", many.len()),
        };
        Problem { errors, ..Problem::new(VALIDATION, detail) }
    }

    /// Something that works again by itself.
    pub fn unavailable(upstream: &str, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { retry_after: Some(1), upstream: Some(upstream.to_owned()), ..Problem::new(UNAVAILABLE, detail) }
    }

    /// Something we did wrong: the cause goes to the log, never to the caller.
    pub fn internal(cause: impl fmt::Display) -> Problem {
        tracing::error!(cause = %cause, "internal error");
        Problem::new(INTERNAL, "this is our fault, not yours; the log tells more under this Case-ID")
    }

    /// No user has this address.
    pub fn unknown_user(email: &str) -> Problem {
        Problem {
            unknown: vec![email.to_owned()],
            ..Problem::new(UNKNOWN_USER, format!("no user has the e-mail address {email}"))
        }
    }

    /// The answer of another role, read back; `None` if it is no problem document.
    pub fn read(status: StatusCode, body: &[u8]) -> Option<Problem> {
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
        let kind = KINDS.iter().find(|kind| kind.slug == slug && kind.status == status.as_u16())?;
        Some(Problem {
            kind,
            detail: document.detail.into(),
            errors: document.errors,
            retry_after: document.retry_after,
            upstream: document.upstream,
            unknown: document.unknown,
            violated: None,
        })
    }

    /// The document that the caller reads.
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
        if let Some(policy) = self.violated {
            put("violated-policies", json!([policy.name()]));
        }
        document.into()
    }

    /// The problem that a bare status stands for, where a library answered without a body.
    pub fn of_status(status: StatusCode) -> Problem {
        let kind = match status.as_u16() {
            404 => NOT_FOUND,
            code => KINDS.iter().copied().find(|kind| kind.status == code).unwrap_or(if status.is_server_error() {
                INTERNAL
            } else {
                BAD_REQUEST
            }),
        };
        let detail = match kind.status {
            404 => "no path of this API looks like this; / says where to begin",
            405 => "the Allow header lists the methods that this path answers to",
            _ => "the request was refused before it reached the API",
        };
        Problem::new(kind, detail)
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
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
    /// Only the status: `platform::server` writes the document, for it knows the request.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status())
    }
}

#[cfg(test)]
mod tests {
    use super::KINDS;

    #[test]
    fn the_manual_lists_every_kind_with_its_status() {
        let manual = include_str!("../../../docs/API.md");
        for kind in KINDS {
            let row = format!("| `/problems/{}` | {} |", kind.slug, kind.status);
            assert!(manual.contains(&row), "docs/API.md has no row {row}");
        }
    }
}
