//! The ways out of a transaction that is rolled back.

use super::Error;
use crate::platform::http::problem::Problem;

/// Why a transaction was rolled back.
pub enum Abort {
    /// The database failed.
    Database(Error),
    /// The request cannot be carried out as things are.
    Rejected(Problem),
    /// The cache's epoch is this one now.
    OtherEpoch(i64),
}

impl<E: Into<Error>> From<E> for Abort {
    fn from(error: E) -> Self {
        Abort::Database(error.into())
    }
}

impl Abort {
    /// What the caller is told. `database` is the name of the database in health reports.
    pub fn problem(self, database: &str) -> Problem {
        match self {
            Abort::Rejected(problem) => problem,
            Abort::Database(error) => error.problem(database),
            Abort::OtherEpoch(epoch) => Problem::internal(format!("epoch {epoch} outside of the cache's protocol")),
        }
    }
}
