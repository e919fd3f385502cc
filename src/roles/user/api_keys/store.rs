//! The queries of API keys.

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::model::{ApiKey, GeneratedKey, KeyScope, NewApiKey, limit_reached, parse, prefix};
use crate::platform::auth::verifier::invalid;
use crate::platform::auth::{AuthMethod, Caller};
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::{Abort, Error, RunQueryDsl, columns};
use crate::platform::http::problem::Problem;
use crate::roles::user::auth::store::{CallerRow, read_caller};
use crate::roles::user::schema::{api_keys, credentials, users};
use crate::roles::user::store::Store;
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
    created_at: DateTime,
    expires_at: Option<DateTime>,
    last_used_at: Option<DateTime>,
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
    /// Creates a key of an account.
    pub async fn create_api_key(
        &self,
        account: &str,
        new: &NewApiKey,
        generated: &GeneratedKey,
    ) -> Result<ApiKey, Abort> {
        let row = Row {
            id: generated.id.to_string(),
            user_id: account.to_owned(),
            name: new.name.clone(),
            scope: new.scope.name().to_owned(),
            hash: generated.hash.clone(),
            created_at: stored(now()),
            expires_at: new.expires_at.map(stored),
            last_used_at: None,
        };
        transact!(self.owner.db, |conn| {
            let mine = api_keys::table.filter(api_keys::user_id.eq(account));
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

    /// The account behind a key, with the rights of the key.
    ///
    /// # Errors
    /// 401 for an unknown or expired key.
    pub async fn caller_of_api_key(&self, key: &str) -> Result<Caller, Problem> {
        let (id, hash) = parse(key).ok_or_else(invalid)?;
        self.find_caller(&id.to_string(), &hash).await?.ok_or_else(invalid)
    }

    async fn find_caller(&self, id: &str, hash: &str) -> Result<Option<Caller>, Error> {
        let now = now();
        let key = api_keys::table
            .inner_join(users::table.on(users::id.eq(api_keys::user_id)))
            .inner_join(credentials::table.on(credentials::user_id.eq(api_keys::user_id)))
            .filter(api_keys::id.eq(id))
            .select(((users::email, credentials::scope, credentials::email_verified_at), columns::<Row>()));
        let found: Option<(CallerRow, Row)> = self.owner.db.fetch_optional(key).await?;
        let is_valid = |row: &Row| bool::from(row.hash.as_bytes().ct_eq(hash.as_bytes())) && !row.has_expired(now);
        let Some((account, row)) = found.filter(|(_, row)| is_valid(row)) else { return Ok(None) };
        if row.should_touch_last_used(now) {
            let mine = api_keys::table.filter(api_keys::id.eq(id));
            self.owner.db.run(diesel::update(mine).set(api_keys::last_used_at.eq(Some(stored(now))))).await?;
        }
        let scope = row.read()?.scope;
        let caller = read_caller(row.user_id, account, AuthMethod::Key { writes: scope != KeyScope::Read })?;
        Ok(Some(Caller { scope: scope.rights(caller.scope), ..caller }))
    }
}
