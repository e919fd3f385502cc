//! What the stores of this role share.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use diesel::prelude::*;
use futures_util::future::LocalBoxFuture;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::config::{Auth, AuthMode, Calendars, Settings};
use crate::platform::auth::Caller;
use crate::platform::auth::verifier::ended_session;
use crate::platform::data::{Abort, Connection, DataOwner, Error, Owner, RunQueryDsl, exclusive};
use crate::platform::digest::{keyed_hex, sha256_hex};
use crate::platform::email::Email;
use crate::platform::http::extract::UserKey;
use crate::platform::http::problem::Problem;
use crate::platform::subscriptions::Subscriber;

use super::api::ROLE;
use super::schema::{credentials, users};

/// The tables of this role, and the settings that their rules need.
#[derive(Clone)]
pub struct Store {
    pub owner: Owner,
    pub calendars: Calendars,
    pub auth: Auth,
    /// Wakes the task that creates the jobs of due subscriptions.
    pub calendar_added: Arc<Notify>,
}

impl Store {
    /// On the configured database; connects to nothing yet.
    pub fn open(settings: &Settings) -> anyhow::Result<Store> {
        Ok(Store {
            owner: Owner::open(settings, ROLE)?,
            calendars: settings.calendars.clone(),
            auth: settings.auth.clone(),
            calendar_added: Arc::default(),
        })
    }

    /// The address of the user with this id.
    pub async fn email_of(&self, id: Uuid) -> Result<Option<Email>, Error> {
        let mine = users::table.find(id.to_string()).select(users::email);
        let found: Option<String> = self.owner.db.fetch_optional(mine).await?;
        found
            .map(|email| Email::parse(&email).map_err(|_| Error::Corrupt(format!("the address of user {id}"))))
            .transpose()
    }

    /// Whether an account must prove its mailbox: until then, another person may have registered the address.
    pub fn requires_proof(&self) -> bool {
        self.auth.verify_email && self.auth.mode != AuthMode::Open
    }

    /// What stands for an address that is counted, but need not have an account: the address itself is not kept.
    pub fn address_digest(&self, email: &Email) -> String {
        keyed_hex(self.owner.secret(), &format!("address {email}"))
    }

    /// The end of the UIDs of meetings in calendars. It tells this installation from others, and never changes.
    pub fn uid_domain(&self) -> String {
        format!("{:.16}.w2meet", sha256_hex(format!("uid {}", self.owner.secret())))
    }
}

/// Locks a user until the transaction ends, and returns the id. What counts a user's things and adds one, or ends a user's access,
/// begins with this lock, so that two such transactions never decide at the same time; a deletion locks the user first, too.
pub async fn lock_user(conn: &mut Connection, email: &str) -> Result<Option<String>, Error> {
    let lock = exclusive(users::table.filter(users::email.eq(email)).select(users::id));
    Ok(lock.get_result(conn).await.optional()?)
}

/// Refuses a request that was admitted before the first proof of the caller's mailbox, and comes after it: another person may have sent
/// it. The transaction has locked the user.
///
/// # Errors
/// 401.
pub async fn check_admission(conn: &mut Connection, caller: Option<&Caller>) -> Result<(), Abort> {
    let Some(caller) = caller.filter(|caller| !caller.email_verified) else { return Ok(()) };
    let proven = credentials::table.find(&caller.id).filter(credentials::email_verified_at.is_not_null());
    match proven.select(credentials::user_id).first::<String>(conn).await.optional()? {
        None => Ok(()),
        Some(_) => Err(Abort::Rejected(ended_session())),
    }
}

/// The address of the user whom a path names by address or by id. Tables and caches of this role know users by address.
pub struct PathUser(pub Email);

impl FromRequest for PathUser {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (key, store) = (UserKey::from_request(req, payload), Data::<Store>::extract(req));
        Box::pin(async move {
            match key.await? {
                UserKey::Email(email) => Ok(PathUser(email)),
                UserKey::Id(id) => {
                    let store = store.await.map_err(|why| Problem::internal(why.to_string()))?;
                    let email = store.email_of(id).await?;
                    email.map(PathUser).ok_or_else(|| Problem::unknown_user(&id.to_string()))
                }
            }
        })
    }
}

impl DataOwner for Store {
    fn owner(&self) -> &Owner {
        &self.owner
    }
}

impl Subscriber for Store {}
