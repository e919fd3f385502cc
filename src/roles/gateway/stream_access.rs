//! Whether the client of a live stream may go on reading: its session or its API key may end while the stream is open.

use actix_web::HttpRequest;
use actix_web::web::Data;

use super::ROLE;
use crate::platform::auth::layer::{bearer, on_behalf_of};
use crate::platform::auth::token::Claims;
use crate::platform::auth::verifier::{API_KEY_PREFIX, AccountProvider as _};
use crate::platform::auth::{Caller, Principal, unknown_caller};
use crate::platform::http::extract::UserKey;
use crate::platform::http::problem::Problem;
use crate::platform::request_context::RequestContext;
use crate::roles::user::api::access::SessionClient;

/// What a stream was opened with.
enum Credential {
    /// An access token. It may expire; its session counts.
    Session(Claims),
    Key {
        key: String,
        on_behalf_of: Option<UserKey>,
    },
}

/// What the owner of the accounts says of a credential.
pub enum Validity {
    /// It stands for this account now, which may have lost rights.
    Valid(Box<Caller>),
    Ended,
    /// The owner of the accounts is unavailable.
    Unknown,
}

/// The access of one stream.
pub struct StreamAccess {
    credential: Credential,
    accounts: Data<SessionClient>,
}

impl StreamAccess {
    /// The access of a request that was admitted; none for a caller who needs no account.
    ///
    /// # Errors
    /// 401, if the request was not admitted.
    pub fn read(req: &HttpRequest, principal: &Principal) -> Result<Option<StreamAccess>, Problem> {
        if matches!(principal, Principal::Anonymous) {
            return Ok(None);
        }
        let token = bearer(req.headers())?.ok_or_else(unknown_caller)?;
        let credential = match token.starts_with(API_KEY_PREFIX) {
            true => Credential::Key { key: token.to_owned(), on_behalf_of: on_behalf_of(req.headers())? },
            false => Credential::Session(Claims::of_verified(token).ok_or_else(unknown_caller)?),
        };
        let accounts = req.app_data::<Data<SessionClient>>().cloned();
        let accounts = accounts.ok_or_else(|| Problem::internal("the gateway has no client of the accounts"))?;
        Ok(Some(StreamAccess { credential, accounts }))
    }

    /// Asks the owner of the accounts.
    pub async fn check(&self) -> Validity {
        let asked = async {
            match &self.credential {
                Credential::Session(claims) => self.accounts.current_account(claims).await,
                Credential::Key { key, on_behalf_of } => {
                    self.accounts.resolve_api_key(key, on_behalf_of.as_ref()).await
                }
            }
        };
        match RequestContext::new(ROLE.name).scope(asked).await {
            Ok(caller) => Validity::Valid(Box::new(caller)),
            Err(problem) if problem.kind.status < 500 => Validity::Ended,
            Err(_) => Validity::Unknown,
        }
    }
}
