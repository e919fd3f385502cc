//! Single queries: the database runs each on a connection of its own.

use diesel::pg::Pg;
use diesel::prelude::OptionalExtension as _;
use diesel::query_builder::{AsQuery, QueryFragment};
use diesel::query_dsl::methods::LimitDsl;
use diesel::result::QueryResult;
use diesel_async::AsyncPgConnection;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use futures_util::future::join_all;

use super::connection::Prepared;
use super::{Db, Error, RunQueryDsl, SqliteConn};
use crate::{read, transact};

impl Db {
    /// All rows of a reading query.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn fetch_all<'q, U, Q>(&self, query: Q) -> Result<Vec<U>, Error>
    where
        Q: AsQuery + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        Prepared<Q::Query>: for<'c> LoadQuery<'q, &'c AsyncPgConnection, U> + Send + 'q,
        U: Send + 'q,
    {
        read!(self, |conn| query.load(conn))
    }

    /// The first row of a reading query.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn fetch_optional<'q, U, Q>(&self, query: Q) -> Result<Option<U>, Error>
    where
        Q: LimitDsl + Send,
        Q::Output: AsQuery + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        Prepared<<Q::Output as AsQuery>::Query>: for<'c> LoadQuery<'q, &'c AsyncPgConnection, U> + Send + 'q,
        U: Send + 'q,
    {
        read!(self, |conn| async { query.first(conn).await.optional() })
    }

    /// Runs a statement as a transaction of its own. Returns the number of rows that it changed.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn run<Q>(&self, statement: Q) -> Result<usize, Error>
    where
        Q: QueryFragment<Pg> + ExecuteDsl<SqliteConn> + Send,
    {
        transact!(self, |conn| { Ok::<_, Error>(statement.execute(conn).await?) })
    }
}

/// Runs statements of one transaction in their order. None needs the result of another: PostgreSQL gets them in one round trip.
///
/// # Errors
/// The first one that fails.
pub async fn execute_all(
    statements: impl IntoIterator<Item = impl Future<Output = QueryResult<usize>>>,
) -> Result<(), Error> {
    join_all(statements).await.into_iter().try_for_each(|result| result.map(drop)).map_err(Error::from)
}
