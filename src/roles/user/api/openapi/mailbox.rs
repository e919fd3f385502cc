//! Mailboxes, passwords and keys: what an account has besides a session.

use jiff::Timestamp;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::email::Email;

/// What came with a letter.
#[derive(IntoParams)]
pub struct Link {
    /// The code in the link.
    #[param(pattern = "^[0-9a-f]{1,200}$")]
    pub token: String,
}

/// A code out of a letter.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    #[schema(pattern = "^[0-9a-f]{1,200}$")]
    token: String,
}

/// Whose password was forgotten.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    email: Email,
}

/// A code out of a letter, and what it is for.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    #[schema(pattern = "^[0-9a-f]{1,200}$")]
    token: String,
    /// Nothing that is easy to guess; at most 1024 bytes.
    #[schema(format = Password, min_length = 15, max_length = 1024)]
    password: String,
}

/// Another password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(format = Password, max_length = 1024)]
    current_password: String,
    /// Nothing that is easy to guess; at most 1024 bytes.
    #[schema(format = Password, min_length = 15, max_length = 1024)]
    password: String,
}

/// That a letter is on its way, or would be.
#[derive(ToSchema)]
pub struct Promise {
    detail: String,
}

/// What a key may do.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum KeyScope {
    /// Ask.
    Read,
    /// What a user may.
    Write,
    /// What an admin may.
    Admin,
}

/// A key to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What its owner calls it; on one line.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// `read` if left out; `admin` only by admins.
    scope: Option<KeyScope>,
    /// In the future; never if left out.
    #[schema(format = "future-date-time")]
    expires_at: Option<String>,
}

/// A key without its secret.
#[derive(ToSchema)]
pub struct ApiKey {
    id: Uuid,
    name: String,
    /// What it begins with.
    prefix: String,
    scope: KeyScope,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// Right to the hour.
    last_used_at: Option<Timestamp>,
}

/// A key as it is shown once.
#[derive(ToSchema)]
pub struct MadeApiKey {
    #[serde(flatten)]
    shown: ApiKey,
    /// The whole of it.
    key: String,
}

/// The keys of an account, the oldest first.
#[derive(ToSchema)]
pub struct ApiKeys {
    keys: Vec<ApiKey>,
}
