//! The queries of accounts and of failed attempts to sign in.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::upsert::excluded;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use serde::Serialize;
use utoipa::ToSchema;

use crate::platform::auth::{AuthMethod, Caller, Scope};
use crate::platform::data::instant::{self, now, stored};
use crate::platform::data::{Connection, Error, RunQueryDsl, columns};
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::TimeZone;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::problems::WRONG_PASSWORD;
use crate::roles::user::schema::{credentials, sign_in_failures, users};
use crate::roles::user::store::Store;
use crate::transact;

/// Failures in a row without a wait.
const FREE_FAILURES: i32 = 5;
/// The wait after the next failure. It doubles with each further failure, up to the maximum: no account is locked out for good.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(60);
const MAX_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// The time after which failures are deleted.
const RETENTION: SignedDuration = SignedDuration::from_hours(48);

/// The credentials that make a user an account.
#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = credentials, primary_key(user_id))]
pub struct CredentialRow {
    pub user_id: String,
    pub password_hash: String,
    pub scope: String,
    pub email_verified_at: Option<DateTime>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
}

impl CredentialRow {
    /// The row of a new account, with an unverified address.
    pub fn new(user_id: &str, password_hash: &str) -> CredentialRow {
        let now = stored(now());
        CredentialRow {
            user_id: user_id.to_owned(),
            password_hash: password_hash.to_owned(),
            scope: scope_name(Scope::User).to_owned(),
            email_verified_at: None,
            created_at: now,
            updated_at: now,
        }
    }
}

/// The caller's account.
#[derive(Clone, Serialize, ToSchema)]
pub struct Account {
    #[schema(value_type = Uuid)]
    pub id: String,
    pub email: Email,
    pub name: String,
    #[schema(value_type = TimeZone)]
    time_zone: String,
    scope: Scope,
    pub email_verified_at: Option<Timestamp>,
    created_at: Timestamp,
    #[serde(skip)]
    pub password_hash: String,
}

impl Account {
    /// The account as a caller, in a session that is still to be opened.
    pub fn caller(&self) -> Caller {
        Caller {
            id: self.id.clone(),
            email: self.email.clone(),
            scope: self.scope,
            email_verified: self.email_verified_at.is_some(),
            method: AuthMethod::Session(None),
            actor: None,
        }
    }
}

/// A user in the operator's list.
#[derive(Queryable)]
pub struct UserEntry {
    pub id: String,
    pub email: String,
    /// The rights, and when the address was verified; none for a user without a password.
    pub credentials: Option<(String, Option<DateTime>)>,
}

/// The address, the rights, and when the address was verified: what a caller is read from.
pub type CallerRow = (String, String, Option<DateTime>);

/// The account of this row as a caller.
pub fn read_caller(id: String, (email, rights, verified_at): CallerRow, method: AuthMethod) -> Result<Caller, Error> {
    Ok(Caller {
        id,
        email: Email::parse(&email).map_err(|_| corrupt("address"))?,
        scope: scope(&rights)?,
        email_verified: verified_at.is_some(),
        method,
        actor: None,
    })
}

/// The error about a stored account that breaks the rules.
fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!("the {what} of an account"))
}

/// The scope as stored.
pub fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "user",
        Scope::Admin => "admin",
    }
}

/// Parses a stored scope.
///
/// # Errors
/// Any other text.
fn scope(text: &str) -> Result<Scope, Error> {
    match text {
        "user" => Ok(Scope::User),
        "admin" => Ok(Scope::Admin),
        _ => Err(corrupt("scope")),
    }
}

/// The problem of an address and a password that are not those of an account.
pub fn wrong_password() -> Problem {
    Problem::new(WRONG_PASSWORD, "the address or the password is wrong")
}

impl Store {
    /// The account with this address; `None` too for a user without a password.
    pub async fn account(&self, email: &Email) -> Result<Option<Account>, Error> {
        type Found = (String, String, String, CredentialRow);
        let account = users::table.inner_join(credentials::table.on(credentials::user_id.eq(users::id)));
        let account = account.filter(users::email.eq(email.as_str()));
        let account = account.select((users::email, users::name, users::time_zone, columns::<CredentialRow>()));
        let found: Option<Found> = self.owner.db.fetch_optional(account).await?;
        let read = |(email, name, time_zone, row): Found| {
            Ok(Account {
                id: row.user_id,
                email: Email::parse(&email).map_err(|_| corrupt("address"))?,
                name,
                time_zone,
                scope: scope(&row.scope)?,
                email_verified_at: row.email_verified_at.and_then(instant::read),
                created_at: instant::read(row.created_at).ok_or_else(|| corrupt("time"))?,
                password_hash: row.password_hash,
            })
        };
        found.map(read).transpose()
    }

    /// Whether there is a user with this address, with a password or without.
    pub async fn is_known(&self, email: &Email) -> Result<bool, Error> {
        let mine = users::table.filter(users::email.eq(email.as_str())).select(users::id);
        let found: Option<String> = self.owner.db.fetch_optional(mine).await?;
        Ok(found.is_some())
    }

