//! What the stores of this role share: the database, the ways out of a transaction, and the bell that wakes the relay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::platform::data::RunQueryDsl;
use diesel::prelude::*;
use tokio::sync::Notify;

use crate::config::{Auth, Calendars, Jobs as Limits, Settings};
use crate::platform::data::{Db, Error};
use crate::platform::http::problem::Problem;
use crate::roles::user::schema::secrets;
use crate::transact;

/// The tables of meetings and jobs.
#[derive(Clone)]
pub struct Store {
    pub db: Db,
    pub limits: Limits,
    pub calendars: Calendars,
    pub auth: Auth,
    /// Rung after every commit that put something into the outbox.
    pub bell: Arc<Notify>,
    /// What links in letters are signed with; known once the database is.
    pub secret: Arc<OnceLock<String>>,
    /// Whether as much waits for the broker as may; see [`Store::has_room`].
    pub full: Arc<AtomicBool>,
}

/// Why a transaction was rolled back.
pub enum Stop {
    /// The database says so.
    Database(Error),
    /// There is nothing to change, or it may not be changed like this.
    Refused(Problem),
    /// The cache's epoch is this one now.
    OtherEpoch(i64),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Database(error.into())
    }
}

impl Store {
    /// On the configured database; connects to nothing yet.
    pub fn open(settings: &Settings) -> anyhow::Result<Store> {
        Ok(Store {
            db: Db::open(settings)?,
            limits: settings.jobs.clone(),
            calendars: settings.calendars.clone(),
            auth: settings.auth.clone(),
            bell: Arc::default(),
            secret: Arc::new(OnceLock::new()),
            full: Arc::default(),
        })
    }

    /// What a caller is told.
    pub fn problem(&self, stop: Stop) -> Problem {
        match stop {
            Stop::Refused(problem) => problem,
            Stop::Database(error) => error.problem(self.db.name()),
            Stop::OtherEpoch(epoch) => Problem::internal(format!("epoch {epoch} outside of the cache's protocol")),
        }
    }

    /// Refuses what would make work for a broker that has been away for too long already.
    pub fn has_room(&self) -> Result<(), Stop> {
        if !AtomicBool::load(&self.full, Ordering::Relaxed) {
            return Ok(());
        }
        let detail = "too much waits for the message broker, which is away; nothing more is accepted until it is back";
        Err(Stop::Refused(Problem { retry_after: Some(FULL_FOR), ..Problem::unavailable("queue", detail) }))
    }

    /// What a caller of a reading query is told.
    pub fn unread(&self, error: &Error) -> Problem {
        error.problem(self.db.name())
    }
}

/// Seconds after which it is worth asking again.
const FULL_FOR: u32 = 30;
/// How long to wait before the database is asked for the secret again.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

impl Store {
    /// Makes the secret of this installation and its first key, or reads what there is, as soon as the database lets us.
    pub async fn learn_secrets(&self) {
        let fresh = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        loop {
            let learnt = match self.learn_key().await {
                Ok(()) => self.secret_of("links", &fresh).await,
                Err(why) => Err(why),
            };
            match learnt {
                Ok(secret) => {
                    // a second start in the same process would find the same
                    let _: Result<(), String> = self.secret.set(secret);
                    return;
                }
                Err(why) => {
                    tracing::warn!(%why, "waiting for the database");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn secret_of(&self, name: &str, fresh: &str) -> Result<String, Error> {
        transact!(self.db, |conn| {
            let row = (secrets::name.eq(name), secrets::value.eq(fresh));
            let making = diesel::insert_into(secrets::table).values(row).on_conflict(secrets::name).do_nothing();
            making.execute(conn).await?;
            let kept = secrets::table.filter(secrets::name.eq(name)).select(secrets::value);
            Ok::<String, Error>(kept.first(conn).await?)
        })
    }
}
