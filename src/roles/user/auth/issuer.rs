//! Verifying tokens where the accounts are: the signature, and then whether the session and the account are still there.

use std::time::Duration;

use super::api_keys;
use crate::platform::auth::Caller;
use crate::platform::auth::token::{Claims, KeySet};
use crate::platform::auth::verifier::{AccountProvider, invalid};
use crate::platform::http::problem::Problem;
use crate::roles::user::store::Store;

/// How long an ended session, a deleted account or other rights may go unnoticed by what only reads.
pub const FRESH: Duration = Duration::from_secs(5);

/// The accounts themselves.
pub struct Own(pub Store);

impl AccountProvider for Own {
    const TOKEN_FRESHNESS: Option<Duration> = Some(FRESH);
    /// A key that is taken back is taken back at once.
    const API_KEY_FRESHNESS: Duration = Duration::ZERO;

    async fn keys(&self) -> Result<KeySet, Problem> {
        self.0.key_set().await.map_err(|why| self.0.owner.read_problem(&why))
    }

    async fn current_account(&self, claims: &Claims) -> Result<Caller, Problem> {
        let found = self.0.session_of(&claims.sid, &claims.sub).await.map_err(|why| self.0.owner.read_problem(&why))?;
        found.filter(|caller| caller.email == claims.email).ok_or_else(invalid)
    }

    async fn resolve_api_key(&self, key: &str) -> Result<Caller, Problem> {
        api_keys::exchange(&self.0, key).await
    }
}
