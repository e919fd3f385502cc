//! The database behind a role: one query text, run on PostgreSQL or on SQLite. The difference between the two lives here.
//!
//! Write a query once, in a role's `store.rs`, inside [`read!`] or [`transact!`]; it is compiled for both.

mod abort;
mod blocking;
mod connect;
mod connection;
mod damage;
mod encryption;
mod error;
mod files;
pub mod idempotency;
pub mod instant;
mod lock;
mod migrate;
mod outbox;
mod owner;
mod postgres;
mod queries;
mod recent;
pub mod schema;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::SqliteConnection;
use diesel::dsl::sql;
use diesel::sql_types::Bool;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection as _};
use tokio::time::timeout;

use crate::config::Settings;
use crate::platform::http::health::{Dependency, Status};
use crate::platform::refusal::{READ_ONLY, cause};
pub use abort::Abort;
use connection::Pooled;
pub use connection::{Connection, RunQueryDsl, columns};
pub use damage::Damaged;
use damage::{CAUSE, DamageFlag, REPLACED};
pub use error::{Error, Failure, unavailable};
use files::OpenFile;
pub use files::make_folder;
pub use lock::{exclusive, shared, skip_locked};
pub use migrate::{exists, migrate};
pub use outbox::{EventSubject, OutboxRow};
pub use owner::{DataOwner, Owner};
pub use queries::execute_all;
use recent::Recent;

/// SQLite, whose calls block, on tokio's blocking threads.
pub type SqliteConn = SyncConnectionWrapper<SqliteConnection, blocking::Blocking>;

/// How long a request waits for one of the readers of SQLite.
const CHECKOUT: Duration = Duration::from_millis(400);

/// The database a role was started with.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
    answer: Duration,
    /// Writes found no space.
    full: Recent,
    /// Writes were refused by a server of PostgreSQL that only reads.
    read_only: Recent,
    /// Why the last attempt to prepare it has failed, while the start waits for it.
    blocker: Arc<Mutex<Option<&'static str>>>,
    damage: Arc<DamageFlag>,
    /// The file, if it is SQLite.
    file: Option<Arc<OpenFile>>,
}

/// Which database it is. Only [`read!`] and [`transact!`] look inside.
#[derive(Clone)]
pub enum Engine {
    /// A pool of connections to PostgreSQL.
    Postgres(Pool<AsyncPgConnection>),
    /// One file: several readers, and the one writer that SQLite allows.
    Sqlite {
        /// For reading.
        readers: Pool<SqliteConn>,
        /// For writing.
        writer: Pool<SqliteConn>,
    },
}

/// Runs one reading query: `read!(db, |conn| query.load(conn))`.
#[macro_export]
macro_rules! read {
    ($db:expr, |$conn:ident| $body:expr) => {
        $db.within(async {
            let mut held = $db.connect().await?;
            let $conn = &mut held;
            $body.await.map_err($crate::platform::data::Error::from)
        })
        .await
    };
}

/// Runs one transaction: committed if the block is `Ok`, rolled back if not.
#[macro_export]
macro_rules! transact {
    ($db:expr, |$conn:ident| $body:block) => {
        $db.within(async {
            let mut held = $db.begin().await?;
            let outcome = async {
                let $conn = &mut held;
                $body
            }
            .await;
            held.end(outcome).await
        })
        .await
    };
}

/// What a pool gives, in time or not at all.
async fn checkout<T, E: std::fmt::Display>(
    held: impl Future<Output = Result<T, E>>,
    limit: Duration,
) -> Result<T, Error> {
    match timeout(limit, held).await {
        Ok(held) => held.map_err(unavailable),
        Err(_) => Err(unavailable("no connection in time")),
    }
}

impl Db {
    /// Makes the pools; connects to nothing yet. Needs a tokio runtime, on which PostgreSQL's connections will live.
    ///
    /// # Errors
    /// A URL that PostgreSQL's rules cannot read.
    pub fn open(settings: &Settings, role: &str) -> anyhow::Result<Db> {
        let engine = connect::open(settings, role)?;
        let answer = Duration::from_millis(settings.database.answer_ms);
        let damage = Arc::new(DamageFlag::new(Damaged::of_role(settings, role)));
        Ok(Db {
            engine,
            answer,
            full: Recent::default(),
            read_only: Recent::default(),
            blocker: Arc::default(),
            damage,
            file: settings.sqlite_path(role).map(|path| Arc::new(OpenFile::new(path))),
        })
    }

