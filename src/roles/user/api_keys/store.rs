//! The queries of API keys.

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::model::{ApiKey, GeneratedKey, KeyScope, NewApiKey, limit_reached, parse, prefix};
use crate::platform::auth::verifier::ended_session;
use crate::platform::auth::{AuthMethod, Caller, forbidden, unknown_caller};
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::{Abort, Error, RunQueryDsl, columns};
use crate::platform::http::extract::UserKey;
use crate::platform::http::problem::{INVALID_TOKEN, Problem};
use crate::roles::user::auth::store::{CallerRow, read_caller};
use crate::roles::user::schema::{api_keys, credentials, sessions, users};
use crate::roles::user::store::{Store, lock_user};
use crate::transact;

/// The maximum number of keys of one account.
const MAX_KEYS: i64 = 50;
/// The minimum interval between two updates of `last_used_at`.
const LAST_USED_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
struct Row {
    id: String,
    user_id: String,
    name: String,
    scope: String,
    hash: String,
    on_behalf: bool,
    created_at: DateTime,
    expires_at: Option<DateTime>,
    last_used_at: Option<DateTime>,
}

/// The problem of a key that does not work.
fn refused(detail: &'static str) -> Problem {
    Problem::new(INVALID_TOKEN, detail)
}

impl Row {
    fn read(&self) -> Result<ApiKey, Error> {
        let corrupt = |what: &str| Error::Corrupt(format!("the {what} of key {}", self.id));
        let at = |at: DateTime| read(at).ok_or_else(|| corrupt("time"));
        let id = self.id.parse().map_err(|_| corrupt("id"))?;
        Ok(ApiKey {
            id,
            name: self.name.clone(),
            prefix: prefix(id),
            scope: KeyScope::from_name(&self.scope).ok_or_else(|| corrupt("scope"))?,
            on_behalf: self.on_behalf,
            created_at: at(self.created_at)?,
            expires_at: self.expires_at.map(at).transpose()?,
            last_used_at: self.last_used_at.map(at).transpose()?,
        })
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| read(end).is_none_or(|end| end <= now))
    }

    /// Whether `last_used_at` is due for an update.
    fn should_touch_last_used(&self, now: Timestamp) -> bool {
        let before = self.last_used_at.and_then(read);
        before.is_none_or(|before| now.duration_since(before) >= LAST_USED_INTERVAL)
    }
}

impl Store {
    /// Creates a key of the caller's account.
    ///
    /// # Errors
    /// 401 if the caller's session has ended meanwhile; 422 if the account has the maximum number of keys.
    pub async fn create_api_key(
        &self,
        caller: &Caller,
        new: &NewApiKey,
        generated: &GeneratedKey,
    ) -> Result<ApiKey, Abort> {
        let AuthMethod::Session(session) = &caller.method else { return Err(Abort::Rejected(unknown_caller())) };
        let row = Row {
            id: generated.id.to_string(),
            user_id: caller.id.clone(),
            name: new.name.clone(),
            scope: new.scope.name().to_owned(),
            hash: generated.hash.clone(),
            on_behalf: new.on_behalf,
            created_at: stored(now()),
            expires_at: new.expires_at.map(stored),
            last_used_at: None,
        };
        transact!(self.owner.db, |conn| {
            lock_user(conn, caller.email.as_str()).await?;
            // a proof of the mailbox ends the sessions and deletes the keys: a late request must not add one
            let session = sessions::table.find(session.as_deref().unwrap_or_default());
            let session = session.filter(sessions::user_id.eq(&caller.id)).select(sessions::id);
            if session.first::<String>(conn).await.optional()?.is_none() {
                return Err(Abort::Rejected(ended_session()));
            }
            let mine = api_keys::table.filter(api_keys::user_id.eq(&caller.id));
            if mine.count().get_result::<i64>(conn).await? >= MAX_KEYS {
                return Err(Abort::Rejected(limit_reached(MAX_KEYS)));
            }
            diesel::insert_into(api_keys::table).values(&row).execute(conn).await?;
            Ok::<(), Abort>(())
        })?;
        Ok(row.read()?)
    }

    /// The keys of an account, the oldest first.
    pub async fn api_keys(&self, account: &str) -> Result<Vec<ApiKey>, Error> {
        let mine = api_keys::table.filter(api_keys::user_id.eq(account)).order(api_keys::id.asc());
        let rows: Vec<Row> = self.owner.db.fetch_all(mine.select(columns::<Row>())).await?;
        rows.iter().map(Row::read).collect()
    }

    /// Revokes a key; `false` for an unknown id.
    pub async fn revoke_api_key(&self, account: &str, id: Uuid) -> Result<bool, Error> {
        let mine = api_keys::table.filter(api_keys::id.eq(id.to_string())).filter(api_keys::user_id.eq(account));
        Ok(self.owner.db.run(diesel::delete(mine)).await? == 1)
    }

    /// The account behind a key, or the user on whose behalf it acts, with the rights of the key.
    ///
    /// # Errors
    /// 401 for an unknown or expired key; 403 for a key that may not act for the user.
    pub async fn caller_of_api_key(&self, key: &str, on_behalf_of: Option<&UserKey>) -> Result<Caller, Problem> {
        let (id, hash) = parse(key).ok_or_else(|| refused("this is no complete API key: copy it again"))?;
        let (id, now) = (id.to_string(), now());
        let key = api_keys::table
            .inner_join(users::table.on(users::id.eq(api_keys::user_id)))
            .inner_join(credentials::table.on(credentials::user_id.eq(api_keys::user_id)))
            .filter(api_keys::id.eq(&id))
            .select(((users::email, credentials::scope, credentials::email_verified_at), columns::<Row>()));
        let found: Option<(CallerRow, Row)> = self.owner.db.fetch_optional(key).await?;
        let has_secret = |row: &Row| bool::from(row.hash.as_bytes().ct_eq(hash.as_bytes()));
        let (account, row) = found
            .filter(|(_, row)| has_secret(row))
            .ok_or_else(|| refused("there is no such API key: it was revoked, or its account was deleted"))?;
        if row.has_expired(now) {
            return Err(refused("this API key has expired: create another one, by POST /api/auth/keys"));
        }
        if row.should_touch_last_used(now) {
            let mine = api_keys::table.filter(api_keys::id.eq(&id));
            self.owner.db.run(diesel::update(mine).set(api_keys::last_used_at.eq(Some(stored(now))))).await?;
        }
        let scope = row.read()?.scope;
        let caller = read_caller(row.user_id, account, AuthMethod::Key { writes: scope != KeyScope::Read })?;
        match on_behalf_of {
            None => Ok(Caller { scope: scope.rights(caller.scope), ..caller }),
            Some(user) if row.on_behalf => {
                self.caller_on_behalf_of(caller, (row.id.as_str(), row.name.as_str()), user).await
            }
            Some(_) => Err(forbidden("this API key acts for its own account only: create one with `on_behalf`")),
        }
    }
}
