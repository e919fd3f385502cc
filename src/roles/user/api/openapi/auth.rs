//! Accounts: signing in, and staying so.

use jiff::Timestamp;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::auth::Scope;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{Json, TimeZone};
use crate::platform::http::openapi::{ApiOperation, get, post};
use crate::platform::http::problem::{INVALID_TOKEN, TOO_MANY_ATTEMPTS, USER_EXISTS, WRONG_PASSWORD};

/// An account, as its owner sees it.
#[derive(ToSchema)]
pub struct Account {
    id: Uuid,
    email: Email,
    name: String,
    time_zone: TimeZone,
    scope: Scope,
    email_verified_at: Option<Timestamp>,
    created_at: Timestamp,
}

/// An account to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    email: Email,
    /// Nothing that is easy to guess; at most 1024 bytes.
    #[schema(format = Password, min_length = 15, max_length = 1024)]
    password: String,
    /// The local part of the address if left out.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    /// `UTC` if left out.
    time_zone: Option<TimeZone>,
}

/// Who signs in.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    email: Email,
    #[schema(format = Password, max_length = 1024)]
    password: String,
}

/// A session, by the token that goes on with it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refreshing {
    #[schema(min_length = 1, max_length = 200, format = "refresh-token")]
    refresh_token: String,
}

/// What lets an account in.
#[derive(ToSchema)]
pub struct Tokens {
    /// To be sent as `Authorization: Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds for which the access token is good.
    expires_in: u64,
    /// Good once, at `/api/auth/refresh`.
    refresh_token: String,
}

/// What signing in brings.
#[derive(ToSchema)]
pub struct SignedIn {
    #[serde(flatten)]
    tokens: Tokens,
    account: Account,
}

pub fn paths() -> Vec<ApiOperation> {
    let person =
        json!({ "email": "mia.lund@example.com", "password": "the train to Lisbon was empty", "name": "Mia Lund" });
    vec![
        post("/api/auth/register", "register", "Makes an account, and signs it in.")
            .takes::<Registration>(Some(person))
            .answers::<SignedIn>(201, "Made")
            .sends("Location", "The path of its user.")
            .refuses(&[USER_EXISTS]),
        post("/api/auth/login", "login", "Signs an account in.")
            .takes::<SignIn>(None)
            .answers::<SignedIn>(200, "Signed in")
            .refuses(&[WRONG_PASSWORD, TOO_MANY_ATTEMPTS]),
        post("/api/auth/refresh", "refresh", "Gives the next tokens for a refresh token, which is good once.")
            .takes::<Refreshing>(None)
            .answers::<Tokens>(200, "The next tokens")
            .refuses(&[INVALID_TOKEN]),
        post("/api/auth/logout", "logout", "Ends the session of a refresh token.")
            .takes::<Refreshing>(None)
            .answer(204, "It is over"),
        get("/api/auth/me", "find_account", "Reads the account that is signed in.").answers::<Account>(200, "It"),
        get("/.well-known/jwks.json", "find_keys", "Reads what access tokens are verified with (RFC 7517).")
            .answers::<Json>(200, "A set of keys"),
    ]
}
