//! The database behind a role: one query text, run on PostgreSQL or on SQLite. The difference between the two lives here.
//!
//! Write a query once, in a role's `store.rs`, inside [`read!`] or [`transact!`]; it is compiled for both.

mod blocking;
mod connect;
pub mod instant;

use std::time::Duration;

use diesel::SqliteConnection;
use diesel::connection::{AnsiTransactionManager, TransactionManager as _};
use diesel::result::DatabaseErrorKind;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::time::timeout;

use crate::config::Settings;
use crate::platform::http::health::{Dependency, Status};
use crate::platform::http::problem::Problem;
pub use connect::{make_folder, migrate};

/// SQLite, whose calls block, on tokio's blocking threads.
pub type SqliteConn = SyncConnectionWrapper<SqliteConnection, blocking::Blocking>;

/// How long a request waits for a connection, a new one included.
const CHECKOUT: Duration = Duration::from_millis(400);
/// The database a role was started with.
#[derive(Clone)]
pub struct Db {
    engine: Engine,
    answer: Duration,
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

/// Why a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It may work in a moment: no connection, too slow, read-only, disk full.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// A row that must be unique is there already.
    #[error("there already: {0}")]
    Exists(String),
    /// It will not work a second time either.
    #[error("the database refused: {0}")]
    Refused(diesel::result::Error),
    /// A row that breaks our own rules.
    #[error("the database holds what nobody may have written: {0}")]
    Corrupt(String),
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::Error as E;
        match error {
            E::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => Error::Exists(info.message().to_owned()),
            E::DatabaseError(
                DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation,
                _,
            ) => Error::Refused(error),
            // What is left is operation, not programming: closed connections, statement timeouts, read-only, locked, disk full.
            E::DatabaseError(..) | E::BrokenTransactionManager | E::RollbackErrorOnCommit { .. } => {
                Error::Unavailable(error.to_string())
            }
            _ => Error::Refused(error),
        }
    }
}

impl Error {
    /// The problem for whoever asked. `database` is the name of the database in health reports.
    pub fn problem(&self, database: &str) -> Problem {
        match self {
            Error::Unavailable(why) => {
                tracing::warn!(database, why, "the database does not answer");
                Problem::unavailable(database, "the database does not answer just now; try again in a moment")
            }
            Error::Exists(_) | Error::Refused(_) | Error::Corrupt(_) => Problem::internal(self),
        }
    }
}

/// Runs one reading query on whichever database this is: `read!(db, |conn| query.load(conn))`.
#[macro_export]
macro_rules! read {
    ($db:expr, |$conn:ident| $body:expr) => {
        $db.within(async {
            match $db.engine() {
                $crate::platform::data::Engine::Postgres(pool) => {
                    let mut held = $crate::platform::data::checkout(pool.get()).await?;
                    let $conn = &mut *held;
                    Ok::<_, $crate::platform::data::Error>($body.await?)
                }
                $crate::platform::data::Engine::Sqlite { readers, .. } => {
                    let mut held = $crate::platform::data::checkout(readers.get()).await?;
                    let $conn = &mut *held;
                    Ok($body.await?)
                }
            }
        })
        .await
    };
}

/// Runs one transaction on whichever database this is. SQLite takes its write lock at once: a transaction that reads first
/// and writes then would be refused as locked.
#[macro_export]
macro_rules! transact {
    ($db:expr, |$conn:ident| $body:block) => {
        $db.within(async {
            match $db.engine() {
                $crate::platform::data::Engine::Postgres(pool) => {
                    let mut held = $crate::platform::data::checkout(pool.get()).await?;
                    diesel_async::AsyncConnection::transaction(&mut *held, async |$conn| $body).await
                }
                $crate::platform::data::Engine::Sqlite { writer, .. } => {
                    let mut held = $db.turn(writer.get()).await?;
                    $crate::platform::data::begin(&mut held).await?;
                    let outcome = (async |$conn: &mut $crate::platform::data::SqliteConn| $body)(&mut held).await;
                    $crate::platform::data::end(&mut held, outcome).await
                }
            }
        })
        .await
    };
}

