//! What other roles see of accounts: the keys that tokens are verified with, and who stands behind an API key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ROLE;
use crate::platform::auth::Caller;
use crate::platform::auth::token::{Claims, KeySet};
use crate::platform::auth::verifier::AccountProvider;
use crate::platform::http::extract::UserKey;
use crate::platform::http::problem::Problem;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// Asks who stands behind an API key; the answer is a [`Caller`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ExchangeRequest {
    /// The whole key.
    pub key: String,
    /// The user on whose behalf it acts, as a segment of a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
}

/// How long a read-only request may use a session or an account that has ended or changed.
pub const SESSION_FRESHNESS: Duration = Duration::from_secs(5);

/// The accounts, as other roles see them. A role that owns data `CHECKS_SESSIONS`: before a request changes something, it asks whether
/// the session exists. For a role that only forwards requests, the signature is enough.
pub struct RemoteAccounts<const CHECKS_SESSIONS: bool>(Peer);

/// The accounts for a role that only forwards requests.
pub type AccountClient = RemoteAccounts<false>;

/// The accounts for a role that owns data.
pub type SessionClient = RemoteAccounts<true>;

impl<const CHECKS_SESSIONS: bool> RemoteAccounts<CHECKS_SESSIONS> {
    /// For one worker thread.
    pub fn new(context: &Context) -> Self {
        RemoteAccounts(Peer::new(context, ROLE))
    }
}

impl<const CHECKS_SESSIONS: bool> AccountProvider for RemoteAccounts<CHECKS_SESSIONS> {
    const TOKEN_FRESHNESS: Option<Duration> = if CHECKS_SESSIONS { Some(SESSION_FRESHNESS) } else { None };
    /// An owner of data refuses a revoked key at once. Until then it may open the gateway.
    const API_KEY_FRESHNESS: Duration = if CHECKS_SESSIONS { Duration::ZERO } else { Duration::from_secs(5) };

    async fn keys(&self) -> Result<KeySet, Problem> {
        self.0.call(RpcRequest::get("/.well-known/jwks.json")).await
    }

    async fn current_account(&self, claims: &Claims) -> Result<Caller, Problem> {
        if CHECKS_SESSIONS {
            return self.0.call(RpcRequest::query_by_post("/internal/sessions/check", claims)?).await;
        }
        Ok(claims.caller())
    }

    async fn resolve_api_key(&self, key: &str, on_behalf_of: Option<&UserKey>) -> Result<Caller, Problem> {
        let request = ExchangeRequest { key: key.to_owned(), on_behalf_of: on_behalf_of.map(UserKey::path_segment) };
        self.0.call(RpcRequest::query_by_post("/internal/keys/exchange", &request)?).await
    }
}
