//! The handlers of registration, sign-in and sessions.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::passwords::Passwords;
use super::policy::{Password, new_password, typed_password};
use super::sessions::{Renewal, Session};
use super::store::{Account, wrong_password};
use crate::calendar::Zone;
use crate::config::Registration;
use crate::platform::auth::Caller;
use crate::platform::auth::token::Claims;
use crate::platform::auth::verifier::{AccountProvider as _, ended_session};
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, Params, UserKey, email, parsed, text};
use crate::platform::http::idempotency::StoredResponse;
use crate::platform::http::problem::{BAD_REQUEST, INVALID_TOKEN, Problem};
use crate::roles::user::accounts::handlers::{Cached, write};
use crate::roles::user::accounts::model::{Profile, User, typed_email};
use crate::roles::user::api::access::ExchangeRequest;
use crate::roles::user::api::problems::{REGISTRATION_CLOSED, TOO_MANY_ATTEMPTS, USER_EXISTS};
use crate::roles::user::store::Store;

const MAX_NAME: usize = 200;

/// `POST /auth/register`
pub async fn register(
    req: HttpRequest,
    users: Cached,
    passwords: Data<Passwords>,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let (new, password) = read_registration(&req, body)?;
    let store = &users.source().store;
    check_may_register(&store.auth.registration, &new.email)?;
    let taken = store.is_known(&new.email).await?;
    if taken {
        return Err(user_exists(&new.email));
    }
    let words = vec![new.email.to_string(), new.profile.name.clone()];
    let hash = passwords.hash(password, words).await?;
    let response = |_: &_| StoredResponse::new(201, &[], &Value::Null);
    let create = async |barred| users.source().create(&new, barred, None, Some(&hash), &response).await;
    write(&users, &new.email, create).await.map_err(|problem| match problem.kind {
        kind if kind == USER_EXISTS => user_exists(&new.email),
        _ => problem,
    })?;
    let account = store.account(&new.email).await?;
    let account = account.ok_or_else(|| Problem::internal("a new account is gone"))?;
    let mut response = session_response(store, account, StatusCode::CREATED).await?;
    let location = format!("/api/users/{}", new.email.path_segment());
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

fn read_registration(req: &HttpRequest, body: Value) -> Result<(User, Password), Problem> {
    let typed_email = typed_email(&body);
    let mut fields = Params::of_body(body)?.without_query(req);
    let address = fields.required("email", email);
    let password = fields.required("password", new_password);
    let name = fields.optional("name", text(MAX_NAME));
    let time_zone = fields.optional("time_zone", parsed("not_a_time_zone", Zone::parse));
    let registration = address.zip(password).map(|(email, password)| {
        let mut profile = Profile::of_address(&email);
        profile.name = name.unwrap_or(profile.name);
        profile.time_zone = time_zone.unwrap_or(profile.time_zone);
        (User::new(email, typed_email, profile), password)
    });
    fields.finish(registration)
}

/// Refuses an address that may not be registered here, whether or not it has an account.
fn check_may_register(registration: &Registration, email: &Email) -> Result<(), Problem> {
    let refused = |detail: String| Err(Problem::new(REGISTRATION_CLOSED, detail));
    match registration {
        Registration::Domains(domains) if domains.iter().any(|domain| domain == email.domain()) => Ok(()),
        Registration::Domains(domains) => {
            refused(format!("only addresses of {} may be registered here", domains.join(", ")))
        }
        Registration::Open => Ok(()),
        Registration::Closed => {
            let detail = "registration is closed: an administrator creates your user, then request a password at \
                          /api/auth/password/forgot";
            refused(detail.to_owned())
        }
    }
}

/// The problem of an address that has a user, with or without a password: the address alone proves nothing.
fn user_exists(email: &Email) -> Problem {
    let detail = format!(
        "{email} has an account. If it is yours, sign in. To set a password, request an e-mail at /api/auth/password/forgot"
    );
    Problem::new(USER_EXISTS, detail)
}

/// `POST /auth/login`
pub async fn login(
    req: HttpRequest,
    store: Data<Store>,
    passwords: Data<Passwords>,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let mut fields = Params::of_body(body)?.without_query(&req);
    let (address, password) = (fields.required("email", email), fields.required("password", typed_password));
    let (address, password) = fields.finish(address.zip(password))?;
    let account = authenticate(&store, &passwords, &address, password).await?;
    session_response(&store, account, StatusCode::OK).await
}

/// The account with this address and this password. The response and its time do not reveal whether the account exists.
///
/// # Errors
/// 401 for a wrong password, 429 after too many, 503 when too many requests wait.
pub async fn authenticate(
    store: &Store,
    passwords: &Passwords,
    email: &Email,
    password: Password,
) -> Result<Account, Problem> {
    // first: a full queue must not count as a failed attempt
    let permit = passwords.acquire()?;
    if let Some(wait) = store.begin_attempt(email).await? {
        let seconds = u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX);
        let detail = "too many failed attempts for this address; wait, or reset the password by e-mail";
        return Err(Problem { retry_after: Some(seconds), ..Problem::new(TOO_MANY_ATTEMPTS, detail) });
    }
    let account = store.account(email).await?;
    let hash = account.as_ref().map(|account| account.password_hash.as_str());
    let is_correct = passwords.verify(permit, password, hash).await?;
    match account {
        Some(account) if is_correct => {
            store.clear_failures(email).await?;
            Ok(account)
        }
        _ => Err(wrong_password()),
    }
}

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// Send it as `Authorization: Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token expires.
    expires_in: u64,
    /// Works once, at `/api/auth/refresh`.
    refresh_token: String,
}