/// Begins a transaction that writes.
///
/// # Errors
/// A file that somebody else keeps locked.
pub async fn begin(conn: &mut SqliteConn) -> Result<(), Error> {
    Ok(conn.spawn_blocking(|conn| AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")).await?)
}

/// Ends it: what succeeded stays, everything else was never there.
///
/// # Errors
/// The outcome's own, and a commit that fails.
pub async fn end<T, E: From<Error>>(conn: &mut SqliteConn, outcome: Result<T, E>) -> Result<T, E> {
    match outcome {
        Ok(value) => {
            let committed = conn.spawn_blocking(AnsiTransactionManager::commit_transaction).await;
            committed.map(|()| value).map_err(|why| Error::from(why).into())
        }
        Err(why) => {
            // a connection that cannot even roll back is not used again: the pool sees its open transaction
            drop(conn.spawn_blocking(AnsiTransactionManager::rollback_transaction).await);
            Err(why)
        }
    }
}

/// What a pool gives, soon or not at all.
///
/// # Errors
/// [`Error::Unavailable`] when there is no connection in time.
pub async fn checkout<T, E: std::fmt::Display>(held: impl Future<Output = Result<T, E>>) -> Result<T, Error> {
    match timeout(CHECKOUT, held).await {
        Ok(held) => held.map_err(unavailable),
        Err(_) => Err(unavailable("no connection in time")),
    }
}

/// Something that may work in a moment.
pub fn unavailable(why: impl std::fmt::Display) -> Error {
    Error::Unavailable(why.to_string())
}

impl Db {
    /// Makes the pools; connects to nothing yet. Needs a tokio runtime, on which PostgreSQL's connections will live.
    ///
    /// # Errors
    /// A URL that PostgreSQL's rules cannot read.
    pub fn open(settings: &Settings) -> anyhow::Result<Db> {
        let engine = connect::open(settings)?;
        Ok(Db { engine, answer: Duration::from_millis(settings.database.answer_ms) })
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
    /// [`Error::Unavailable`] then, else what `work` says.
    pub async fn within<T, E: From<Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        match self.engine {
            Engine::Postgres(_) => {
                timeout(self.answer, work).await.unwrap_or_else(|_| Err(unavailable("no answer in time").into()))
            }
            Engine::Sqlite { .. } => work.await,
        }
    }

    /// The one writer, waited for as long as an answer may take: it is busy, not gone.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it is not free in time.
    pub async fn turn<T, E: std::fmt::Display>(&self, held: impl Future<Output = Result<T, E>>) -> Result<T, Error> {
        match timeout(self.answer, held).await {
            Ok(held) => held.map_err(unavailable),
            Err(_) => Err(unavailable("others are writing")),
        }
    }

    /// A reading query whose rows nobody may change until this transaction ends. SQLite's one writer holds everything anyway.
    pub fn shared(&self, query: &str) -> String {
        match self.engine {
            Engine::Postgres(_) => format!("{query} FOR SHARE"),
            Engine::Sqlite { .. } => query.to_owned(),
        }
    }

    /// A reading query whose rows nobody else may hold or change until this transaction ends.
    pub fn exclusive(&self, query: &str) -> String {
        match self.engine {
            Engine::Postgres(_) => format!("{query} FOR UPDATE"),
            Engine::Sqlite { .. } => query.to_owned(),
        }
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

    /// Whether it answers.
    pub async fn health(&self) -> Dependency {
        let begin = std::time::Instant::now();
        let answer: Result<usize, Error> = read!(self, |conn| diesel::sql_query("SELECT 1").execute(conn));
        let status = if answer.is_ok() { Status::Healthy } else { Status::Unhealthy };
        Dependency::measured(status, begin)
    }
}
