//! What a key is, what it may do, and how it is written. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::calendar::Fault;
use crate::platform::auth::Scope;
use crate::platform::http::extract::{Params, parsed, text};
use crate::platform::http::problem::Problem;
use crate::roles::user::mailbox::codes::{hash, secret};

/// What keys begin with, for people and for programs that look for secrets in the wrong places.
const MARK: &str = "w2m";
/// Characters of a name.
const LONGEST: usize = 100;

/// What a key may do; never more than its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Ask, and change nothing.
    #[default]
    Read,
    /// What any user may.
    Write,
    /// What an admin may.
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

    pub fn parse(text: &str) -> Option<KeyScope> {
        KeyScope::ALL.into_iter().find(|scope| scope.name() == text)
    }

    /// The rights of who calls with it: those of the account, as they are by now, or less.
    pub fn rights(self, account: Scope) -> Scope {
        match self {
            KeyScope::Admin => account,
            KeyScope::Read | KeyScope::Write => Scope::User,
        }
    }
}

/// A key that is asked for.
pub struct Wish {
    pub name: String,
    pub scope: KeyScope,
    pub expires_at: Option<Timestamp>,
}

impl Wish {
    /// Reads the body of `POST /auth/keys` by an account with these rights.
    pub fn read(body: Value, account: Scope, now: Timestamp) -> Result<Wish, Problem> {
        let mut fields = Params::of_body(body)?;
        let name = fields.required("name", text(LONGEST));
        let known = |text: &str| match KeyScope::parse(text) {
            Some(KeyScope::Admin) if account < Scope::Admin => Err("admin is for admins: read or write"),
            Some(scope) => Ok(scope),
            None => Err("must be read, write or admin"),
        };
        let scope = fields.optional("scope", parsed("not_a_scope", known));
        let later = |text: &str| match text.parse::<Timestamp>() {
            Ok(at) if at > now => Ok(at),
            Ok(_) => Err("is past"),
            Err(_) => Err("must be an instant such as 2027-01-01T00:00:00Z"),
        };
        let expires_at = fields.optional("expires_at", parsed("not_an_instant", later));
        let name = fields.finish(name)?;
        Ok(Wish { name, scope: scope.unwrap_or_default(), expires_at })
    }
}

/// A key as it was just drawn: the only time that its secret is there.
pub struct Drawn {
    pub id: Uuid,
    pub key: String,
    pub hash: String,
}

impl Drawn {
    pub fn new() -> Drawn {
        let (id, secret) = (Uuid::now_v7(), secret());
        Drawn { id, key: format!("{}_{secret}", prefix(id)), hash: hash(&secret) }
    }
}

/// What may be shown of a key.
pub fn prefix(id: Uuid) -> String {
    format!("{MARK}_{}", id.simple())
}

/// A key's id, and the hash of its secret; `None` for what does not look like one.
pub fn read(key: &str) -> Option<(Uuid, String)> {
    let (id, secret) = key.strip_prefix(MARK)?.strip_prefix('_')?.split_once('_')?;
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let whole = id.len() == 32 && secret.len() == 64 && hex(id) && hex(secret);
    whole.then(|| Some((Uuid::try_parse(id).ok()?, hash(secret))))?
}

/// A key without its secret.
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    pub scope: KeyScope,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

impl ApiKey {
    /// What its owner reads.
    pub fn public(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "prefix": prefix(self.id), "scope": self.scope,
            "created_at": self.created_at, "expires_at": self.expires_at, "last_used_at": self.last_used_at,
        })
    }
}

/// More keys than anybody looks after.
pub fn too_many(most: i64) -> Problem {
    let detail = format!("an account has at most {most} keys: delete one that is not used any more");
    Problem::validation(vec![Fault::new("#", "too_many", detail)])
}

#[cfg(test)]
mod tests {
    use super::{Drawn, KeyScope, read};
    use crate::platform::auth::Scope;

    #[test]
    fn a_key_is_read_as_it_was_written_and_nothing_else_is() {
        let drawn = Drawn::new();
        assert_eq!(read(&drawn.key), Some((drawn.id, drawn.hash.clone())));
        assert_ne!(read(&Drawn::new().key), Some((drawn.id, drawn.hash)));
        let one = &drawn.key;
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
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn no_key_gives_more_than_its_account_has() {
        for scope in KeyScope::ALL {
            assert_eq!(scope.rights(Scope::User), Scope::User);
            assert_eq!(scope.rights(Scope::Admin) == Scope::Admin, scope == KeyScope::Admin);
        }
    }
}