    /// Which database it is.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The name in health reports and problems.
    pub fn name(&self) -> &'static str {
        match self.engine {
            Engine::Postgres(_) => "postgresql",
            Engine::Sqlite { .. } => "sqlite",
        }
    }

    /// Gives up when the answer takes too long. SQLite's statements end by themselves, and one that is given up holds its
    /// thread until it does: there only the wait for a connection has an end.
    ///
    /// # Errors
    /// [`Error::Unavailable`] then, else what `work` says. A full disk and damage are remembered for health.
    pub async fn within<T, E: Failure>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let done = match self.engine {
            Engine::Postgres(_) => {
                timeout(self.answer, work).await.unwrap_or_else(|_| Err(unavailable("no answer in time").into()))
            }
            Engine::Sqlite { .. } => work.await,
        };
        done.map_err(|failure| failure.on(self))
    }

    /// A connection to read with.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none in time.
    pub async fn connect(&self) -> Result<Connection, Error> {
        Ok(Connection::new(match &self.engine {
            Engine::Postgres(pool) => Pooled::Postgres(checkout(connect::get_connection(pool), self.answer).await?),
            Engine::Sqlite { readers, .. } => Pooled::Sqlite(checkout(readers.get(), CHECKOUT).await?.into()),
        }))
    }

    /// A transaction. SQLite has one writer; it is waited for as long as an answer may take: it is busy, not gone.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the pool has no connection in time; [`Error::Damaged`] when somebody has removed or replaced the file.
    pub async fn begin(&self) -> Result<Connection, Error> {
        let mut conn = match &self.engine {
            Engine::Postgres(_) => self.connect().await?,
            Engine::Sqlite { writer, .. } => {
                Connection::new(Pooled::Sqlite(checkout(writer.get(), self.answer).await?.into()))
            }
        };
        if self.file.as_ref().is_some_and(|file| !file.is_in_place()) {
            if !self.is_damaged() {
                tracing::error!("{REPLACED}");
            }
            return Err(unavailable(REPLACED));
        }
        conn.begin().await?;
        Ok(conn)
    }

    /// Moves all of SQLite's log into the database file and empties the log: it still holds what was deleted since the last time. PostgreSQL
    /// needs no such call.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when readers or the writer are busy for too long.
    pub async fn checkpoint(&self) -> Result<(), Error> {
        let Engine::Sqlite { writer, .. } = &self.engine else { return Ok(()) };
        let mut conn = checkout(writer.get(), self.answer).await?;
        Ok(conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").await?)
    }

    /// The end of a subquery that picks rows to work on and leaves alone those that another replica holds.
    pub fn skipping_held(&self) -> &'static str {
        match self.engine {
            Engine::Postgres(_) => "FOR UPDATE SKIP LOCKED",
            Engine::Sqlite { .. } => "",
        }
    }

    /// Whether this process is the only one that uses it.
    pub fn is_ours_alone(&self) -> bool {
        matches!(self.engine, Engine::Sqlite { .. })
    }

    /// A write found no space. It logs the first of several.
    fn note_full(&self) {
        if self.full.set() {
            tracing::error!(database = self.name(), "the disk is full: make room; reading works, writing does not");
        }
    }

    /// A server of PostgreSQL only reads. It logs the first of several.
    fn note_read_only(&self) {
        if self.read_only.set() {
            tracing::error!(database = self.name(), "{READ_ONLY}; reading works, writing does not");
        }
    }

    /// Remembers for health why the start waits for the database, or that it waits no longer.
    fn set_blocker(&self, why: Option<&'static str>) {
        *self.blocker.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Whether a query has met damage since the start of the process.
    pub fn is_damaged(&self) -> bool {
        self.damage.is_set()
    }

    /// A query has met damage.
    fn note_damaged(&self) {
        self.damage.set();
    }

    /// Whether it was prepared, answers, is whole, can be written, and has had room for what was written lately.
    pub async fn health(&self) -> Dependency {
        let begin = Instant::now();
        let blocker = *self.blocker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(blocker) = blocker.filter(|_| !self.is_damaged()) {
            return Dependency::measured(Status::Unhealthy, begin).with_cause(blocker);
        }
        let is_read_only = sql::<Bool>(match self.engine {
            Engine::Postgres(_) => "SELECT current_setting('transaction_read_only') = 'on'",
            Engine::Sqlite { .. } => "SELECT 0",
        });
        let answer: Result<bool, Error> = read!(self, |conn| is_read_only.get_result(conn));
        if let Ok(true) = answer {
            self.note_read_only();
        }
        let unhealthy = |cause: &str| Dependency::measured(Status::Unhealthy, begin).with_cause(cause);
        let is_locked = answer.is_ok() && self.is_write_locked().await;
        match answer {
            _ if self.is_damaged() => unhealthy(CAUSE),
            Err(Error::Unavailable { why, .. }) => unhealthy(cause(&why)),
            Err(_) => unhealthy("it refuses a query: see the log"),
            Ok(_) if self.full.is_set() => unhealthy("its disk is full: make room"),
            Ok(_) if self.read_only.is_set() => unhealthy(READ_ONLY),
            Ok(_) if is_locked => {
                let cause = "another process has locked the file: it can be read, and writing waits";
                Dependency::measured(Status::Degraded, begin).with_cause(cause)
            }
            Ok(_) => Dependency::measured(Status::Healthy, begin),
        }
    }

    /// Whether another process holds the write lock of SQLite for long.
    async fn is_write_locked(&self) -> bool {
        let Engine::Sqlite { readers, .. } = &self.engine else { return false };
        let Ok(mut conn) = checkout(readers.get(), CHECKOUT).await else { return false };
        // an own transaction is over long before
        let probed = conn.batch_execute("PRAGMA busy_timeout=400; BEGIN IMMEDIATE; ROLLBACK;").await;
        drop(conn.batch_execute("PRAGMA busy_timeout=800;").await);
        match probed.map_err(|why| Error::from(why).on(self)) {
            Ok(()) | Err(Error::Damaged { .. }) => false,
            Err(_) => true,
        }
    }
}
