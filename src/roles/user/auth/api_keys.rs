//! Resolves API keys to accounts.

use crate::platform::auth::Caller;
use crate::platform::auth::verifier::invalid;
use crate::platform::http::problem::Problem;
use crate::roles::user::api_keys::model::parse;
use crate::roles::user::store::Store;

/// The account behind a key.
///
/// # Errors
/// 401 for an unknown or expired key.
pub async fn resolve(store: &Store, key: &str) -> Result<Caller, Problem> {
    let (id, hash) = parse(key).ok_or_else(invalid)?;
    let caller = store.caller_of_key(id, &hash).await?;
    caller.ok_or_else(invalid)
}
