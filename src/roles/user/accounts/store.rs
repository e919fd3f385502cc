//! The queries of users.

use std::sync::Arc;

use crate::platform::data::{Connection, RunQueryDsl, columns};
use diesel::prelude::*;
use futures_util::future::join;
use serde_json::json;
use uuid::Uuid;

use super::model::{NewUser, Profile, User};
use crate::calendar::{Preference, Week, Zone};
use crate::platform::cache::loader::{Loaded, Source};
use crate::platform::data::Abort;
use crate::platform::data::Error;
use crate::platform::data::idempotency::{find_response, save_response};
use crate::platform::data::instant::{self, now, stored};
use crate::platform::data::schema::cache_epoch;
use crate::platform::data::{EventSubject, OutboxRow};
use crate::platform::email::Email;
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::Problem;
use crate::roles::user::api::ROLE;
use crate::roles::user::api::account_mail::Purpose;
use crate::roles::user::api::problems::USER_EXISTS;
use crate::roles::user::auth::store::CredentialRow;
use crate::roles::user::schema::{credentials, users};
use crate::roles::user::store::Store;
use crate::roles::user::verification::codes::{OneTimeCode, send_code};
use crate::{read, transact};

/// Addresses in one query: SQLite takes 32,766 parameters, and a shorter list is planned faster.
const CHUNK: usize = 1000;

/// The users in the database.
pub struct Users {
    pub store: Store,
}

/// A stored user.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
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

#[derive(QueryableByName)]
pub(super) struct Epoch {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    pub(super) epoch: i64,
}

