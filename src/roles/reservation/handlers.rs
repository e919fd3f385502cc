//! The endpoints of holds, and the health of this role.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::api::{HeldTime, HeldTimeRequest, ROLE};
use super::store::Store;
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::Json;
use crate::platform::http::health::Report;
use crate::roles::user::api::{ByPerson, UserClient};

/// `POST /internal/holds/lookup`
pub async fn find_held_time(store: Data<Store>, Json(request): Json<HeldTimeRequest>) -> HttpResult {
    let HeldTimeRequest { emails, period, except } = request;
    let emails: Vec<&str> = emails.iter().map(Email::as_str).collect();
    let busy = store.held_time(&emails, period, except).await?;
    Ok(HttpResponse::Ok().json(HeldTime { busy: ByPerson(&busy) }))
}

/// `GET /health`
pub async fn health(store: Data<Store>, users: Data<UserClient>) -> HttpResponse {
    let db = &store.owner.db;
    let (own, users) = futures_util::future::join(db.health(), users.peer().health()).await;
    Report::new(ROLE, vec![(db.name().to_owned(), own), users], Vec::new()).answer()
}
