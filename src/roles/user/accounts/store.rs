//! The queries of users.

use std::sync::Arc;

use diesel::prelude::*;
use futures_util::future::join;
use serde_json::json;

use super::model::{Profile, User};
use crate::calendar::{Preference, Week, Zone};
use crate::platform::auth::Caller;
use crate::platform::cache::loader::{Loaded, Source};
use crate::platform::data::idempotency::{find_response, save_response};
use crate::platform::data::instant::{self, now, stored};
use crate::platform::data::schema::cache_epoch;
use crate::platform::data::{
    Abort, Connection, Error, EventSubject, OutboxRow, RunQueryDsl, columns, exclusive, shared,
};
use crate::platform::email::Email;
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::Problem;
use crate::roles::user::api::ROLE;
use crate::roles::user::api::account_mail::Purpose;
use crate::roles::user::api::problems::USER_EXISTS;
use crate::roles::user::auth::store::CredentialRow;
use crate::roles::user::schema::{credentials, users};
use crate::roles::user::store::{Store, check_admission};
use crate::roles::user::verification::codes::{OneTimeCode, send_code};
use crate::transact;

/// Addresses in one query: SQLite takes 32,766 parameters, and a shorter list is planned faster.
const CHUNK: usize = 1000;

/// The users in the database.
pub struct Users {
    pub store: Store,
}

/// A stored user.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = users)]
pub(super) struct Row {
    id: String,
    email: String,
    typed_email: String,
    name: String,
    time_zone: String,
    preference: String,
    availability: Vec<u8>,
    if_needed: Vec<u8>,
    overrides: String,
    version: i64,
    created_at: jiff_diesel::DateTime,
    updated_at: jiff_diesel::DateTime,
}

/// Locks the cache's epoch for this transaction. Without a tombstone in the cache, the transaction raises the epoch instead.
pub(in crate::roles::user) async fn lock_epoch(conn: &Connection, tombstone: Option<i64>) -> Result<i64, Abort> {
    let Some(tombstone) = tombstone else {
        let raised = diesel::update(cache_epoch::table).set(cache_epoch::epoch.eq(cache_epoch::epoch + 1));
        return Ok(raised.returning(cache_epoch::epoch).get_result(conn).await?);
    };
    match shared(cache_epoch::table.select(cache_epoch::epoch)).get_result(conn).await? {
        epoch if epoch == tombstone => Ok(epoch),
        other => Err(Abort::OtherEpoch(other)),
    }
}

impl Users {
    /// The users in this database.
    pub fn new(store: Store) -> Users {
        Users { store }
    }

    /// Creates a user, and stores the response under the client's idempotency key. With a password hash, the user can sign in.
    ///
    /// # Errors
    /// 409 when the address has a user already.
    pub async fn create(
        &self,
        user: &User,
        tombstone: Option<i64>,
        key: Option<&IdempotencyKey>,
        password: Option<&str>,
        response: impl Fn(&User) -> StoredResponse + Send + Sync,
    ) -> Result<(StoredResponse, i64), Abort> {
        let row = Row::from(user);
        transact!(self.store.owner.db, |conn| {
            if let Some(stored_response) = find_response(conn, key).await? {
                return Ok((stored_response, lock_epoch(conn, tombstone).await?));
            }
            let insertion = diesel::insert_into(users::table).values(&row).on_conflict(users::email).do_nothing();
            let (epoch, created) = join(lock_epoch(conn, tombstone), insertion.execute(conn)).await;
            let (epoch, created) = (epoch?, created?);
            if created == 0 {
                // a concurrent request with the same key may have created it
                if let Some(stored_response) = find_response(conn, key).await? {
                    return Ok((stored_response, epoch));
                }
                let detail = format!("{} has a user already; change it by PATCH", user.email);
                return Err(Abort::Rejected(Problem::new(USER_EXISTS, detail)));
            }
            if let Some(hash) = password {
                let row = CredentialRow::new(&row.id, hash);
                diesel::insert_into(credentials::table).values(row).execute(conn).await?;
                if self.store.auth.verify_email {
                    let code = OneTimeCode::generate(Purpose::VerifyMailbox, &user.email, &self.store, now());
                    send_code(conn, &self.store, &code).await?;
                }
            }
            let response = response(user);
            if let Some(stored_response) = save_response(conn, key, &response).await? {
                return Ok((stored_response, epoch));
            }
            conn.enqueue(event(user, "created"));
            Ok((response, epoch))
        })
    }

    /// Changes a user's profile by `change`, which receives the current user and may refuse.
    pub async fn change(
        &self,
        email: &Email,
        tombstone: Option<i64>,
        caller: Option<&Caller>,
        change: impl Fn(&User) -> Result<Profile, Problem> + Send + Sync,
    ) -> Result<(User, i64), Abort> {
        transact!(self.store.owner.db, |conn| {
            let mine = users::table.filter(users::email.eq(email.as_str()));
            // locked, so that `change` receives the current user
            let lock = exclusive(mine.select(columns::<Row>()));
            let (epoch, found) = join(lock_epoch(conn, tombstone), lock.get_result::<Row>(conn)).await;
            let (epoch, found) = (epoch?, found.optional()?);
            let mut user = User::try_from(found.ok_or_else(|| unknown(email))?)?;
            check_admission(conn, caller).await?;
            user.profile = change(&user).map_err(Abort::Rejected)?;
            (user.version, user.updated_at) = (user.version + 1, now());
            diesel::update(mine).set(Row::from(&user)).execute(conn).await?;
            conn.enqueue(event(&user, "updated"));
            Ok((user, epoch))
        })
    }

