//! The queries about keys, each named for the question it answers.

use crate::platform::data::{RunQueryDsl, columns};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::model::{ApiKey, Drawn, KeyScope, Wish, too_many};
use crate::platform::auth::{AuthMethod, Caller};
use crate::platform::data::Abort;
use crate::platform::data::Error;
use crate::platform::data::instant::{now, read, stored};
use crate::platform::email::Email;
use crate::roles::user::auth::store::scope;
use crate::roles::user::schema::{api_keys, credentials, users};
use crate::roles::user::store::Store;
use crate::{read, transact};

/// Keys that one account has.
const MOST: i64 = 50;
/// How exactly it is known when a key was used: not every request is to be written down.
const COARSE: SignedDuration = SignedDuration::from_hours(1);

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
        let wrong = |what: &str| Error::Corrupt(format!("the {what} of key {}", self.id));
        let at = |at: DateTime| read(at).ok_or_else(|| wrong("time"));
        Ok(ApiKey {
            id: self.id.parse().map_err(|_| wrong("id"))?,
            name: self.name.clone(),
            scope: KeyScope::parse(&self.scope).ok_or_else(|| wrong("scope"))?,
            created_at: at(self.created_at)?,
            expires_at: self.expires_at.map(at).transpose()?,
            last_used_at: self.last_used_at.map(at).transpose()?,
        })
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| read(end).is_none_or(|end| end <= now))
    }

    /// Whether it is worth writing down that it was used.
    fn is_news(&self, now: Timestamp) -> bool {
        let before = self.last_used_at.and_then(read);
        before.is_none_or(|before| now.duration_since(before) >= COARSE)
    }
}

impl Store {
    /// Makes a key for an account.
    pub async fn create_api_key(&self, account: &str, wish: &Wish, drawn: &Drawn) -> Result<ApiKey, Abort> {
        let row = Row {
            id: drawn.id.to_string(),
            user_id: account.to_owned(),
            name: wish.name.clone(),
            scope: wish.scope.name().to_owned(),
            hash: drawn.hash.clone(),
            created_at: stored(now()),
            expires_at: wish.expires_at.map(stored),
            last_used_at: None,
        };
        transact!(self.owner.db, |conn| {
            let mine = api_keys::table.filter(api_keys::user_id.eq(account));
            if mine.count().get_result::<i64>(conn).await? >= MOST {
                return Err(Abort::Rejected(too_many(MOST)));
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

    /// Takes a key away; says whether there was one.
    pub async fn revoke_api_key(&self, account: &str, id: Uuid) -> Result<bool, Error> {
        transact!(self.owner.db, |conn| {
            let mine = api_keys::table.filter(api_keys::id.eq(id.to_string()));
            let gone = diesel::delete(mine.filter(api_keys::user_id.eq(account))).execute(conn).await?;
            Ok::<bool, Error>(gone == 1)
        })
    }

    /// Whose key this is, and what it may do, if it is good.
    pub async fn caller_of_key(&self, id: Uuid, hash: &str) -> Result<Option<Caller>, Error> {
        let (id, now) = (id.to_string(), now());
        let found: Option<(String, String, Row)> = read!(self.owner.db, |conn| async {
            api_keys::table
                .inner_join(users::table.on(users::id.eq(api_keys::user_id)))
                .inner_join(credentials::table.on(credentials::user_id.eq(api_keys::user_id)))
                .filter(api_keys::id.eq(&id))
                .select((users::email, credentials::scope, columns::<Row>()))
                .first(conn)
                .await
                .optional()
        })?;
        let good = |row: &Row| bool::from(row.hash.as_bytes().ct_eq(hash.as_bytes())) && !row.is_over(now);
        let Some((email, rights, row)) = found.filter(|(.., row)| good(row)) else { return Ok(None) };
        if row.is_news(now) {
            transact!(self.owner.db, |conn| {
                let mine = api_keys::table.filter(api_keys::id.eq(&id));
                diesel::update(mine).set(api_keys::last_used_at.eq(Some(stored(now)))).execute(conn).await?;
                Ok::<(), Error>(())
            })?;
        }
        let allowed = row.read()?.scope;
        Ok(Some(Caller {
            id: row.user_id,
            email: Email::parse(&email).map_err(|_| Error::Corrupt("the address of an account".to_owned()))?,
            scope: allowed.rights(scope(&rights)?),
            method: AuthMethod::Key { writes: allowed != KeyScope::Read },
        }))
    }
}
