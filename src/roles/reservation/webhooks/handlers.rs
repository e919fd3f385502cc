//! The handlers of an account's webhooks.

use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use uuid::Uuid;

use super::model::{CreatedWebhook, NewWebhook, Webhook, Webhooks};
use crate::platform::auth::{Principal, forbidden};
use crate::platform::data::instant::now;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, PathId, UserKey};
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::{NOT_FOUND, Problem};
use crate::platform::outbound::SsrfGuard;
use crate::roles::reservation::meetings::access::check_verified;
use crate::roles::reservation::meetings::handlers::deliveries_about;
use crate::roles::reservation::store::Store;
use crate::roles::user::api::{Person, UserClient};

/// `POST /users/{user}/webhooks`: the only response with the secret
pub async fn create_webhook(
    req: HttpRequest,
    principal: Principal,
    user: UserKey,
    store: Data<Store>,
    users: Data<UserClient>,
    guard: Data<SsrfGuard>,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let key = IdempotencyKey::read(&req, principal.account_id(), &body)?;
    let new = NewWebhook::read(body, &guard)?;
    if principal.actor().is_some() {
        // it would go on when the delegation is taken back
        return Err(forbidden("a bot registers webhooks for its own account only: leave On-Behalf-Of out"));
    }
    // another person may have registered the address
    check_verified(&principal, &store.auth)?;
    let person = find_person(&users, user).await?;
    let webhook = Webhook {
        id: Uuid::now_v7(),
        account: person.id.to_string(),
        url: new.url,
        secret: new.secret,
        events: new.events,
        created_at: now(),
    };
    let location = format!("/api/users/{}/webhooks/{}", person.email.path_segment(), webhook.id);
    let created = json!(CreatedWebhook { webhook: webhook.view(), secret: &webhook.secret });
    let response = StoredResponse::new(201, &[(LOCATION.as_str(), location)], &created).about(webhook.id);
    Ok(store.create_webhook(&person, &webhook, key.as_ref(), response).await?.respond())
}

/// `GET /users/{user}/webhooks`
pub async fn list_webhooks(user: UserKey, store: Data<Store>, users: Data<UserClient>) -> HttpResult {
    let found = store.webhooks(&find_person(&users, user).await?.id.to_string()).await?;
    Ok(HttpResponse::Ok().json(Webhooks { webhooks: found.iter().map(Webhook::view).collect() }))
}

/// `GET /users/{user}/webhooks/{id}`
pub async fn find_webhook(
    user: UserKey,
    PathId(id): PathId,
    store: Data<Store>,
    users: Data<UserClient>,
) -> HttpResult {
    Ok(HttpResponse::Ok().json(find(&store, &users, user, id).await?.view()))
}

/// `GET /users/{user}/webhooks/{id}/deliveries`: every attempt to deliver an event
pub async fn list_deliveries(
    user: UserKey,
    PathId(id): PathId,
    store: Data<Store>,
    users: Data<UserClient>,
) -> HttpResult {
    let webhook = find(&store, &users, user, id).await?;
    deliveries_about(&store, webhook.id).await
}

/// `DELETE /users/{user}/webhooks/{id}`: the webhook is told nothing more
pub async fn delete_webhook(
    user: UserKey,
    PathId(id): PathId,
    store: Data<Store>,
    users: Data<UserClient>,
) -> HttpResult {
    let account = find_person(&users, user).await?.id.to_string();
    match store.delete_webhook(&account, id).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(unknown(id)),
    }
}

async fn find(store: &Store, users: &UserClient, user: UserKey, id: Uuid) -> Result<Webhook, Problem> {
    let account = find_person(users, user).await?.id.to_string();
    let mut mine = store.webhooks(&account).await?.into_iter();
    mine.find(|webhook| webhook.id == id).ok_or_else(|| unknown(id))
}

/// Finds the user that the path names.
async fn find_person(users: &UserClient, user: UserKey) -> Result<Person, Problem> {
    let email = users.email_of(user).await?;
    let found = users.people(std::slice::from_ref(&email)).await?.people;
    found.into_iter().next().ok_or_else(|| Problem::unknown_user(email.as_str()))
}

fn unknown(id: Uuid) -> Problem {
    Problem::new(NOT_FOUND, format!("the account has no webhook with the id {id}"))
}
