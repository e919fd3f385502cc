//! What the stores of this role share.

use std::sync::Arc;

use diesel::prelude::*;
use tokio::sync::Notify;

use crate::config::{Auth, Calendars, Settings};
use crate::platform::data::{Connection, DataOwner, Error, Owner, RunQueryDsl, exclusive};
use crate::platform::digest::sha256_hex;
use crate::platform::subscriptions::Subscriber;

use super::api::ROLE;
use super::schema::users;

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

impl DataOwner for Store {
    fn owner(&self) -> &Owner {
        &self.owner
    }
}

impl Subscriber for Store {}
