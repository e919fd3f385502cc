//! Accounts, sign-in and tokens.

use jiff::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::auth::Scope;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::TimeZone;

/// The caller's account.
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

/// A new account.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    email: Email,
    /// At most 1024 bytes, and not easy to guess.
    #[schema(format = Password, min_length = 15, max_length = 1024)]
    password: String,
    /// The default is the local part of the address.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    /// The default is `UTC`.
    time_zone: Option<TimeZone>,
}

/// The credentials of a sign-in.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    email: Email,
    #[schema(format = Password, max_length = 1024)]
    password: String,
}

/// The refresh token of a session.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refreshing {
    #[schema(min_length = 1, max_length = 200, format = "refresh-token")]
    refresh_token: String,
}

/// The tokens of a session.
#[derive(ToSchema)]
pub struct Tokens {
    /// Send it as `Authorization: Bearer`.
    access_token: String,
    /// `Bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    expires_in: u64,
    /// Works once, at `/api/auth/refresh`.
    refresh_token: String,
}

/// The tokens and the account after a sign-in.
#[derive(ToSchema)]
pub struct SignedIn {
    #[serde(flatten)]
    tokens: Tokens,
    account: Account,
}
