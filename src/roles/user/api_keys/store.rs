//! The queries of API keys.

use crate::platform::data::{RunQueryDsl, columns};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::model::{ApiKey, GeneratedKey, KeyScope, NewApiKey, limit_reached};
use crate::platform::auth::{AuthMethod, Caller};
use crate::platform::data::Abort;
use crate::platform::data::Error;
use crate::platform::data::instant::{now, read, stored};
use crate::platform::email::Email;
use crate::roles::user::auth::store::scope;
use crate::roles::user::schema::{api_keys, credentials, users};
use crate::roles::user::store::Store;
use crate::{read, transact};

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
        Ok(ApiKey {
            id: self.id.parse().map_err(|_| corrupt("id"))?,
            name: self.name.clone(),
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
        let rows: Vec<Row> = read!(self.owner.db, |conn| api_keys::table
            .filter(api_keys::user_id.eq(account))
            .order(api_keys::id.asc())
            .select(columns::<Row>())
            .load(conn))?;
        rows.iter().map(Row::read).collect()
    }

    /// Revokes a key; `false` for an unknown id.
    pub async fn revoke_api_key(&self, account: &str, id: Uuid) -> Result<bool, Error> {
        transact!(self.owner.db, |conn| {
            let mine = api_keys::table.filter(api_keys::id.eq(id.to_string()));
            let deleted = diesel::delete(mine.filter(api_keys::user_id.eq(account))).execute(conn).await?;
            Ok::<bool, Error>(deleted == 1)
        })
    }

    /// The account and the rights of a key, if it is valid.
    pub async fn caller_of_key(&self, id: Uuid, hash: &str) -> Result<Option<Caller>, Error> {
        let (id, now) = (id.to_string(), now());
        let found: Option<(String, String, Option<DateTime>, Row)> = read!(self.owner.db, |conn| async {
            api_keys::table
                .inner_join(users::table.on(users::id.eq(api_keys::user_id)))
                .inner_join(credentials::table.on(credentials::user_id.eq(api_keys::user_id)))
                .filter(api_keys::id.eq(&id))
                .select((users::email, credentials::scope, credentials::email_verified_at, columns::<Row>()))
                .first(conn)
                .await
                .optional()
        })?;
        let is_valid = |row: &Row| bool::from(row.hash.as_bytes().ct_eq(hash.as_bytes())) && !row.has_expired(now);
        let Some((email, rights, verified_at, row)) = found.filter(|(.., row)| is_valid(row)) else { return Ok(None) };
        if row.should_touch_last_used(now) {
            transact!(self.owner.db, |conn| {
                let mine = api_keys::table.filter(api_keys::id.eq(&id));
                diesel::update(mine).set(api_keys::last_used_at.eq(Some(stored(now)))).execute(conn).await?;
                Ok::<(), Error>(())
            })?;
        }
        let key_scope = row.read()?.scope;
        Ok(Some(Caller {
            id: row.user_id,
            email: Email::parse(&email).map_err(|_| Error::Corrupt("the address of an account".to_owned()))?,
            scope: key_scope.rights(scope(&rights)?),
            email_verified: verified_at.is_some(),
            method: AuthMethod::Key { writes: key_scope != KeyScope::Read },
        }))
    }
}