/// Locks the cache's epoch for this transaction. Without a tombstone in the cache, the transaction raises the epoch instead.
pub(super) async fn lock_epoch(conn: &Connection, tombstone: Option<i64>) -> Result<i64, Abort> {
    let Some(tombstone) = tombstone else {
        let raised = diesel::update(cache_epoch::table).set(cache_epoch::epoch.eq(cache_epoch::epoch + 1));
        return Ok(raised.returning(cache_epoch::epoch).get_result(conn).await?);
    };
    let query = diesel::sql_query(conn.shared("SELECT epoch FROM cache_epoch"));
    match query.get_result::<Epoch>(conn).await?.epoch {
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
        new: &NewUser,
        tombstone: Option<i64>,
        key: Option<&IdempotencyKey>,
        password: Option<&str>,
        response: impl Fn(&User) -> StoredResponse + Send + Sync,
    ) -> Result<(StoredResponse, i64), Abort> {
        let now = stored(now());
        let row = Row {
            id: Uuid::now_v7().to_string(),
            email: new.email.to_string(),
            typed_email: new.typed_email.clone(),
            name: new.profile.name.clone(),
            time_zone: new.profile.time_zone.name().to_owned(),
            preference: new.profile.preference.name().to_owned(),
            availability: new.profile.availability.to_bytes().to_vec(),
            if_needed: new.profile.if_needed.to_bytes().to_vec(),
            overrides: json!(new.profile.overrides).to_string(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        transact!(self.store.owner.db, |conn| {
            if let Some(stored_response) = find_response(conn, key).await? {
                return Ok((stored_response, lock_epoch(conn, tombstone).await?));
            }
            let insertion = diesel::insert_into(users::table).values(&row).on_conflict(users::email).do_nothing();
            let insertion = insertion.returning(columns::<Row>());
            let (epoch, created) = join(lock_epoch(conn, tombstone), insertion.get_result::<Row>(conn)).await;
            let (epoch, created) = (epoch?, created.optional()?);
            let Some(created) = created else {
                // a concurrent request with the same key may have created it
                if let Some(stored_response) = find_response(conn, key).await? {
                    return Ok((stored_response, epoch));
                }
                let detail = format!("{} has a user already; change it by PATCH", new.email);
                return Err(Abort::Rejected(Problem::new(USER_EXISTS, detail)));
            };
            if let Some(hash) = password {
                let row = CredentialRow::new(&created.id, hash);
                diesel::insert_into(credentials::table).values(row).execute(conn).await?;
                if self.store.auth.verify_email {
                    let code =
                        OneTimeCode::generate(Purpose::VerifyMailbox, &new.email, &self.store.auth, instant::now());
                    send_code(conn, &self.store, &code).await?;
                }
            }
            let user = User::try_from(created)?;
            let response = response(&user);
            if let Some(stored_response) = save_response(conn, key, &response).await? {
                return Ok((stored_response, epoch));
            }
            conn.enqueue(event(&user, "created"));
            Ok((response, epoch))
        })
    }

    /// Changes a user's profile by `change`, which receives the current user and may refuse.
    pub async fn change(
        &self,
        email: &Email,
        tombstone: Option<i64>,
        change: impl Fn(&User) -> Result<Profile, Problem> + Send + Sync,
    ) -> Result<(User, i64), Abort> {
        transact!(self.store.owner.db, |conn| {
            // the first update locks the row, so that `change` receives the current user
            let mine = users::table.filter(users::email.eq(email.as_str()));
            let raised =
                diesel::update(mine).set((users::version.eq(users::version + 1), users::updated_at.eq(stored(now()))));
            let raised = raised.returning(columns::<Row>());
            let (epoch, locked) = join(lock_epoch(conn, tombstone), raised.get_result::<Row>(conn)).await;
            let (epoch, locked) = (epoch?, locked.optional()?);
            let mut user =
                User::try_from(locked.ok_or_else(|| Abort::Rejected(Problem::unknown_user(email.as_str())))?)?;
            user.version -= 1;
            let profile = change(&user).map_err(Abort::Rejected)?;
            let changed: Row = diesel::update(users::table.filter(users::email.eq(email.as_str())))
                .set((
                    users::name.eq(&profile.name),
                    users::time_zone.eq(profile.time_zone.name()),
                    users::preference.eq(profile.preference.name()),
                    users::availability.eq(profile.availability.to_bytes().to_vec()),
                    users::if_needed.eq(profile.if_needed.to_bytes().to_vec()),
                    users::overrides.eq(json!(profile.overrides).to_string()),
                ))
                .returning(columns::<Row>())
                .get_result(conn)
                .await?;
            let user = User::try_from(changed)?;
            conn.enqueue(event(&user, "updated"));
            Ok((user, epoch))
        })
    }

    /// A page of users in the order of creation, after the one with id `after`.
    pub async fn page(&self, after: &str, limit: i64) -> Result<Vec<User>, Error> {
        let rows: Vec<Row> = read!(self.store.owner.db, |conn| users::table
            .filter(users::id.gt(after))
            .order(users::id.asc())
            .limit(limit)
            .select(columns::<Row>())
            .load(conn))?;
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
            let rows: Vec<(i64, Option<Row>)> = read!(self.store.owner.db, |conn| cache_epoch::table
                .left_join(users::table.on(users::email.eq_any(chunk)))
                .select((cache_epoch::epoch, columns::<Row>().nullable()))
                .load(conn))?;
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

/// The event about a change of a user. It does not contain the change.
pub(super) fn event(user: &User, what: &str) -> OutboxRow {
    let data = json!({ "id": user.id, "email": user.email, "version": user.version });
    let about = EventSubject { kind: "user", id: user.id, version: user.version };
    OutboxRow::event(ROLE, &about, what, data)
}

impl TryFrom<Row> for User {
    type Error = Error;

    fn try_from(row: Row) -> Result<User, Error> {
        let corrupt = |what: &str| Error::Corrupt(format!("the {what} of user {}", row.id));
        Ok(User {
            id: row.id.parse().map_err(|_| corrupt("id"))?,
            email: Email::parse(&row.email).map_err(|_| corrupt("email"))?,
            time_zone: Zone::parse(&row.time_zone).map_err(|_| corrupt("time_zone"))?,
            preference: Preference::parse(&row.preference).ok_or_else(|| corrupt("preference"))?,
            availability: Week::from_bytes(&row.availability).ok_or_else(|| corrupt("availability"))?,
            if_needed: Week::from_bytes(&row.if_needed).ok_or_else(|| corrupt("if_needed"))?,
            overrides: serde_json::from_str(&row.overrides).map_err(|_| corrupt("overrides"))?,
            typed_email: row.typed_email,
            name: row.name,
            version: row.version,
            created_at: instant::read(row.created_at).ok_or_else(|| Error::Corrupt("created_at".to_owned()))?,
            updated_at: instant::read(row.updated_at).ok_or_else(|| Error::Corrupt("updated_at".to_owned()))?,
        })
    }
}
