//! What other roles see of accounts: the keys that tokens are verified with, and who stands behind an API key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ROLE;
use crate::platform::auth::Caller;
use crate::platform::auth::token::{Claims, KeySet};
use crate::platform::auth::verifier::AccountProvider;
use crate::platform::http::problem::Problem;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// Asks who stands behind an API key; the answer is a [`Caller`].
#[derive(Debug, Serialize, Deserialize)]
pub struct ExchangeRequest {
    /// The whole key.
    pub key: String,
}

/// How long a read-only request may use a session or an account that has ended or changed.
pub const SESSION_FRESHNESS: Duration = Duration::from_secs(5);

/// The accounts, as a role sees them that only forwards requests: it checks signatures.
pub struct AccountClient(Peer);

impl AccountClient {
    /// For one worker thread.
    pub fn new(context: &Context) -> AccountClient {
        AccountClient(Peer::new(context, ROLE))
    }
}

impl AccountProvider for AccountClient {
    const TOKEN_FRESHNESS: Option<Duration> = None;
    /// So long a key that was taken back may still open the gateway; whoever owns the data looks each time.
    const API_KEY_FRESHNESS: Duration = Duration::from_secs(5);

    async fn keys(&self) -> Result<KeySet, Problem> {
        self.0.call(RpcRequest::get("/.well-known/jwks.json")).await
    }

    /// The signature is enough here: whoever owns the data looks again.
    async fn current_account(&self, claims: &Claims) -> Result<Caller, Problem> {
        Ok(claims.caller())
    }

    async fn resolve_api_key(&self, key: &str) -> Result<Caller, Problem> {
        self.0
            .call(RpcRequest::query_by_post("/internal/keys/exchange", &ExchangeRequest { key: key.to_owned() })?)
            .await
    }
}

/// The accounts, as a role sees them that owns data: before a request changes something, it asks whether the session exists.
pub struct SessionClient(AccountClient);

impl SessionClient {
    /// For one worker thread.
    pub fn new(context: &Context) -> SessionClient {
        SessionClient(AccountClient::new(context))
    }
}

impl AccountProvider for SessionClient {
    const TOKEN_FRESHNESS: Option<Duration> = Some(SESSION_FRESHNESS);
    /// A revoked key is refused at once.
    const API_KEY_FRESHNESS: Duration = Duration::ZERO;

    async fn keys(&self) -> Result<KeySet, Problem> {
        self.0.keys().await
    }

    async fn current_account(&self, claims: &Claims) -> Result<Caller, Problem> {
        self.0.0.call(RpcRequest::query_by_post("/internal/sessions/check", claims)?).await
    }

    async fn resolve_api_key(&self, key: &str) -> Result<Caller, Problem> {
        self.0.resolve_api_key(key).await
    }
}
