//! The handlers of delegations. They need a session: no API key lets another one act.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;

use super::model::{Delegations, NewDelegation};
use crate::platform::auth::Caller;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, PathId};
use crate::platform::http::problem::{NOT_FOUND, Problem};
use crate::roles::user::store::Store;

/// `POST /auth/delegations`
pub async fn create_delegation(caller: Caller, store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let new = NewDelegation::read(body, caller.scope)?;
    let made = store.create_delegation(&caller, &new).await?;
    let location = format!("/api/auth/delegations/{}", made.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(made))
}

/// `GET /auth/delegations`
pub async fn list_delegations(caller: Caller, store: Data<Store>) -> HttpResult {
    Ok(HttpResponse::Ok().json(Delegations { delegations: store.delegations(&caller.id).await? }))
}

/// `DELETE /auth/delegations/{id}`
pub async fn delete_delegation(PathId(id): PathId, caller: Caller, store: Data<Store>) -> HttpResult {
    match store.delete_delegation(&caller, id).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(Problem::new(NOT_FOUND, format!("the account has no delegation with the id {id}"))),
    }
}