    /// A page of users in the order of creation, after the one with id `after`.
    pub async fn page(&self, after: &str, limit: i64) -> Result<Vec<User>, Error> {
        let page = users::table.filter(users::id.gt(after)).order(users::id.asc()).limit(limit);
        let rows: Vec<Row> = self.store.owner.db.fetch_all(page.select(columns::<Row>())).await?;
        rows.into_iter().map(User::try_from).collect()
    }
}

impl Source for Users {
    type Error = Arc<Error>;

    async fn load(&self, emails: &[String]) -> Result<Loaded, Arc<Error>> {
        let mut loaded = Loaded::default();
        // at least one query, for the epoch
        let chunks = emails.chunks(CHUNK).chain(emails.is_empty().then_some(emails));
        for (at, chunk) in chunks.enumerate() {
            // a left join, to read the epoch in the same snapshot even if no user is found
            let found = cache_epoch::table.left_join(users::table.on(users::email.eq_any(chunk)));
            let found = found.select((cache_epoch::epoch, columns::<Row>().nullable()));
            let rows: Vec<(i64, Option<Row>)> = self.store.owner.db.fetch_all(found).await?;
            let epoch = rows.iter().map(|(epoch, _)| *epoch).next().unwrap_or_default();
            loaded.epoch = if at == 0 { epoch } else { loaded.epoch.min(epoch) };
            for row in rows.into_iter().filter_map(|(_, row)| row) {
                let user = User::try_from(row)?;
                let text = serde_json::to_vec(&user).map_err(|why| Error::Corrupt(why.to_string()))?;
                loaded.values.insert(user.email.to_string(), text.into());
            }
        }
        Ok(loaded)
    }

    async fn epoch(&self, server: &str) -> Result<i64, Arc<Error>> {
        let epoch = transact!(self.store.owner.db, |conn| {
            let other = cache_epoch::table.filter(cache_epoch::server.ne(server));
            diesel::update(other)
                .set((cache_epoch::server.eq(server), cache_epoch::epoch.eq(cache_epoch::epoch + 1)))
                .execute(conn)
                .await?;
            Ok::<i64, Error>(cache_epoch::table.select(cache_epoch::epoch).first(conn).await?)
        })?;
        Ok(epoch)
    }
}

/// Gives a user the profile of a new account, because another person may have written the present one. The caller has locked the user.
pub async fn reset_profile(conn: &mut Connection, email: &Email) -> Result<(), Abort> {
    let mine = users::table.filter(users::email.eq(email.as_str()));
    let mut user = User::try_from(mine.select(columns::<Row>()).first::<Row>(conn).await?)?;
    user.profile = Profile::of_address(email);
    (user.version, user.updated_at) = (user.version + 1, now());
    diesel::update(mine).set(Row::from(&user)).execute(conn).await?;
    conn.enqueue(event(&user, "claimed"));
    Ok(())
}

/// The event about a change of a user. It does not contain the change.
pub(super) fn event(user: &User, what: &str) -> OutboxRow {
    let data = json!({ "id": user.id, "email": user.email, "version": user.version });
    let about = EventSubject { kind: "user", id: user.id, version: user.version };
    OutboxRow::event(ROLE, &about, what, data)
}

/// Refuses a change of a user who does not exist.
pub(super) fn unknown(email: &Email) -> Abort {
    Abort::Rejected(Problem::unknown_user(email.as_str()))
}

impl From<&User> for Row {
    fn from(user: &User) -> Row {
        Row {
            id: user.id.to_string(),
            email: user.email.to_string(),
            typed_email: user.typed_email.clone(),
            name: user.profile.name.clone(),
            time_zone: user.profile.time_zone.name().to_owned(),
            preference: user.profile.preference.name().to_owned(),
            availability: user.profile.availability.to_bytes().to_vec(),
            if_needed: user.profile.if_needed.to_bytes().to_vec(),
            overrides: json!(user.profile.overrides).to_string(),
            version: user.version,
            created_at: stored(user.created_at),
            updated_at: stored(user.updated_at),
        }
    }
}

impl TryFrom<Row> for User {
    type Error = Error;

    fn try_from(row: Row) -> Result<User, Error> {
        let corrupt = |what: &str| Error::Corrupt(format!("the {what} of user {}", row.id));
        let at = |at| instant::read(at).ok_or_else(|| corrupt("time"));
        Ok(User {
            id: row.id.parse().map_err(|_| corrupt("id"))?,
            email: Email::parse(&row.email).map_err(|_| corrupt("email"))?,
            profile: Profile {
                time_zone: Zone::parse(&row.time_zone).map_err(|_| corrupt("time_zone"))?,
                preference: Preference::parse(&row.preference).ok_or_else(|| corrupt("preference"))?,
                availability: Week::from_bytes(&row.availability).ok_or_else(|| corrupt("availability"))?,
                if_needed: Week::from_bytes(&row.if_needed).ok_or_else(|| corrupt("if_needed"))?,
                overrides: serde_json::from_str(&row.overrides).map_err(|_| corrupt("overrides"))?,
                name: row.name,
            },
            typed_email: row.typed_email,
            version: row.version,
            created_at: at(row.created_at)?,
            updated_at: at(row.updated_at)?,
        })
    }
}
