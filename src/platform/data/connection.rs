//! A connection to either database, and running one query text on it. The difference between the two ends here.

use diesel::Selectable;
use diesel::connection::{AnsiTransactionManager, TransactionManager as _};
use diesel::query_dsl::methods::LimitDsl;
use diesel::result::Error::NotFound;
use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl as Dsl, TransactionManager as _};

use super::{Error, SqliteConn};

/// A connection out of the pool; a transaction, if [`super::Db::begin`] gave it. Dropped in the middle of a transaction, it is closed, which
/// rolls back.
#[expect(clippy::large_enum_variant, reason = "there is one for each transaction, and it is hardly moved")]
pub enum Connection {
    /// To PostgreSQL.
    Postgres(Object<AsyncPgConnection>),
    /// To one file.
    Sqlite(Object<SqliteConn>),
}

type Manager = diesel_async::AnsiTransactionManager;

impl Connection {
    /// Begins a transaction. SQLite takes its write lock at once: a transaction that reads first and writes then would be refused as
    /// locked.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        match self {
            Connection::Postgres(conn) => Manager::begin_transaction(&mut **conn).await?,
            Connection::Sqlite(conn) => {
                let begin = |conn: &mut _| AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE");
                conn.spawn_blocking(begin).await?;
            }
        }
        Ok(())
    }

    /// Ends a transaction: a success is committed, a failure is rolled back.
    ///
    /// # Errors
    /// The outcome's own, and a commit that fails.
    pub async fn end<T, E: From<Error>>(mut self, outcome: Result<T, E>) -> Result<T, E> {
        match outcome {
            Ok(value) => {
                let committed = match &mut self {
                    Connection::Postgres(conn) => Manager::commit_transaction(&mut **conn).await,
                    Connection::Sqlite(conn) => conn.spawn_blocking(AnsiTransactionManager::commit_transaction).await,
                };
                committed.map(|()| value).map_err(|why| Error::from(why).into())
            }
            Err(why) => {
                // a connection that cannot roll back is not used again: the pool sees its open transaction
                drop(match &mut self {
                    Connection::Postgres(conn) => Manager::rollback_transaction(&mut **conn).await,
                    Connection::Sqlite(conn) => conn.spawn_blocking(AnsiTransactionManager::rollback_transaction).await,
                });
                Err(why)
            }
        }
    }

    /// A reading query whose rows no other transaction changes until this one ends. SQLite has one writer at a time anyway.
    pub fn shared(&self, query: &str) -> String {
        self.locking(query, "FOR SHARE")
    }

    /// A reading query whose rows no other transaction locks or changes until this one ends.
    pub fn exclusive(&self, query: &str) -> String {
        self.locking(query, "FOR UPDATE")
    }

    fn locking(&self, query: &str, clause: &str) -> String {
        match self {
            Connection::Postgres(_) => format!("{query} {clause}"),
            Connection::Sqlite(_) => query.to_owned(),
        }
    }
}

/// Runs a query that both databases understand, on a [`Connection`]: what diesel-async's trait of this name does for one database.
pub trait RunQueryDsl: Sized {
    /// Runs a statement; gives the number of rows that it changed.
    fn execute(self, conn: &mut Connection) -> impl Future<Output = QueryResult<usize>> + Send
    where
        Self: ExecuteDsl<AsyncPgConnection> + ExecuteDsl<SqliteConn> + Send,
    {
        async move {
            match conn {
                Connection::Postgres(conn) => Dsl::<AsyncPgConnection>::execute(self, conn).await,
                Connection::Sqlite(conn) => Dsl::<SqliteConn>::execute(self, conn).await,
            }
        }
    }

    /// All rows.
    fn load<'q, U>(self, conn: &mut Connection) -> impl Future<Output = QueryResult<Vec<U>>> + Send
    where
        Self: LoadQuery<'q, AsyncPgConnection, U> + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        U: Send + 'q,
    {
        async move {
            match conn {
                Connection::Postgres(conn) => Dsl::<AsyncPgConnection>::load(self, conn).await,
                Connection::Sqlite(conn) => Dsl::<SqliteConn>::load(self, conn).await,
            }
        }
    }

    /// The only row.
    fn get_result<'q, U>(self, conn: &mut Connection) -> impl Future<Output = QueryResult<U>> + Send
    where
        Self: LoadQuery<'q, AsyncPgConnection, U> + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        U: Send + 'q,
    {
        async move { self.load(conn).await?.into_iter().next().ok_or(NotFound) }
    }

    /// All rows.
    fn get_results<'q, U>(self, conn: &mut Connection) -> impl Future<Output = QueryResult<Vec<U>>> + Send
    where
        Self: LoadQuery<'q, AsyncPgConnection, U> + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        U: Send + 'q,
    {
        self.load(conn)
    }

    /// The first row.
    fn first<'q, U>(self, conn: &mut Connection) -> impl Future<Output = QueryResult<U>> + Send
    where
        Self: LimitDsl + Send,
        Self::Output: LoadQuery<'q, AsyncPgConnection, U> + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        U: Send + 'q,
    {
        RunQueryDsl::get_result(self.limit(1), conn)
    }
}

impl<Q> RunQueryDsl for Q {}

/// The columns of a row type, for `select` and `returning`.
pub fn columns<Row: Selectable<Sqlite>>() -> Row::SelectExpression {
    Row::construct_selection()
}
