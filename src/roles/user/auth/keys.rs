//! The keys that sign access tokens. They are in the database, so that all replicas have the same.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use tokio::time::sleep;
use uuid::Uuid;

use crate::platform::auth::token::{Claims, KeySet, LEEWAY, SigningKey};
use crate::platform::auth::{Caller, token};
use crate::platform::data::instant::{now, stored};
use crate::platform::data::{Connection, Error, RunQueryDsl, columns};
use crate::platform::http::problem::Problem;
use crate::roles::user::schema::signing_keys;
use crate::roles::user::store::Store;
use crate::transact;

/// The pause before the database is tried again at start.
const RETRY: Duration = Duration::from_millis(500);
/// The delay until a new key signs: longer than any verifier uses an old key set.
const SIGNING_DELAY: SignedDuration = SignedDuration::from_secs(15);

/// A signing key.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
pub struct SigningKeyRow {
    pub id: String,
    seed: String,
    pub signs_from: DateTime,
    pub retires_at: Option<DateTime>,
    pub created_at: DateTime,
}

impl SigningKeyRow {
    fn generate(now: Timestamp, wait: SignedDuration) -> SigningKeyRow {
        SigningKeyRow {
            id: Uuid::now_v7().to_string(),
            seed: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()),
            signs_from: stored(now.saturating_add(wait).unwrap_or(now)),
            retires_at: None,
            created_at: stored(now),
        }
    }

    fn key(&self) -> Result<SigningKey, Error> {
        let seed = URL_SAFE_NO_PAD.decode(&self.seed).ok().and_then(|seed| <[u8; 32]>::try_from(seed).ok());
        seed.map(|seed| SigningKey::new(&self.id, &seed)).ok_or_else(|| Error::Corrupt("a signing key".to_owned()))
    }
}

impl Store {
    /// Creates the first key if there is none, as soon as the database is available.
    pub async fn ensure_signing_key(&self) {
        while let Err(why) = self.create_first_key().await {
            tracing::warn!(%why, "waiting for the database");
            sleep(RETRY).await;
        }
    }

    async fn create_first_key(&self) -> Result<(), Error> {
        transact!(self.owner.db, |conn| { ensure_key(conn).await })
    }

    /// All keys that verify tokens, the newest first.
    pub async fn keys(&self) -> Result<Vec<SigningKeyRow>, Error> {
        let valid = signing_keys::retires_at.is_null().or(signing_keys::retires_at.gt(stored(now())));
        let newest_first = (signing_keys::signs_from.desc(), signing_keys::id.desc());
        let keys = signing_keys::table.filter(valid).order(newest_first).select(columns::<SigningKeyRow>());
        self.owner.db.fetch_all(keys).await
    }

    /// The public keys.
    pub async fn key_set(&self) -> Result<KeySet, Error> {
        let public =
            |row: &SigningKeyRow| row.key()?.public().ok_or_else(|| Error::Corrupt("a signing key".to_owned()));
        let keys = self.keys().await?.iter().map(public).collect::<Result<_, _>>()?;
        Ok(KeySet { keys })
    }

    /// A new access token of a session.
    ///
    /// # Errors
    /// 503 while the database is unavailable.
    pub async fn sign(&self, caller: &Caller, session: &str) -> Result<String, Problem> {
        let now_stored = stored(now());
        let keys = self.keys().await?;
        let newest = keys.iter().find(|row| row.signs_from.to_jiff() <= now_stored.to_jiff());
        let newest = newest.ok_or_else(|| Problem::unavailable("keys", "there is no signing key yet"))?;
        let now = token::now();
        let claims = Claims {
            iss: self.auth.issuer.clone(),
            aud: self.auth.issuer.clone(),
            sub: caller.id.clone(),
            email: caller.email.clone(),
            scope: caller.scope,
            sid: session.to_owned(),
            jti: Uuid::now_v7().to_string(),
            iat: now,
            nbf: now,
            exp: now + u64::from(self.auth.token_seconds),
        };
        let key = newest.key()?;
        key.sign(&claims).map_err(Problem::internal)
    }

    /// Creates a key. The other keys sign until all verifiers know the new one, and verify until their last token has expired.
    pub async fn rotate_keys(&self) -> Result<String, Error> {
        let now = now();
        let new = SigningKeyRow::generate(now, SIGNING_DELAY);
        let tokens = SignedDuration::from_secs(i64::from(self.auth.token_seconds) + 2 * LEEWAY.cast_signed());
        let end = now.saturating_add(SIGNING_DELAY).and_then(|at| at.checked_add(tokens)).unwrap_or(Timestamp::MAX);
        transact!(self.owner.db, |conn| {
            let others = signing_keys::table.filter(signing_keys::retires_at.is_null());
            diesel::update(others).set(signing_keys::retires_at.eq(stored(end))).execute(conn).await?;
            diesel::insert_into(signing_keys::table).values(&new).execute(conn).await?;
            diesel::delete(signing_keys::table.filter(signing_keys::retires_at.lt(stored(now)))).execute(conn).await?;
            Ok::<_, Error>(())
        })?;
        Ok(new.id)
    }

    /// Revokes a key and every token that it has signed; `false` for an unknown id. If no other key signs, a new one signs at once.
    pub async fn revoke_key(&self, id: &str) -> Result<bool, Error> {
        transact!(self.owner.db, |conn| {
            let deleted = diesel::delete(signing_keys::table.filter(signing_keys::id.eq(id))).execute(conn).await?;
            ensure_key(conn).await?;
            Ok::<_, Error>(deleted > 0)
        })
    }
}

/// Creates a key that signs at once, if no other key signs.
async fn ensure_key(conn: &mut Connection) -> Result<(), Error> {
    let at = stored(now());
    let ready = signing_keys::table.filter(signing_keys::signs_from.le(at));
    let ready = ready.filter(signing_keys::retires_at.is_null().or(signing_keys::retires_at.gt(at)));
    if ready.count().get_result::<i64>(conn).await? == 0 {
        let key = SigningKeyRow::generate(now(), SignedDuration::ZERO);
        diesel::insert_into(signing_keys::table).values(key).execute(conn).await?;
    }
    Ok(())
}
