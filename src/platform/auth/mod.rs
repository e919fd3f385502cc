//! Who calls, and what they may do.
//!
//! - [`table`] says who may do what: one row for each public path and method.
//! - [`door`] stands before every handler: it finds out who calls, and refuses what the table does not allow.
//! - [`identities`] is what proves who calls. Only it knows of tokens and keys; another way of proving it is added there.
//! - [`credential`] is what the roles show each other.
//!
//! A handler that needs an account takes a [`Caller`] among its arguments. One that works in open access, too, takes an
//! [`Principal`]: an account, or anybody.

pub mod layer;
pub mod permissions;
pub mod service_credential;
pub mod token;
pub mod verifier;

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use serde::{Deserialize, Serialize};

use crate::config::AuthMode;
use crate::platform::email::Email;
use crate::platform::http::problem::{FORBIDDEN, INVALID_TOKEN, Problem, UNAUTHORIZED};
use crate::platform::role::Context;

/// A person's rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// What is theirs.
    User,
    /// Everything.
    Admin,
}

/// The account that a request was made with; lies in the request's extensions once it is known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Caller {
    /// The account's id.
    pub id: String,
    /// Its address.
    pub email: Email,
    /// Its rights.
    pub scope: Scope,
    /// What was shown for it.
    pub means: AuthMethod,
}

/// How an account proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// Somebody has signed in: the access token of this session, if it has begun.
    Session(Option<String>),
    /// A program has an API key, to ask with, or to change things with, too.
    Key {
        /// Whether it may change things.
        writes: bool,
    },
}

/// On whose behalf a handler works.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Access is open: everybody may do everything.
    Anybody,
    /// This account.
    Account(Caller),
}

impl Principal {
    /// Whether what belongs to this user is theirs to see and to change. An admin may do all.
    pub fn is(&self, email: &Email) -> bool {
        match self {
            Principal::Anybody => true,
            Principal::Account(caller) => caller.scope == Scope::Admin || caller.email == *email,
        }
    }

    /// The account, unless it may do everything.
    pub fn bound(&self) -> Option<&Caller> {
        match self {
            Principal::Account(caller) if caller.scope != Scope::Admin => Some(caller),
            _ => None,
        }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(req.extensions().get::<Rc<Caller>>().map(|caller| Caller::clone(caller)).ok_or_else(unknown_caller))
    }
}

impl FromRequest for Principal {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        if let Some(caller) = req.extensions().get::<Rc<Caller>>() {
            return ready(Ok(Principal::Account(Caller::clone(caller))));
        }
        // the door lets nobody through whom it does not know; should it ever, this does not
        let open = req.app_data::<Data<Context>>().is_some_and(|it| it.settings.auth.mode == AuthMode::Open);
        ready(if open { Ok(Principal::Anybody) } else { Err(unknown_caller()) })
    }
}

/// Nobody signed in.
pub fn unknown_caller() -> Problem {
    Problem::new(UNAUTHORIZED, "sign in at /api/auth/login, and send the access token as Authorization: Bearer")
}

/// The account is known, and may not do this.
pub fn forbidden(detail: &'static str) -> Problem {
    Problem::new(FORBIDDEN, detail)
}

/// What `WWW-Authenticate` says beside a problem (RFC 6750, 3); `None` where it says nothing.
pub fn challenge(problem: &Problem) -> Option<HeaderValue> {
    let error = match problem.kind {
        kind if kind == INVALID_TOKEN => ", error=\"invalid_token\", error_description=\"sign in again, or refresh\"",
        kind if kind == FORBIDDEN => ", error=\"insufficient_scope\"",
        kind if kind.status == 401 => "",
        _ => return None,
    };
    HeaderValue::from_str(&format!("Bearer realm=\"w2meet\"{error}")).ok()
}
