//! Sessions and their refresh tokens. A session has one refresh token at a time, which works once. A reused token may be stolen
//! (RFC 9700, 4.14), so it ends its session.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::store::{Account, CallerRow, read_caller, wrong_password};
use crate::platform::auth::{AuthMethod, Caller};
use crate::platform::data::instant::{now, stored};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, shared};
use crate::platform::digest::sha256_hex;
use crate::roles::user::schema::{credentials, refresh_tokens, sessions, users};
use crate::roles::user::store::Store;
use crate::transact;

/// The prefix of refresh tokens.
const PREFIX: &str = "w2r_";

/// A new session, or a renewed one.
pub struct Session {
    pub id: String,
    pub refresh_token: String,
}

/// The result of using a refresh token.
pub enum Renewal {
    /// The session has a new token.
    Renewed(Session, Caller),
    /// The token was used before: its session was ended.
    Reused,
    /// The token is unknown or has expired.
    Unknown,
}

/// Ends all sessions of an account except the one with the id `kept`.
///
/// # Errors
/// A failure of the database.
pub async fn end_sessions(conn: &mut Connection, user_id: &str, kept: &str) -> Result<(), Error> {
    let others = sessions::table.filter(sessions::user_id.eq(user_id)).filter(sessions::id.ne(kept));
    let others: Vec<String> = others.select(sessions::id).load(conn).await?;
    diesel::delete(refresh_tokens::table.filter(refresh_tokens::session_id.eq_any(&others))).execute(conn).await?;
    diesel::delete(sessions::table.filter(sessions::id.eq_any(&others))).execute(conn).await?;
    Ok(())
}

/// Ends a session.
async fn end_session(conn: &mut Connection, id: &str) -> Result<(), Error> {
    diesel::delete(refresh_tokens::table.filter(refresh_tokens::session_id.eq(id))).execute(conn).await?;
    diesel::delete(sessions::table.filter(sessions::id.eq(id))).execute(conn).await?;
    Ok(())
}

/// Stores a new refresh token of a session.
async fn insert_token(conn: &mut Connection, token: &str, session: &str, now: Timestamp) -> Result<(), Error> {
    let row = (
        refresh_tokens::hash.eq(sha256_hex(token)),
        refresh_tokens::session_id.eq(session),
        refresh_tokens::created_at.eq(stored(now)),
    );
    diesel::insert_into(refresh_tokens::table).values(row).execute(conn).await?;
    Ok(())
}

fn generate_token() -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

impl Store {
    fn session_end(&self, now: Timestamp) -> Timestamp {
        let days = SignedDuration::from_hours(24 * i64::from(self.auth.session_days));
        now.saturating_add(days).unwrap_or(Timestamp::MAX)
    }

    /// Begins a session of an account.
    ///
    /// # Errors
    /// 401 if the password was changed after the account was authenticated.
    pub async fn open_session(&self, account: &Account) -> Result<Session, Abort> {
        let now = now();
        let session = Session { id: Uuid::now_v7().to_string(), refresh_token: generate_token() };
        transact!(self.owner.db, |conn| {
            let current = users::table
                .inner_join(credentials::table.on(credentials::user_id.eq(users::id)))
                .filter(users::id.eq(&account.id))
                .filter(credentials::password_hash.eq(&account.password_hash))
                .select(users::id);
            // what ends the access of an account locks the user first
            if shared(current).get_result::<String>(conn).await.optional()?.is_none() {
                return Err(Abort::Rejected(wrong_password()));
            }
            let row = (
                sessions::id.eq(&session.id),
                sessions::user_id.eq(&account.id),
                sessions::created_at.eq(stored(now)),
                sessions::expires_at.eq(stored(self.session_end(now))),
            );
            diesel::insert_into(sessions::table).values(row).execute(conn).await?;
            insert_token(conn, &session.refresh_token, &session.id, now).await?;
            Ok::<(), Abort>(())
        })?;
        Ok(session)
    }

