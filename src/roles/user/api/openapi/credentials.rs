//! E-mail verification, passwords and API keys.

use jiff::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::email::Email;

/// The parameters of a link in an e-mail.
#[derive(ToSchema)]
pub struct Link {
    /// The code in the link.
    #[schema(pattern = "^[0-9a-f]{1,200}$")]
    pub token: String,
}

/// The code of a verification e-mail.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    #[schema(pattern = "^[0-9a-f]{1,200}$")]
    token: String,
}

/// The address of an account whose password is forgotten.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    email: Email,
}

/// The code of a password e-mail, and the new password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    #[schema(pattern = "^[0-9a-f]{1,200}$")]
    token: String,
    /// At most 1024 bytes, and not easy to guess.
    #[schema(format = Password, min_length = 15, max_length = 1024)]
    password: String,
}

/// The current and the new password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(format = Password, max_length = 1024)]
    current_password: String,
    /// At most 1024 bytes, and not easy to guess.
    #[schema(format = Password, min_length = 15, max_length = 1024)]
    password: String,
}

/// The confirmation that an e-mail is sent if it is needed.
#[derive(ToSchema)]
pub struct Promise {
    detail: String,
}

/// The rights of an API key.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum KeyScope {
    /// Read only.
    Read,
    /// The rights of a user.
    Write,
    /// The rights of an admin.
    Admin,
}

/// A new API key.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// A name for its owner, on one line.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// The default is `read`. Only admins may choose `admin`.
    scope: Option<KeyScope>,
    /// A time in the future. The default is no expiry.
    #[schema(format = "future-date-time")]
    expires_at: Option<String>,
}

/// An API key without its secret.
#[derive(ToSchema)]
pub struct ApiKey {
    id: Uuid,
    name: String,
    /// The public beginning of the key.
    prefix: String,
    scope: KeyScope,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// Exact to one hour.
    last_used_at: Option<Timestamp>,
}

/// A new API key with its secret, which is shown only once.
#[derive(ToSchema)]
pub struct CreatedApiKey {
    #[serde(flatten)]
    shown: ApiKey,
    /// The complete key.
    key: String,
}

/// The keys of an account, the oldest first.
#[derive(ToSchema)]
pub struct ApiKeys {
    keys: Vec<ApiKey>,
}
