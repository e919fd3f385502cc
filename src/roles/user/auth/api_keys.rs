//! API keys: for apps and bots, that do not sign in. What they are is in `user/api_keys`.

use crate::platform::auth::Caller;
use crate::platform::auth::verifier::invalid;
use crate::platform::http::problem::Problem;
use crate::roles::user::api_keys::model::read;
use crate::roles::user::store::Store;

/// The account behind a key.
///
/// # Errors
/// 401 for a key that is none.
pub async fn exchange(store: &Store, key: &str) -> Result<Caller, Problem> {
    let (id, hash) = read(key).ok_or_else(invalid)?;
    let caller = store.caller_of_key(id, &hash).await.map_err(|why| store.owner.read_problem(&why))?;
    caller.ok_or_else(invalid)
}