    /// The addresses among these whose account must verify its mailbox and has not: another person may have registered them.
    pub async fn unverified(&self, emails: &[&str]) -> Result<HashSet<String>, Error> {
        if !self.requires_proof() {
            return Ok(HashSet::new());
        }
        let accounts = users::table.inner_join(credentials::table.on(credentials::user_id.eq(users::id)));
        let unverified = accounts.filter(users::email.eq_any(emails)).filter(credentials::email_verified_at.is_null());
        let found: Vec<String> = self.owner.db.fetch_all(unverified.select(users::email)).await?;
        Ok(found.into_iter().collect())
    }

    /// Counts an attempt to sign in as a failure until it succeeds, so that concurrent attempts count too. Returns the time to wait
    /// if there were too many. Addresses without an account are treated alike, so that the response does not reveal them.
    pub async fn begin_attempt(&self, email: &Email) -> Result<Option<SignedDuration>, Error> {
        let (now, digest) = (now(), self.address_digest(email));
        transact!(self.owner.db, |conn| {
            let first = (
                sign_in_failures::address_digest.eq(&digest),
                sign_in_failures::failures.eq(0),
                sign_in_failures::updated_at.eq(stored(now)),
            );
            // the row is there afterwards and locked: attempts at other replicas, and a deletion, wait for this one
            let lock = diesel::insert_into(sign_in_failures::table)
                .values(first)
                .on_conflict(sign_in_failures::address_digest)
                .do_update()
                .set(sign_in_failures::address_digest.eq(excluded(sign_in_failures::address_digest)))
                .returning((sign_in_failures::failures, sign_in_failures::blocked_until));
            let (failures, blocked_until): (i32, Option<DateTime>) = lock.get_result(conn).await?;
            let mine = sign_in_failures::table.filter(sign_in_failures::address_digest.eq(&digest));
            let left = blocked_until.and_then(instant::read).map(|until| until.duration_since(now));
            if let Some(left) = left.filter(SignedDuration::is_positive) {
                return Ok::<_, Error>(Some(left));
            }
            let failures = failures.saturating_add(1);
            let until = wait_after(failures).map(|wait| stored(now.saturating_add(wait).unwrap_or(now)));
            let counted = (
                sign_in_failures::failures.eq(failures),
                sign_in_failures::blocked_until.eq(until),
                sign_in_failures::updated_at.eq(stored(now)),
            );
            diesel::update(mine).set(counted).execute(conn).await?;
            Ok(None)
        })
    }

    /// Deletes the failures of an address, after a successful attempt.
    pub async fn clear_failures(&self, email: &Email) -> Result<(), Error> {
        let digest = self.address_digest(email);
        let mine = sign_in_failures::table.filter(sign_in_failures::address_digest.eq(digest));
        self.owner.db.run(diesel::delete(mine)).await.map(drop)
    }

    /// Deletes old failures.
    pub async fn purge_attempts(&self) -> Result<(), Error> {
        let then = stored(now().saturating_sub(RETENTION).unwrap_or(Timestamp::MIN));
        let old = sign_in_failures::table.filter(sign_in_failures::updated_at.lt(then));
        self.owner.db.run(diesel::delete(old)).await.map(drop)
    }

    /// Sets the rights of an account.
    pub async fn set_scope(&self, account: &str, scope: Scope) -> Result<(), Error> {
        let row = credentials::table.filter(credentials::user_id.eq(account));
        let change = (credentials::scope.eq(scope_name(scope)), credentials::updated_at.eq(stored(now())));
        self.owner.db.run(diesel::update(row).set(change)).await.map(drop)
    }

    /// All users, in the order of creation.
    pub async fn list_users(&self) -> Result<Vec<UserEntry>, Error> {
        let all = users::table.left_join(credentials::table.on(credentials::user_id.eq(users::id)));
        let rights = (credentials::scope, credentials::email_verified_at);
        let all = all.order(users::id.asc()).select((users::id, users::email, rights.nullable()));
        self.owner.db.fetch_all(all).await
    }
}

/// Deletes the failures of the address with this digest.
pub async fn erase_failures(conn: &mut Connection, digest: &str) -> Result<(), Error> {
    let mine = sign_in_failures::table.filter(sign_in_failures::address_digest.eq(digest));
    diesel::delete(mine).execute(conn).await?;
    Ok(())
}

/// The wait after this number of failures in a row.
fn wait_after(failures: i32) -> Option<SignedDuration> {
    let doublings = u32::try_from(failures.checked_sub(FREE_FAILURES)?).ok()?;
    let wait = 2_i32.checked_pow(doublings).and_then(|times| FIRST_WAIT.checked_mul(times));
    Some(wait.unwrap_or(MAX_WAIT).min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::wait_after;

    #[test]
    fn waits_begin_with_the_fifth_failure_and_double_up_to_a_day() {
        let seconds = |failures| wait_after(failures).map(|wait| wait.as_secs());
        assert_eq!([1, 4, 5, 6, 7].map(seconds), [None, None, Some(60), Some(120), Some(240)]);
        assert_eq!([16, 40, i32::MAX].map(seconds), [Some(86_400); 3]);
    }
}
