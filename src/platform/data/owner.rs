//! What every owner of data stands on: its database, its outbox, its limits and its secret.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use diesel::prelude::*;
use diesel_migrations::EmbeddedMigrations;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::schema::secrets;
use super::{Abort, Damaged, Db, Error, RunQueryDsl, migrate};
use crate::config::{Jobs as Limits, Settings};
use crate::platform::http::health::Dependency;
use crate::platform::http::problem::Problem;
use crate::platform::queue::PublishError;
use crate::platform::refusal::{cause, remedy};
use crate::transact;

/// Seconds after which a request that was refused for a full outbox is worth repeating.
const RETRY_AFTER_FULL: u32 = 30;
/// The pause before the database is tried again at start.
const RETRY: Duration = Duration::from_millis(500);

/// The store of a role that has tables.
pub trait DataOwner: Clone + Send + Sync + 'static {
    /// What it stands on.
    fn owner(&self) -> &Owner;
}

/// The database of a role that has tables, and what goes with it.
#[derive(Clone)]
pub struct Owner {
    /// The role's name: the source of its events.
    pub role: &'static str,
    /// Its own database.
    pub db: Db,
    /// The limits of its jobs.
    pub limits: Limits,
    /// Wakes the relay: something was committed into the outbox.
    pub outbox_notify: Arc<Notify>,
    /// Wakes the sweeper: an attempt has failed, so a job may be due soon.
    pub due_notify: Arc<Notify>,
    /// Whether the outbox holds as much as it may; see [`Owner::check_backpressure`].
    pub outbox_full: Arc<AtomicBool>,
    /// Why the relay cannot publish, if it cannot.
    pub outbox_blocked: Arc<Mutex<Option<PublishError>>>,
    secret: Arc<OnceLock<String>>,
}

impl Owner {
    /// An owner with its configured database; connects to nothing yet.
    ///
    /// # Errors
    /// A database URL that cannot be read.
    pub fn open(settings: &Settings, role: &'static str) -> anyhow::Result<Owner> {
        Ok(Owner {
            role,
            db: Db::open(settings, role)?,
            limits: settings.jobs.clone(),
            outbox_notify: Arc::default(),
            due_notify: Arc::default(),
            outbox_full: Arc::default(),
            outbox_blocked: Arc::default(),
            secret: Arc::new(OnceLock::new()),
        })
    }

    /// Migrates the database and reads the secret, as soon as the database answers; `failed` runs after each attempt that fails. Until
    /// then health tells why. The caller's span names the role.
    ///
    /// # Errors
    /// [`Damaged`].
    pub async fn prepare(
        &self,
        settings: &Settings,
        migrations: fn() -> EmbeddedMigrations,
        failed: impl Fn(),
    ) -> anyhow::Result<()> {
        let mut warned = String::new();
        while let Err(why) = self.try_prepare(settings, migrations).await {
            if why.is::<Damaged>() {
                return Err(why);
            }
            let why = format!("{why:#}");
            self.db.set_blocker(Some(cause(&why)));
            failed();
            match remedy(&why) {
                _ if why == warned => {}
                Some(remedy) => {
                    tracing::error!(why, remedy, "the database refuses: waiting until it is mended")
                }
                None => tracing::warn!(why, "waiting for the database"),
            }
            warned = why;
            sleep(RETRY).await;
        }
        self.db.set_blocker(None);
        Ok(())
    }

    async fn try_prepare(&self, settings: &Settings, migrations: fn() -> EmbeddedMigrations) -> anyhow::Result<()> {
        migrate(settings, self.role, migrations()).await?;
        Ok(self.load_or_create_secret().await?)
    }

    /// The secret that signs this owner's links; empty before the database was read.
    pub fn secret(&self) -> &str {
        self.secret.get().map(String::as_str).unwrap_or_default()
    }

    /// The database and its health.
    pub async fn db_health(&self) -> (String, Dependency) {
        (self.db.name().to_owned(), self.db.health().await)
    }

    /// Refuses requests that make messages while the broker is away and the outbox is full.
    ///
    /// # Errors
    /// 503 with `Retry-After`.
    pub fn check_backpressure(&self) -> Result<(), Abort> {
        if !AtomicBool::load(&self.outbox_full, Ordering::Relaxed) {
            return Ok(());
        }
        let detail = "the message broker is away and the outbox is full; nothing more is accepted until it is back";
        let problem = Problem { retry_after: Some(RETRY_AFTER_FULL), ..Problem::unavailable("queue", detail) };
        Err(Abort::Rejected(problem))
    }

    async fn load_or_create_secret(&self) -> Result<(), Error> {
        let fresh = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        let secret = transact!(self.db, |conn| {
            let row = (secrets::name.eq("links"), secrets::value.eq(&fresh));
            let making = diesel::insert_into(secrets::table).values(row).on_conflict(secrets::name).do_nothing();
            making.execute(conn).await?;
            let kept = secrets::table.filter(secrets::name.eq("links")).select(secrets::value);
            Ok::<String, Error>(kept.first(conn).await?)
        })?;
        // a second start in the same process finds the same
        let _: Result<(), String> = self.secret.set(secret);
        Ok(())
    }
}
