//! The ways out of a transaction that is rolled back.

use super::{Db, Error, Failure};
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

impl Failure for Abort {
    fn on(self, db: &Db) -> Abort {
        match self {
            Abort::Database(error) => Abort::Database(error.on(db)),
            other => other,
        }
    }
}

impl From<Abort> for Problem {
    fn from(abort: Abort) -> Problem {
        match abort {
            Abort::Rejected(problem) => problem,
            Abort::Database(error) => error.into(),
            Abort::OtherEpoch(epoch) => Problem::internal(format!("epoch {epoch} outside of the cache's protocol")),
        }
    }
}
