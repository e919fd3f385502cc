//! Accounts: signing in, and staying so.

use jiff::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::auth::Scope;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::TimeZone;

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
