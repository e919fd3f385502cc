//! API keys: their format, their scope, and the request for a new one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;
use uuid::Uuid;

use crate::calendar::Fault;
use crate::platform::auth::Scope;
use crate::platform::digest::sha256_hex;
use crate::platform::http::extract::{Params, parsed, text};
use crate::platform::http::problem::Problem;
use crate::roles::user::api::openapi::line;
use crate::roles::user::verification::codes::generate_secret;

/// The prefix of keys, for people and for secret scanners.
const PREFIX: &str = "w2m";
/// The maximum length of a name in characters.
const MAX_NAME: usize = 100;

/// The rights of a key; never more than those of its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Read only.
    #[default]
    Read,
    /// The rights of a user.
    Write,
    /// The rights of an admin.
    Admin,
}

impl KeyScope {
    const ALL: [KeyScope; 3] = [KeyScope::Read, KeyScope::Write, KeyScope::Admin];

    pub const fn name(self) -> &'static str {
        match self {
            KeyScope::Read => "read",
            KeyScope::Write => "write",
            KeyScope::Admin => "admin",
        }
    }

    pub fn from_name(text: &str) -> Option<KeyScope> {
        KeyScope::ALL.into_iter().find(|scope| scope.name() == text)
    }

    /// The rights of a caller with this key: the account's current rights, or less.
    pub fn rights(self, account: Scope) -> Scope {
        match self {
            KeyScope::Admin => account,
            KeyScope::Read | KeyScope::Write => Scope::User,
        }
    }
}

/// A new API key.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    #[schema(schema_with = key_name)]
    pub name: String,
    /// The default is `read`. Only admins may choose `admin`.
    #[schema(value_type = Option<KeyScope>)]
    pub scope: KeyScope,
    /// Whether the key may act on behalf of users who allow it. The default is false.
    #[schema(value_type = Option<bool>)]
    pub on_behalf: bool,
    /// A time in the future. The default is no expiry.
    #[schema(value_type = Option<String>, format = "future-date-time")]
    pub expires_at: Option<Timestamp>,
}

fn key_name() -> ObjectBuilder {
    line("A name for its owner, on one line.", MAX_NAME)
}

impl NewApiKey {
    /// Reads the body of `POST /auth/keys` by an account with these rights.
    pub fn read(body: Value, account: Scope, now: Timestamp) -> Result<NewApiKey, Problem> {
        let mut fields = Params::of_body(body)?;
        let name = fields.required("name", text(MAX_NAME));
        let known = |text: &str| match KeyScope::from_name(text) {
            Some(KeyScope::Admin) if account < Scope::Admin => Err("admin needs an admin account; use read or write"),
            Some(scope) => Ok(scope),
            None => Err("must be read, write or admin"),
        };
        let scope = fields.optional("scope", parsed("not_a_scope", known));
        let later = |text: &str| match text.parse::<Timestamp>() {
            Ok(at) if at > now => Ok(at),
            Ok(_) => Err("must be in the future"),
            Err(_) => Err("must be an instant such as 2027-01-01T00:00:00Z"),
        };
        let expires_at = fields.optional("expires_at", parsed("not_an_instant", later));
        let flag = |value: &Value| {
            value.as_bool().ok_or_else(|| vec![Fault::new("", "not_a_boolean", "must be true or false")])
        };
        let on_behalf = fields.optional("on_behalf", flag).unwrap_or_default();
        let name = fields.finish(name)?;
        Ok(NewApiKey { name, scope: scope.unwrap_or_default(), on_behalf, expires_at })
    }
}

/// A new key with its secret, which is not stored.
pub struct GeneratedKey {
    pub id: Uuid,
    pub key: String,
    pub hash: String,
}

impl GeneratedKey {
    pub fn new() -> GeneratedKey {
        let (id, secret) = (Uuid::now_v7(), generate_secret());
        GeneratedKey { id, key: format!("{}_{secret}", prefix(id)), hash: sha256_hex(&secret) }
    }
}

/// The public part of a key.
pub fn prefix(id: Uuid) -> String {
    format!("{PREFIX}_{}", id.simple())
}

/// The id of a key and the hash of its secret; `None` for a text that is no key.
pub fn parse(key: &str) -> Option<(Uuid, String)> {
    let (id, secret) = key.strip_prefix(PREFIX)?.strip_prefix('_')?.split_once('_')?;
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_valid = id.len() == 32 && secret.len() == 64 && hex(id) && hex(secret);
    is_valid.then(|| Some((Uuid::try_parse(id).ok()?, sha256_hex(secret))))?
}

/// An API key without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    /// The public beginning of the key.
    pub prefix: String,
    pub scope: KeyScope,
    /// Whether the key may act on behalf of users who allow it.
    pub on_behalf: bool,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// Exact to one hour.
    pub last_used_at: Option<Timestamp>,
}

/// A new API key with its secret, which is shown only once.
#[derive(Serialize, ToSchema)]
pub struct CreatedApiKey {
    #[serde(flatten)]
    pub public: ApiKey,
    /// The complete key.
    pub key: String,
}

/// The keys of an account, the oldest first.
#[derive(Serialize, ToSchema)]
pub struct ApiKeys {
    pub keys: Vec<ApiKey>,
}

/// The problem of an account that has the maximum number of keys.
pub fn limit_reached(limit: i64) -> Problem {
    let detail = format!("an account has at most {limit} keys: delete one that is no longer used");
    Problem::validation(vec![Fault::new("#", "too_many", detail)])
}

#[cfg(test)]
mod tests {
    use super::{GeneratedKey, KeyScope, parse};
    use crate::platform::auth::Scope;

    #[test]
    fn only_a_generated_key_is_parsed() {
        let generated = GeneratedKey::new();
        assert_eq!(parse(&generated.key), Some((generated.id, generated.hash.clone())));
        assert_ne!(parse(&GeneratedKey::new().key), Some((generated.id, generated.hash)));
        let one = &generated.key;
        for other in [
            &one[1..],
            &one[..one.len() - 1],
            &one.replacen("w2m", "W2M", 1),
            &one.to_uppercase(),
            &format!("{one}0"),
            &one.replacen('_', "", 1),
            "w2m__",
            "",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_has_at_most_the_rights_of_its_account() {
        for scope in KeyScope::ALL {
            assert_eq!(scope.rights(Scope::User), Scope::User);
            assert_eq!(scope.rights(Scope::Admin) == Scope::Admin, scope == KeyScope::Admin);
        }
    }
}
