//! A connection to either database, and running one query text on it. The difference between the two ends here.

use std::mem::take;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use diesel::Selectable;
use diesel::connection::{AnsiTransactionManager, TransactionManager as _, TransactionManagerStatus};
use diesel::pg::Pg;
use diesel::query_builder::{AsQuery, AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::LimitDsl;
use diesel::result::Error::NotFound;
use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl as Dsl, SimpleAsyncConnection as _, TransactionManager as _};
use futures_util::future::join;
use tokio::sync::Mutex;

use super::outbox::OutboxRow;
use super::schema::outbox;
use super::{Error, SqliteConn};

/// A connection out of the pool; a transaction, if [`super::Db::begin`] gave it. Dropped in the middle of a transaction, it is closed, which
/// rolls back. Queries that are joined run in their order; PostgreSQL gets them in one round trip.
pub struct Connection {
    engine: Pooled,
    /// Whether the next statement begins the transaction: PostgreSQL gets BEGIN with the first statement, in one round trip.
    begins: AtomicBool,
    /// The messages of the transaction, which are written in one statement before it commits.
    outbox: Vec<OutboxRow>,
}

/// Out of which pool.
#[expect(clippy::large_enum_variant, reason = "there is one for each transaction, and it is hardly moved")]
pub(super) enum Pooled {
    /// To PostgreSQL.
    Postgres(Object<AsyncPgConnection>),
    /// To one file.
    Sqlite(Mutex<Object<SqliteConn>>),
}

/// Messages in one statement: PostgreSQL takes 65,535 parameters.
const MESSAGES: usize = 500;

type Manager = diesel_async::AnsiTransactionManager;

impl Connection {
    pub(super) fn new(engine: Pooled) -> Connection {
        Connection { engine, begins: AtomicBool::new(false), outbox: Vec::new() }
    }

    /// Begins a transaction. SQLite takes its write lock at once: a transaction that reads first and writes then would be refused as
    /// locked.
    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        match &mut self.engine {
            Pooled::Postgres(conn) => {
                // the pool closes it, unless the transaction ends
                Manager::transaction_manager_status_mut(&mut **conn).set_in_error();
                *self.begins.get_mut() = true;
            }
            Pooled::Sqlite(conn) => {
                let begin = |conn: &mut _| AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE");
                conn.get_mut().spawn_blocking(begin).await?;
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
            Ok(value) => self.commit().await.map(|()| value).map_err(|why| Error::from(why).into()),
            Err(why) => {
                // a connection that cannot roll back is not used again: the pool sees its open transaction
                drop(match &mut self.engine {
                    Pooled::Postgres(conn) => end_postgres(conn, self.begins.get_mut(), &[], "ROLLBACK").await,
                    Pooled::Sqlite(conn) => {
                        conn.get_mut().spawn_blocking(AnsiTransactionManager::rollback_transaction).await
                    }
                });
                Err(why)
            }
        }
    }

    async fn commit(&mut self) -> QueryResult<()> {
        let messages = take(&mut self.outbox);
        match &mut self.engine {
            Pooled::Postgres(conn) => end_postgres(conn, self.begins.get_mut(), &messages, "COMMIT").await,
            Pooled::Sqlite(conn) => {
                let commit = move |conn: &mut _| {
                    for message in &messages {
                        diesel::RunQueryDsl::execute(diesel::insert_into(outbox::table).values(message), conn)?;
                    }
                    AnsiTransactionManager::commit_transaction(conn)
                };
                conn.get_mut().spawn_blocking(commit).await
            }
        }
    }

    /// Puts a message into the outbox, when the transaction commits.
    pub fn enqueue(&mut self, message: OutboxRow) {
        self.outbox.push(message);
    }
}

/// Runs a statement on PostgreSQL, after BEGIN if it is the first of its transaction: both are sent before the first answer.
async fn after_begin<T>(
    mut conn: &AsyncPgConnection,
    begins: bool,
    statement: impl Future<Output = QueryResult<T>>,
) -> QueryResult<T> {
    if !begins {
        return statement.await;
    }
    let (begun, result) = join(conn.batch_execute("BEGIN"), statement).await;
    begun.and(result)
}

