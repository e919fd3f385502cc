//! Authentication and access: which account sends a request, and what that account may do.
//!
//! - [`permissions`] finds the endpoint of a request and says who may call it.
//! - [`layer`] runs before every handler and refuses what is not allowed.
//! - [`verifier`] verifies access tokens and API keys; another kind of token is added there.
//! - [`service_credential`] is what roles show each other.
//!
//! A handler that needs an account takes a [`Caller`] among its arguments. A handler that also works without sign-in takes a
//! [`Principal`].

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

use crate::config::{AuthMode, Settings};
use crate::platform::email::Email;
use crate::platform::http::problem::{FORBIDDEN, INVALID_TOKEN, Problem, UNAUTHORIZED};

/// The rights of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// May read and change its own things.
    User,
    /// May do everything.
    Admin,
}

/// The account that sends a request. [`layer`] puts it into the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Caller {
    /// The account's id.
    pub id: String,
    /// Its address.
    pub email: Email,
    /// Its rights.
    pub scope: Scope,
    /// Whether it has proved that it reads its mailbox. A role that only checks signatures does not know: `false`.
    pub email_verified: bool,
    /// How it authenticated.
    #[serde(rename = "means")]
    pub method: AuthMethod,
    /// The bot that acts on behalf of this account, if it is not the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

/// A bot whose API key acts on behalf of another account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Actor {
    /// The id of the bot's account.
    pub id: String,
    /// The address of the bot's account.
    pub email: Email,
    /// The name of the API key.
    pub key: String,
}

/// How an account authenticates.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// By an access token of this session.
    Session(Option<String>),
    /// By an API key.
    Key {
        /// Whether the key may change things.
        writes: bool,
    },
}

/// The party on whose behalf a handler works.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A caller without an account, where callers need not sign in. It may do everything.
    Anonymous,
    /// This account.
    Account(Caller),
}

impl Principal {
    /// Whether the principal may see and change the things of this user.
    pub fn may_act_for(&self, email: &Email) -> bool {
        match self {
            Principal::Anonymous => true,
            Principal::Account(caller) => caller.scope == Scope::Admin || caller.email == *email,
        }
    }

    /// The id of the account.
    pub fn account_id(&self) -> Option<&str> {
        match self {
            Principal::Anonymous => None,
            Principal::Account(caller) => Some(&caller.id),
        }
    }

    /// The bot that acts on behalf of the account.
    pub fn actor(&self) -> Option<&Actor> {
        match self {
            Principal::Anonymous => None,
            Principal::Account(caller) => caller.actor.as_ref(),
        }
    }

    /// The account, unless it may do everything.
    pub fn restricted(&self) -> Option<&Caller> {
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
        // the layer has refused unknown callers already; this refuses them again
        let is_open = req.app_data::<Data<Settings>>().is_some_and(|settings| settings.auth.mode == AuthMode::Open);
        ready(if is_open { Ok(Principal::Anonymous) } else { Err(unknown_caller()) })
    }
}

/// The problem of a request without a token.
pub fn unknown_caller() -> Problem {
    Problem::new(UNAUTHORIZED, "sign in and send the access token as Authorization: Bearer")
}

/// The problem of an account that may not do this.
pub fn forbidden(detail: &'static str) -> Problem {
    Problem::new(FORBIDDEN, detail)
}

/// The value of `WWW-Authenticate` for a problem (RFC 6750, 3).
pub fn challenge(problem: &Problem) -> Option<HeaderValue> {
    let error = match problem.kind {
        kind if kind == INVALID_TOKEN => {
            let is_allowed = |c: &char| matches!(c, ' '..='~') && !['"', '\\'].contains(c);
            let description: String = problem.detail.chars().filter(is_allowed).collect();
            format!(", error=\"invalid_token\", error_description=\"{description}\"")
        }
        kind if kind == FORBIDDEN => ", error=\"insufficient_scope\"".to_owned(),
        kind if kind.status == 401 => String::new(),
        _ => return None,
    };
    HeaderValue::from_str(&format!("Bearer realm=\"w2meet\"{error}")).ok()
}
