//! The door of a role: who calls is found out here, and what the table does not allow goes no further.

use std::rc::Rc;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use super::permissions::{Access, Match, ON_BEHALF_OF, READ_ONLY_POSTS, RULES, Rule, Table};
use super::service_credential::ServiceCredential;
use super::verifier::{TokenVerifier, invalid};
use super::{AuthMethod, Caller, Scope, forbidden, unknown_caller};
use crate::config::AuthMode;
use crate::platform::http::extract::email_in_path;
use crate::platform::http::problem::{BAD_REQUEST, NOT_FOUND, Problem};
use crate::platform::role::Context;

/// What every role tells everybody; no more than how it does.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/health"];
/// Between roles only.
const INTERNAL: &str = "/internal/";

/// What stands before the handlers of a role; one for each worker thread.
pub struct AuthLayer {
    credential: Option<ServiceCredential>,
    gate: Option<Gate>,
}

/// The part that looks at tokens.
struct Gate {
    identities: Rc<dyn TokenVerifier>,
    table: Table,
    outer: bool,
    open: bool,
    /// Where access is open these paths look at tokens all the same.
    auth: &'static str,
}

impl AuthLayer {
    /// For a role that only other roles call, and that keeps nothing of anybody's.
    pub fn inner(context: &Context) -> AuthLayer {
        AuthLayer { credential: ServiceCredential::of(&context.settings), gate: None }
    }

    /// For a role that only other roles call, and that owns what they ask for: it looks at the tokens that they pass on.
    pub fn of_owner(context: &Context, identities: Rc<dyn TokenVerifier>) -> AuthLayer {
        AuthLayer { gate: Some(Gate::new(context, identities, &[])), ..AuthLayer::inner(context) }
    }

    /// For the role that clients call. `more` are rows beside those of the table.
    pub fn outer(context: &Context, identities: Rc<dyn TokenVerifier>, more: &'static [Rule]) -> AuthLayer {
        AuthLayer { credential: None, gate: Some(Gate::new(context, identities, more)) }
    }

    /// Lets a request in, with its [`Caller`] if there is one.
    ///
    /// # Errors
    /// 400 for two tokens; 401 for none, or a wrong one; 403 for what the account may not do; 404 for what is somebody else's, as
    /// for what does not exist.
    pub async fn admit(&self, req: &ServiceRequest) -> Result<(), Problem> {
        if let Some(credential) = &self.credential
            && !PROBES.contains(&req.uri().path())
        {
            credential.check(req.headers())?;
        }
        match &self.gate {
            Some(gate) => gate.admit(req).await,
            None => Ok(()),
        }
    }
}

impl Gate {
    fn new(context: &Context, identities: Rc<dyn TokenVerifier>, more: &'static [Rule]) -> Gate {
        let outer = context.role.faces_clients;
        let (prefix, auth, between) = match outer {
            true => ("", "/api/auth/", &[][..]),
            false => ("/api", "/auth/", ON_BEHALF_OF),
        };
        let table = Table::new(RULES.iter().chain(more).chain(between), prefix);
        Gate { identities, table, outer, open: context.settings.auth.mode == AuthMode::Open, auth }
    }

    async fn admit(&self, req: &ServiceRequest) -> Result<(), Problem> {
        let path = req.uri().path();
        if self.open && !path.starts_with(self.auth) {
            return Ok(());
        }
        let (who, owner) = match self.table.find(req.method().as_str(), path) {
            Match::Rule(who, owner) => (who, owner),
            Match::OtherMethod => return Ok(()),
            Match::Nothing if !self.outer && path.starts_with(INTERNAL) => return Ok(()),
            Match::Nothing => return Err(nothing()),
        };
        if matches!(who, Access::Open | Access::Token) {
            return Ok(());
        }
        let bearer = match bearer(req.headers())? {
            Some(bearer) => bearer,
            None if who == Access::Invited => return Ok(()),
            None => return Err(unknown_caller()),
        };
        let lasts = !req.method().is_safe() || path.starts_with(self.auth);
        let caller = self.identities.verify(bearer, lasts).await?;
        allow_means(&caller, who, req)?;
        allow(&caller, who, owner, req)?;
        req.extensions_mut().insert(caller);
        Ok(())
    }
}

/// What a program may do with its key: ask, or change things too, if it was made for that. No key makes another one.
fn allow_means(caller: &Caller, who: Access, req: &ServiceRequest) -> Result<(), Problem> {
    let AuthMethod::Key { writes } = caller.means else { return Ok(()) };
    if who == Access::Person {
        return Err(forbidden("no API key can do this: sign in with the password"));
    }
    match writes || req.method() == Method::GET || READ_ONLY_POSTS.contains(&req.uri().path()) {
        true => Ok(()),
        false => Err(forbidden("this API key may only read: make one with the scope write")),
    }
}

/// What can be seen from the path and the account alone; the rest is the handler's.
fn allow(caller: &Caller, who: Access, owner: Option<usize>, req: &ServiceRequest) -> Result<(), Problem> {
    match (who, owner) {
        _ if caller.scope == Scope::Admin => Ok(()),
        (Access::Admin, _) => Err(forbidden("this is for those who look after this installation")),
        (Access::Owner, Some(segment)) => {
            let email = email_in_path(req.request(), segment)?;
            // not 403: that would say that there is somebody
            if email == caller.email { Ok(()) } else { Err(Problem::unknown_user(email.as_str())) }
        }
        (Access::Owner, None) => Err(nothing()),
        _ => Ok(()),
    }
}

/// The token of a request, if it has one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::new(BAD_REQUEST, "there are two Authorization headers, and only one may count"));
    }
    let text = value.to_str().map_err(|_| invalid())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(invalid)?;
    // without an early end: many bytes are looked at together then
    let tidy = token.bytes().fold(!token.is_empty(), |tidy, b| tidy & b.is_ascii_graphic() & (b != b','));
    if scheme.eq_ignore_ascii_case("bearer") && tidy { Ok(Some(token)) } else { Err(invalid()) }
}

fn nothing() -> Problem {
    Problem::new(NOT_FOUND, "no path of this API looks like this; / says where to begin")
}