/// Ends a transaction of PostgreSQL, if it has begun, and lets the pool have the connection again. The messages are sent with the
/// end, and before it: diesel prepares one statement after the other, in the order of their first polls.
async fn end_postgres(
    conn: &mut AsyncPgConnection,
    begins: &mut bool,
    messages: &[OutboxRow],
    end: &str,
) -> QueryResult<()> {
    let ended = {
        let conn: &AsyncPgConnection = conn;
        let (mut shared, mut too) = (conn, conn);
        let ending = Dsl::execute(Prepared(diesel::sql_query(end)), &mut too);
        let (early, last) = messages.split_at(messages.len().saturating_sub(MESSAGES));
        for some in early.chunks(MESSAGES) {
            let storing = Dsl::execute(Prepared(diesel::insert_into(outbox::table).values(some)), &mut shared);
            after_begin(conn, take(begins), storing).await?;
        }
        if last.is_empty() {
            if *begins { Ok(0) } else { ending.await }
        } else {
            let storing = Dsl::execute(Prepared(diesel::insert_into(outbox::table).values(last)), &mut shared);
            let (stored, ended) = join(after_begin(conn, take(begins), storing), ending).await;
            stored.and(ended)
        }
    };
    ended?;
    *Manager::transaction_manager_status_mut(conn) = TransactionManagerStatus::default();
    Ok(())
}

/// A query that PostgreSQL parses once for each connection. diesel leaves out updates, plain SQL, and inserts of several rows,
/// whose texts may differ without end; here texts are few, and long ones are left out.
pub struct Prepared<Q>(Q);

/// The longest text that is kept prepared.
const LONGEST: usize = 2048;

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn is_safe_to_cache_prepared(&self, backend: &Pg) -> QueryResult<bool> {
        let mut text = diesel::pg::PgQueryBuilder::default();
        self.0.to_sql(&mut text, backend)?;
        Ok(diesel::query_builder::QueryBuilder::<Pg>::finish(text).len() <= LONGEST)
    }
}

/// Known by its text.
impl<Q> QueryId for Prepared<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

impl<Q> diesel::RunQueryDsl<AsyncPgConnection> for Prepared<Q> {}

/// Runs a query that both databases understand, on a [`Connection`]: what diesel-async's trait of this name does for one database.
pub trait RunQueryDsl: Sized {
    /// Runs a statement; gives the number of rows that it changed.
    fn execute(self, conn: &Connection) -> impl Future<Output = QueryResult<usize>> + Send
    where
        Self: QueryFragment<Pg> + ExecuteDsl<SqliteConn> + Send,
    {
        async move {
            match &conn.engine {
                Pooled::Postgres(to) => {
                    let mut shared: &AsyncPgConnection = to;
                    after_begin(to, conn.begins.swap(false, Relaxed), Dsl::execute(Prepared(self), &mut shared)).await
                }
                Pooled::Sqlite(to) => Dsl::<SqliteConn>::execute(self, &mut **to.lock().await).await,
            }
        }
    }

    /// All rows.
    fn load<'q, U>(self, conn: &Connection) -> impl Future<Output = QueryResult<Vec<U>>> + Send
    where
        Self: AsQuery + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        Prepared<Self::Query>: for<'c> LoadQuery<'q, &'c AsyncPgConnection, U> + Send + 'q,
        U: Send + 'q,
    {
        async move {
            match &conn.engine {
                Pooled::Postgres(to) => {
                    let mut shared: &AsyncPgConnection = to;
                    after_begin(to, conn.begins.swap(false, Relaxed), Dsl::load(Prepared(self.as_query()), &mut shared))
                        .await
                }
                Pooled::Sqlite(to) => Dsl::<SqliteConn>::load(self, &mut **to.lock().await).await,
            }
        }
    }

    /// The only row.
    fn get_result<'q, U>(self, conn: &Connection) -> impl Future<Output = QueryResult<U>> + Send
    where
        Self: AsQuery + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        Prepared<Self::Query>: for<'c> LoadQuery<'q, &'c AsyncPgConnection, U> + Send + 'q,
        U: Send + 'q,
    {
        async move { self.load(conn).await?.into_iter().next().ok_or(NotFound) }
    }

    /// All rows.
    fn get_results<'q, U>(self, conn: &Connection) -> impl Future<Output = QueryResult<Vec<U>>> + Send
    where
        Self: AsQuery + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        Prepared<Self::Query>: for<'c> LoadQuery<'q, &'c AsyncPgConnection, U> + Send + 'q,
        U: Send + 'q,
    {
        self.load(conn)
    }

    /// The first row.
    fn first<'q, U>(self, conn: &Connection) -> impl Future<Output = QueryResult<U>> + Send
    where
        Self: LimitDsl + Send,
        Self::Output: AsQuery + LoadQuery<'q, SqliteConn, U> + Send + 'q,
        Prepared<<Self::Output as AsQuery>::Query>: for<'c> LoadQuery<'q, &'c AsyncPgConnection, U> + Send + 'q,
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
