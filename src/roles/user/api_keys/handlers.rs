//! The endpoints of keys. A key cannot make keys: these ask for a session, as the table of who may do what says.

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::model::{ApiKey, Drawn, Wish};
use crate::platform::auth::Caller;
use crate::platform::data::instant::now;
use crate::platform::http::extract::JsonBody;
use crate::platform::http::extract::id_in_path;
use crate::platform::http::problem::{NOT_FOUND, Problem};
use crate::roles::user::store::Store;

type Answer = Result<HttpResponse, Problem>;

/// `POST /auth/keys`: the only answer that ever holds the key. No Idempotency-Key: an answer that is kept would hold it, too.
pub async fn create_key(caller: Caller, store: Data<Store>, JsonBody(body): JsonBody) -> Answer {
    let wish = Wish::read(body, caller.scope, now())?;
    let drawn = Drawn::new();
    let made = store.create_api_key(&caller.id, &wish, &drawn).await.map_err(|stop| store.owner.problem(stop))?;
    let mut shown = made.public();
    shown["key"] = json!(drawn.key);
    let location = format!("/api/auth/keys/{}", made.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(shown))
}

/// `GET /auth/keys`
pub async fn list_keys(caller: Caller, store: Data<Store>) -> Answer {
    let keys = store.api_keys(&caller.id).await.map_err(|why| store.owner.read_problem(&why))?;
    let keys: Vec<_> = keys.iter().map(ApiKey::public).collect();
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "keys": keys })))
}

/// `DELETE /auth/keys/{id}`: what comes with it from now on is refused
pub async fn revoke_key(req: HttpRequest, caller: Caller, store: Data<Store>) -> Answer {
    let id = id_in_path(&req)?;
    match store.revoke_api_key(&caller.id, id).await.map_err(|why| store.owner.read_problem(&why))? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(Problem::new(NOT_FOUND, format!("you have no key with the id {id}"))),
    }
}
