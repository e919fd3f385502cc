//! The accounts, for the verification of tokens by this role: it checks that the session and the account still exist.

use std::time::Duration;

use crate::platform::auth::Caller;
use crate::platform::auth::token::{Claims, KeySet};
use crate::platform::auth::verifier::{AccountProvider, ended_session};
use crate::platform::http::extract::UserKey;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::access::SESSION_FRESHNESS;
use crate::roles::user::store::Store;

impl AccountProvider for Store {
    const TOKEN_FRESHNESS: Option<Duration> = Some(SESSION_FRESHNESS);
    /// A revoked key is refused at once.
    const API_KEY_FRESHNESS: Duration = Duration::ZERO;

    async fn keys(&self) -> Result<KeySet, Problem> {
        Ok(self.key_set().await?)
    }

    async fn current_account(&self, claims: &Claims) -> Result<Caller, Problem> {
        let found = self.session_of(&claims.sid, &claims.sub).await?;
        found.filter(|caller| caller.email == claims.email).ok_or_else(ended_session)
    }

    async fn resolve_api_key(&self, key: &str, on_behalf_of: Option<&UserKey>) -> Result<Caller, Problem> {
        self.caller_of_api_key(key, on_behalf_of).await
    }
}
