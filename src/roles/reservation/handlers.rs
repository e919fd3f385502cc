//! The endpoints of holds, and the health of this role.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::api::{AcceptedRequest, HeldTime, HeldTimeRequest, ROLE};
use super::store::Store;
use crate::platform::auth::Caller;
use crate::platform::data::instant::now;
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::Json;
use crate::platform::http::health::HealthCheck;
use crate::platform::owner_service::queue_health;
use crate::platform::role::Context;
use crate::roles::user::api::{ByPerson, UserClient};

/// `POST /internal/holds/lookup`
pub async fn find_held_time(store: Data<Store>, Json(request): Json<HeldTimeRequest>) -> HttpResult {
    let HeldTimeRequest { emails, period, except } = request;
    let emails: Vec<&str> = emails.iter().map(Email::as_str).collect();
    let busy = store.held_time(&emails, period, except).await?;
    Ok(HttpResponse::Ok().json(HeldTime { busy: ByPerson(&busy) }))
}

/// `POST /internal/accepted`: those of some people who have accepted a coming meeting of the caller
pub async fn find_accepted(caller: Caller, store: Data<Store>, Json(request): Json<AcceptedRequest>) -> HttpResult {
    let accepted = store.accepted_by(&caller.id, &request.emails, now()).await?;
    Ok(HttpResponse::Ok().json(accepted))
}

/// `GET /health`
pub async fn health(
    req: HttpRequest,
    store: Data<Store>,
    users: Data<UserClient>,
    context: Data<Context>,
    check: Data<HealthCheck>,
) -> HttpResponse {
    let own = async { (vec![store.owner.db_health().await], vec![queue_health(&store.owner, &context)]) };
    let peers = async { vec![users.peer().health().await] };
    check.respond(&req, ROLE, own, peers).await
}
