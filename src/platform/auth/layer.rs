//! The access check before the handlers of a role: it authenticates the caller and refuses what the account may not do.

use std::rc::Rc;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use super::permissions::{Access, Match, Permission, Table};
use super::service_credential::ServiceCredential;
use super::verifier::TokenVerifier;
use super::{AuthMethod, Caller, Scope, forbidden, unknown_caller};
use crate::config::{AuthMode, Settings};
use crate::platform::http::extract::UserKey;
use crate::platform::http::problem::{BAD_REQUEST, INVALID_TOKEN, Problem};
use crate::platform::request_context::ON_BEHALF_OF;

/// The paths that need no service credential and have no rate limit: a busy role must not look dead.
pub const PROBES: [&str; 3] = ["/livez", "/readyz", "/health"];

/// The access check before the handlers of a role; one for each worker thread.
pub struct AuthLayer {
    credential: Option<ServiceCredential>,
    tokens: Option<TokenCheck>,
}

/// The check of access tokens and API keys.
struct TokenCheck {
    verifier: Rc<dyn TokenVerifier>,
    /// The endpoints that are checked. If sign-in is optional: those that need an account anyway.
    table: Table,
    /// Whether sign-in is optional.
    is_open: bool,
}

impl AuthLayer {
    /// For an inner role without data: it checks the service credential alone.
    pub fn service_only(settings: &Settings) -> AuthLayer {
        AuthLayer { credential: ServiceCredential::of(settings), tokens: None }
    }

    /// For an inner role that owns data: it also checks the tokens that its callers pass on.
    pub fn resource_owner(settings: &Settings, table: Table, verifier: Rc<dyn TokenVerifier>) -> AuthLayer {
        let tokens = TokenCheck { verifier, table, is_open: settings.auth.mode == AuthMode::Open };
        AuthLayer { tokens: Some(tokens), ..AuthLayer::service_only(settings) }
    }

    /// For the role that clients call: it checks the tokens of requests to all public endpoints.
    pub fn public(settings: &Settings, table: Table, verifier: Rc<dyn TokenVerifier>) -> AuthLayer {
        AuthLayer { credential: None, ..AuthLayer::resource_owner(settings, table, verifier) }
    }

    /// Admits a request, and attaches its [`Caller`] if there is one.
    ///
    /// # Errors
    /// 400 for two tokens; 401 for a missing or invalid one; 403 if the account lacks the permission; 404 for a resource of another
    /// account, as for one that does not exist.
    pub async fn authorize(&self, req: &ServiceRequest) -> Result<(), Problem> {
        if let Some(credential) = &self.credential
            && !PROBES.contains(&req.uri().path())
        {
            credential.check(req.headers())?;
        }
        match &self.tokens {
            Some(tokens) => tokens.authorize(req).await,
            None => Ok(()),
        }
    }
}

impl TokenCheck {
    async fn authorize(&self, req: &ServiceRequest) -> Result<(), Problem> {
        let permission = match self.table.find(req.method().as_str(), req.uri().path()) {
            Match::Endpoint(permission) => permission,
            Match::Nothing if !self.is_open => return Err(Problem::no_such_path()),
            // the router responds
            Match::Nothing | Match::OtherMethod => return Ok(()),
        };
        let access = permission.access;
        if matches!(access, Access::Open | Access::Capability | Access::Service) {
            return Ok(());
        }
        let on_behalf_of = on_behalf_of(req.headers())?;
        let bearer = match bearer(req.headers())? {
            Some(bearer) => bearer,
            None if access == Access::Invited && on_behalf_of.is_none() => return Ok(()),
            None => return Err(unknown_caller()),
        };
        let needs_fresh_check = !req.method().is_safe() || access.always_needs_account();
        let caller = self.verifier.verify(bearer, on_behalf_of.as_ref(), needs_fresh_check).await?;
        check_method(&caller, permission, req.method())?;
        check_account(&caller, permission, req)?;
        req.extensions_mut().insert(caller);
        Ok(())
    }
}

/// Refuses what an API key may not do: a read-only key changes nothing, and no key creates another key.
fn check_method(caller: &Caller, permission: Permission, method: &Method) -> Result<(), Problem> {
    let AuthMethod::Key { writes } = caller.method else { return Ok(()) };
    if permission.access == Access::Person {
        return Err(forbidden("this needs a sign-in with the password; an API key is not enough"));
    }
    match writes || method == Method::GET || permission.is_read_only {
        true => Ok(()),
        false => Err(forbidden("this API key is read-only: create one with the scope `write`")),
    }
}

/// Refuses what the account may not do, as far as the path shows it. The handler checks the rest.
fn check_account(caller: &Caller, permission: Permission, req: &ServiceRequest) -> Result<(), Problem> {
    match (permission.access, permission.owner_segment) {
        _ if caller.scope == Scope::Admin => Ok(()),
        (Access::Admin, _) => Err(forbidden("only administrators of this installation may do this")),
        (Access::Owner, Some(segment)) => {
            let user = UserKey::in_segment(req.uri().path(), segment)?;
            let is_own = match &user {
                UserKey::Email(email) => *email == caller.email,
                UserKey::Id(id) => id.to_string() == caller.id,
            };
            // 403 would reveal that the account exists
            if is_own { Ok(()) } else { Err(Problem::unknown_user(&user.to_string())) }
        }
        (Access::Owner, None) => Err(Problem::no_such_path()),
        _ => Ok(()),
    }
}

/// The user on whose behalf a request is sent.
///
/// # Errors
/// 400 for anything but one user.
pub fn on_behalf_of(headers: &HeaderMap) -> Result<Option<UserKey>, Problem> {
    let mut values = headers.get_all(&ON_BEHALF_OF);
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let user = UserKey::in_segment(&format!("/{text}"), 0).ok().filter(|_| !text.contains('/'));
    match user.filter(|_| values.next().is_none()) {
        Some(user) => Ok(Some(user)),
        None => {
            let detail =
                "On-Behalf-Of must be the address or the id of one user, percent-encoded where it is not ASCII";
            Err(Problem::new(BAD_REQUEST, detail))
        }
    }
}

/// The token of a request.
///
/// # Errors
/// 400 for two tokens, 401 for something else.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::new(BAD_REQUEST, "the request has two Authorization headers: send one"));
    }
    let refused = |detail: &'static str| Err(Problem::new(INVALID_TOKEN, detail));
    let Ok(text) = value.to_str() else {
        return refused("the Authorization header has characters that no token has");
    };
    match text.split_once(' ').unwrap_or((text, "")) {
        ("", _) => refused("the Authorization header is empty: send `Authorization: Bearer`, a space and the token"),
        (scheme, "") if scheme.eq_ignore_ascii_case("bearer") => refused(
            "the Authorization header has no token after Bearer: send `Authorization: Bearer`, a space and the token",
        ),
        (_, "") => {
            refused("the Authorization header has no scheme: send `Authorization: Bearer`, a space and the token")
        }
        (scheme, token) if scheme.eq_ignore_ascii_case("bearer") => {
            // no early exit, so that the compiler checks many bytes at once
            let is_valid = token.bytes().fold(true, |valid, b| valid & b.is_ascii_graphic() & (b != b','));
            match is_valid {
                true => Ok(Some(token)),
                false => refused(
                    "the Authorization header has a space or a comma in its token: send one token after `Bearer` and one space",
                ),
            }
        }
        _ => refused("the scheme of the Authorization header is not Bearer, the only one that is accepted"),
    }
}
