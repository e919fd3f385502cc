//! The handlers of API keys. They need a session: an API key cannot create API keys.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::Data;

use super::model::{ApiKeys, CreatedApiKey, GeneratedKey, NewApiKey};
use crate::platform::auth::Caller;
use crate::platform::data::instant::now;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, PathId};
use crate::platform::http::problem::{NOT_FOUND, Problem};
use crate::roles::user::store::Store;

/// `POST /auth/keys`: the only response with the key. Without an Idempotency-Key: a stored response would contain the key
pub async fn create_key(caller: Caller, store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let new = NewApiKey::read(body, caller.scope, now())?;
    let generated = GeneratedKey::new();
    let public = store.create_api_key(&caller, &new, &generated).await?;
    let location = format!("/api/auth/keys/{}", public.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(CreatedApiKey { public, key: generated.key }))
}

/// `GET /auth/keys`
pub async fn list_keys(caller: Caller, store: Data<Store>) -> HttpResult {
    let keys = store.api_keys(&caller.id).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(ApiKeys { keys }))
}

/// `DELETE /auth/keys/{id}`
pub async fn revoke_key(PathId(id): PathId, caller: Caller, store: Data<Store>) -> HttpResult {
    match store.revoke_api_key(&caller.id, id).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(Problem::new(NOT_FOUND, format!("the account has no API key with the id {id}"))),
    }
}