    /// Uses a refresh token up, once.
    pub async fn renew_session(&self, token: &str) -> Result<Renewal, Error> {
        let (now, hash, next) = (now(), sha256_hex(token), generate_token());
        transact!(self.owner.db, |conn| {
            let this = refresh_tokens::table.filter(refresh_tokens::hash.eq(&hash));
            let unused = this.filter(refresh_tokens::used_at.is_null());
            let used: Option<String> = diesel::update(unused)
                .set(refresh_tokens::used_at.eq(stored(now)))
                .returning(refresh_tokens::session_id)
                .get_result(conn)
                .await
                .optional()?;
            let Some(session) = used else {
                let reused: Option<String> = this.select(refresh_tokens::session_id).first(conn).await.optional()?;
                let Some(session) = reused else { return Ok::<_, Error>(Renewal::Unknown) };
                end_session(conn, &session).await?;
                return Ok(Renewal::Reused);
            };
            let mine = sessions::table.filter(sessions::id.eq(&session)).filter(sessions::expires_at.gt(stored(now)));
            let end = stored(self.session_end(now));
            let user: Option<String> = diesel::update(mine)
                .set(sessions::expires_at.eq(end))
                .returning(sessions::user_id)
                .get_result(conn)
                .await
                .optional()?;
            let user = user.unwrap_or_default();
            let account: Option<CallerRow> = users::table
                .inner_join(credentials::table.on(credentials::user_id.eq(users::id)))
                .filter(users::id.eq(&user))
                .select((users::email, credentials::scope, credentials::email_verified_at))
                .first(conn)
                .await
                .optional()?;
            let Some(account) = account else { return Ok(Renewal::Unknown) };
            insert_token(conn, &next, &session, now).await?;
            let caller = read_caller(user, account, AuthMethod::Session(Some(session.clone())))?;
            Ok(Renewal::Renewed(Session { id: session, refresh_token: next.clone() }, caller))
        })
    }

    /// Ends the session of a refresh token, used or not.
    pub async fn close_session(&self, token: &str) -> Result<(), Error> {
        let hash = sha256_hex(token);
        transact!(self.owner.db, |conn| {
            let this = refresh_tokens::table.filter(refresh_tokens::hash.eq(&hash)).select(refresh_tokens::session_id);
            let Some(session) = this.first::<String>(conn).await.optional()? else { return Ok::<_, Error>(()) };
            end_session(conn, &session).await
        })
    }

    /// The current account of a session that has not ended.
    pub async fn session_of(&self, id: &str, user_id: &str) -> Result<Option<Caller>, Error> {
        let account = sessions::table
            .inner_join(users::table.on(users::id.eq(sessions::user_id)))
            .inner_join(credentials::table.on(credentials::user_id.eq(sessions::user_id)))
            .filter(sessions::id.eq(id))
            .filter(sessions::user_id.eq(user_id))
            .filter(sessions::expires_at.gt(stored(now())))
            .select((users::email, credentials::scope, credentials::email_verified_at));
        let found: Option<CallerRow> = self.owner.db.fetch_optional(account).await?;
        let method = AuthMethod::Session(Some(id.to_owned()));
        found.map(|row| read_caller(user_id.to_owned(), row, method)).transpose()
    }

    /// Deletes sessions that have expired.
    pub async fn purge_sessions(&self) -> Result<(), Error> {
        let now = stored(now());
        transact!(self.owner.db, |conn| {
            let expired = sessions::table.filter(sessions::expires_at.lt(now)).select(sessions::id);
            let expired: Vec<String> = expired.limit(1000).load(conn).await?;
            diesel::delete(refresh_tokens::table.filter(refresh_tokens::session_id.eq_any(&expired)))
                .execute(conn)
                .await?;
            diesel::delete(sessions::table.filter(sessions::id.eq_any(&expired))).execute(conn).await?;
            Ok::<_, Error>(())
        })
    }
}
