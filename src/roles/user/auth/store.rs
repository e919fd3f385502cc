//! The queries of accounts and of failed attempts to sign in.

use crate::platform::data::{RunQueryDsl, columns};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;

use crate::platform::auth::{AuthMethod, Caller, Scope};
use crate::platform::data::Error;
use crate::platform::data::instant::{self, now, stored};
use crate::platform::email::Email;
use crate::roles::user::schema::{credentials, sign_in_failures, users};
use crate::roles::user::store::Store;
use crate::{read, transact};

/// Failures in a row without a wait.
const FREE_FAILURES: i32 = 5;
/// The wait after the next failure. It doubles with each further failure, up to the maximum: no account is locked out for good.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(60);
const MAX_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// The time after which failures are deleted.
const RETENTION: SignedDuration = SignedDuration::from_hours(48);

/// The credentials that make a user an account.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = credentials)]
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

/// A user who can sign in.
#[derive(Clone)]
pub struct Account {
    pub caller: Caller,
    pub name: String,
    pub time_zone: String,
    pub password_hash: String,
    pub email_verified_at: Option<Timestamp>,
    pub created_at: Option<Timestamp>,
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
pub fn scope(text: &str) -> Result<Scope, Error> {
    match text {
        "user" => Ok(Scope::User),
        "admin" => Ok(Scope::Admin),
        _ => Err(Error::Corrupt("the scope of an account".to_owned())),
    }
}

impl Store {
    /// The account with this address; `None` too for a user without a password.
    pub async fn account(&self, email: &Email) -> Result<Option<Account>, Error> {
        type Found = (String, String, String, CredentialRow);
        let found: Option<Found> = read!(self.owner.db, |conn| async {
            users::table
                .inner_join(credentials::table.on(credentials::user_id.eq(users::id)))
                .filter(users::email.eq(email.as_str()))
                .select((users::email, users::name, users::time_zone, columns::<CredentialRow>()))
                .first(conn)
                .await
                .optional()
        })?;
        let Some((email, name, time_zone, row)) = found else { return Ok(None) };
        let email = Email::parse(&email).map_err(|_| Error::Corrupt("the address of an account".to_owned()))?;
        Ok(Some(Account {
            caller: Caller {
                id: row.user_id,
                email,
                scope: scope(&row.scope)?,
                email_verified: row.email_verified_at.is_some(),
                method: AuthMethod::Session(None),
            },
            name,
            time_zone,
            password_hash: row.password_hash,
            email_verified_at: row.email_verified_at.and_then(instant::read),
            created_at: instant::read(row.created_at),
        }))
    }

    /// Whether there is a user with this address, with a password or without.
    pub async fn is_known(&self, email: &Email) -> Result<bool, Error> {
        let mine = users::table.filter(users::email.eq(email.as_str()));
        let found: i64 = read!(self.owner.db, |conn| mine.count().get_result(conn))?;
        Ok(found > 0)
    }

    /// Counts an attempt to sign in as a failure until it succeeds, so that concurrent attempts count too. Returns the time to wait
    /// if there were too many. Addresses without an account are treated alike, so that the response does not reveal them.
    pub async fn begin_attempt(&self, email: &Email) -> Result<Option<SignedDuration>, Error> {
        let now = now();
        transact!(self.owner.db, |conn| {
            let first = (
                sign_in_failures::email.eq(email.as_str()),
                sign_in_failures::failures.eq(0),
                sign_in_failures::updated_at.eq(stored(now)),
            );
            diesel::insert_into(sign_in_failures::table)
                .values(first)
                .on_conflict(sign_in_failures::email)
                .do_nothing()
                .execute(conn)
                .await?;
            let mine = sign_in_failures::table.filter(sign_in_failures::email.eq(email.as_str()));
            // locks the row: attempts at other replicas wait for this one
            let (failures, blocked_until): (i32, Option<DateTime>) = diesel::update(mine)
                .set(sign_in_failures::updated_at.eq(stored(now)))
                .returning((sign_in_failures::failures, sign_in_failures::blocked_until))
                .get_result(conn)
                .await?;
            let left = blocked_until.and_then(instant::read).map(|until| until.duration_since(now));
            if let Some(left) = left.filter(SignedDuration::is_positive) {
                return Ok::<_, Error>(Some(left));
            }
            let failures = failures.saturating_add(1);
            let until = wait_after(failures).map(|wait| stored(now.saturating_add(wait).unwrap_or(now)));
            diesel::update(mine)
                .set((sign_in_failures::failures.eq(failures), sign_in_failures::blocked_until.eq(until)))
                .execute(conn)
                .await?;
            Ok(None)
        })
    }

    /// Deletes the failures of an address, after a successful attempt.
    pub async fn clear_failures(&self, email: &Email) -> Result<(), Error> {
        transact!(self.owner.db, |conn| {
            let mine = sign_in_failures::table.filter(sign_in_failures::email.eq(email.as_str()));
            diesel::delete(mine).execute(conn).await?;
            Ok::<_, Error>(())
        })
    }

    /// Deletes old failures.
    pub async fn purge_attempts(&self) -> Result<(), Error> {
        let then = stored(now().saturating_sub(RETENTION).unwrap_or(Timestamp::MIN));
        transact!(self.owner.db, |conn| {
            let old = sign_in_failures::table.filter(sign_in_failures::updated_at.lt(then));
            diesel::delete(old).execute(conn).await?;
            Ok::<_, Error>(())
        })
    }

    /// Sets the rights of an account; `false` for an unknown account.
    pub async fn set_scope(&self, email: &Email, scope: Scope) -> Result<bool, Error> {
        transact!(self.owner.db, |conn| {
            let id = users::table.filter(users::email.eq(email.as_str())).select(users::id);
            let id: Option<String> = id.first(conn).await.optional()?;
            let row = credentials::table.filter(credentials::user_id.eq(id.unwrap_or_default()));
            let change = (credentials::scope.eq(scope_name(scope)), credentials::updated_at.eq(stored(now())));
            Ok::<_, Error>(diesel::update(row).set(change).execute(conn).await? > 0)
        })
    }
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