/// The tokens and the account after a sign-in.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    #[serde(flatten)]
    tokens: Tokens,
    account: Account,
}

/// Opens a session of the account; the response has its tokens.
///
/// # Errors
/// 503 while the database is unavailable.
async fn session_response(store: &Store, account: Account, status: StatusCode) -> HttpResult {
    let session = store.open_session(&account).await?;
    let tokens = tokens(store, &account.caller(), session).await?;
    Ok(HttpResponse::build(status).insert_header(NO_STORE).json(SignedIn { tokens, account }))
}

const NO_STORE: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

async fn tokens(store: &Store, caller: &Caller, session: Session) -> Result<Tokens, Problem> {
    Ok(Tokens {
        access_token: store.sign(caller, &session.id).await?,
        token_type: "Bearer",
        expires_in: store.auth.token_seconds.into(),
        refresh_token: session.refresh_token,
    })
}

/// `POST /auth/refresh`: exchanges a refresh token for new tokens
pub async fn refresh(req: HttpRequest, store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let token = refresh_token(&req, body)?;
    match store.renew_session(&token).await? {
        Renewal::Renewed(session, caller) => {
            let tokens = tokens(&store, &caller, session).await?;
            Ok(HttpResponse::Ok().insert_header(NO_STORE).json(tokens))
        }
        Renewal::Reused => {
            tracing::warn!("a refresh token was reused: its session was ended");
            let detail = "this refresh token was used before and may be stolen: its session was ended, sign in again";
            Err(Problem::new(INVALID_TOKEN, detail))
        }
        Renewal::Unknown => {
            Err(Problem::new(INVALID_TOKEN, "this refresh token is invalid or has expired: sign in again"))
        }
    }
}

/// `POST /auth/logout`: ends the session of a refresh token; an unknown token is no error
pub async fn logout(req: HttpRequest, store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let token = refresh_token(&req, body)?;
    store.close_session(&token).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn refresh_token(req: &HttpRequest, body: Value) -> Result<String, Problem> {
    Params::of_body(body)?.without_query(req).only("refresh_token", text(200))
}

/// `GET /auth/me`
pub async fn me(caller: Caller, store: Data<Store>) -> HttpResult {
    let account = store.account(&caller.email).await?;
    let account = account.filter(|account| account.id == caller.id).ok_or_else(ended_session)?;
    Ok(HttpResponse::Ok().insert_header(NO_STORE).json(account))
}

/// `GET /.well-known/jwks.json`: the keys that verify access tokens
pub async fn find_keys(store: Data<Store>) -> HttpResult {
    Ok(HttpResponse::Ok().json(store.key_set().await?))
}

/// `POST /internal/sessions/check`: the current account of an access token whose signature the caller has verified
pub async fn check_session(store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let claims: Claims =
        serde_json::from_value(body).map_err(|_| Problem::new(BAD_REQUEST, "the body holds no claims of a token"))?;
    Ok(HttpResponse::Ok().json(store.current_account(&claims).await?))
}

/// `POST /internal/keys/exchange`: the account of an API key
pub async fn exchange_key(store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let request: ExchangeRequest =
        serde_json::from_value(body).map_err(|_| Problem::new(BAD_REQUEST, "the body is not valid"))?;
    let user = request.on_behalf_of.map(|user| UserKey::in_segment(&format!("/{user}"), 0)).transpose()?;
    Ok(HttpResponse::Ok().json(store.caller_of_api_key(&request.key, user.as_ref()).await?))
}
