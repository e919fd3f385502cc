//! Reading queries that lock their rows until the transaction ends. SQLite has one writer at a time, and needs no such lock.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sqlite::Sqlite;

/// A query that locks its rows.
pub struct Locking<Q> {
    query: Q,
    clause: &'static str,
}

/// A query whose rows no other transaction changes until this one ends.
pub fn shared<Q>(query: Q) -> Locking<Q> {
    Locking { query, clause: " FOR SHARE" }
}

/// A query whose rows no other transaction locks or changes until this one ends.
pub fn exclusive<Q>(query: Q) -> Locking<Q> {
    Locking { query, clause: " FOR UPDATE" }
}

/// A query that leaves out the rows that another transaction has locked, and locks the others.
pub fn skip_locked<Q>(query: Q) -> Locking<Q> {
    Locking { query, clause: " FOR UPDATE SKIP LOCKED" }
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Locking<Q> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_ast(pass.reborrow())?;
        pass.push_sql(self.clause);
        Ok(())
    }
}

impl<Q: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Locking<Q> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.query.walk_ast(pass)
    }
}

/// Known by its text.
impl<Q> QueryId for Locking<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Locking<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, Conn> diesel::RunQueryDsl<Conn> for Locking<Q> {}
