//! What the stores of this role share.

use std::sync::Arc;
use std::time::Duration;

use super::api::ROLE;
use crate::config::{Auth, Invitations, Settings};
use crate::platform::data::{DataOwner, Owner};
use crate::platform::http::problem::Problem;
use crate::platform::limiter::{KeyedLimiter, KeyedPermit};

/// Transactions of one account that create a meeting at a time. They wait for each other's locks, each with a connection.
const CREATING: usize = 4;

/// The tables of this role, and the settings that their rules need.
#[derive(Clone)]
pub struct Store {
    pub owner: Owner,
    pub auth: Auth,
    pub invitations: Invitations,
    creating: Arc<KeyedLimiter<String>>,
    /// How long a request waits for those of the same account.
    turn_wait: Duration,
}

impl Store {
    /// On the configured database; connects to nothing yet.
    pub fn open(settings: &Settings) -> anyhow::Result<Store> {
        let owner = Owner::open(settings, ROLE)?;
        Ok(Store {
            owner,
            auth: settings.auth.clone(),
            invitations: settings.invitations.clone(),
            creating: KeyedLimiter::new(CREATING),
            // the caller waits for the rest, too
            turn_wait: Duration::from_secs_f64(settings.limits.call_seconds * 0.7),
        })
    }

    /// A turn for a request of this account to create a meeting. Requests wait here without a connection: a burst of one account neither
    /// takes the connections of others, nor waits for locks until the database gives it up.
    ///
    /// # Errors
    /// 503 when the requests before it take too long.
    pub async fn acquire_turn(&self, account: &str) -> Result<KeyedPermit<String>, Problem> {
        let turn = self.creating.acquire(account.to_owned(), self.turn_wait).await;
        let detail = "other requests of this account to create meetings are not done yet; try again in a moment";
        turn.ok_or_else(|| Problem::unavailable(ROLE, detail))
    }
}

impl DataOwner for Store {
    fn owner(&self) -> &Owner {
        &self.owner
    }
}
