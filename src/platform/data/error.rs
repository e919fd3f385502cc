//! The failures of queries, and what a caller is answered then.

use diesel::result::DatabaseErrorKind;

use super::Db;
use super::damage::is_damage;
use crate::platform::http::problem::{DATABASE_DAMAGED, NO_SPACE, Problem};

/// What SQLite and PostgreSQL say when the disk is full.
pub(super) const DISK_FULL: [&str; 2] = ["database or disk is full", "No space left on device"];
/// Seconds after which a write that found no space, or a server that only reads, is worth repeating.
const RETRY_AFTER_FULL: u32 = 30;

/// Why a query has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It may work in a moment: no connection, too slow.
    #[error("the database does not answer: {why}")]
    Unavailable {
        /// Which database it is, as health reports name it.
        database: &'static str,
        /// What went wrong.
        why: String,
    },
    /// Its disk is full. It heals when there is room again.
    #[error("the disk of the database is full")]
    Full {
        /// Which database it is, as health reports name it.
        database: &'static str,
    },
    /// Its server only reads: it is a standby, or an operator has forbidden to write.
    #[error("the database allows only read-only transactions")]
    ReadOnly {
        /// Which database it is, as health reports name it.
        database: &'static str,
    },
    /// Its data is damaged. It does not heal by itself.
    #[error("the database is damaged")]
    Damaged {
        /// Which database it is, as health reports name it.
        database: &'static str,
    },
    /// A row that must be unique is there already.
    #[error("there already: {0}")]
    Exists(String),
    /// It will not work a second time either.
    #[error("the database refused: {0}")]
    Refused(diesel::result::Error),
    /// A row that breaks our own rules.
    #[error("a row of the database breaks the rules of its table: {0}")]
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
            E::DatabaseError(_, info) if is_damage(info.message()) => Error::Damaged { database: "database" },
            E::DatabaseError(_, info) if DISK_FULL.iter().any(|full| info.message().contains(full)) => {
                Error::Full { database: "database" }
            }
            E::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => Error::ReadOnly { database: "database" },
            // What is left is operation, not programming: closed connections, statement timeouts, locked.
            E::DatabaseError(..) | E::BrokenTransactionManager | E::RollbackErrorOnCommit { .. } => unavailable(error),
            _ => Error::Refused(error),
        }
    }
}

/// The failure of a query or of a transaction.
pub trait Failure: From<Error> {
    /// Adds the name of the database, which remembers that its disk is full, that it only reads, or that it is damaged.
    #[must_use]
    fn on(self, db: &Db) -> Self;
}

impl Failure for Error {
    fn on(self, db: &Db) -> Error {
        match self {
            // damage has other consequences, such as I/O errors and connections that cannot be opened
            Error::Unavailable { why, .. } if !db.is_damaged() => Error::Unavailable { database: db.name(), why },
            Error::Damaged { .. } | Error::Unavailable { .. } => {
                db.note_damaged();
                Error::Damaged { database: db.name() }
            }
            Error::Full { .. } => {
                db.note_full();
                Error::Full { database: db.name() }
            }
            Error::ReadOnly { .. } => {
                db.note_read_only();
                Error::ReadOnly { database: db.name() }
            }
            other => other,
        }
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Problem {
        match error {
            Error::Unavailable { database, why } => {
                tracing::warn!(database, why, "the database does not answer");
                Problem::unavailable(database, "the database does not answer just now; try again in a moment")
            }
            Error::Full { database } => {
                let detail =
                    "the disk of the database is full; reading works, and writing as soon as there is room again";
                Problem {
                    kind: NO_SPACE,
                    retry_after: Some(RETRY_AFTER_FULL),
                    ..Problem::unavailable(database, detail)
                }
            }
            Error::ReadOnly { database } => {
                let detail = "the database is read-only: reading works, and writing when the operator has pointed the URL to the primary";
                Problem { retry_after: Some(RETRY_AFTER_FULL), ..Problem::unavailable(database, detail) }
            }
            Error::Damaged { database } => {
                let detail = "the database is damaged, and trying again does not help: the operator must restore it from a backup";
                Problem { upstream: Some((*database).to_owned()), ..Problem::new(DATABASE_DAMAGED, detail) }
            }
            Error::Exists(_) | Error::Refused(_) | Error::Corrupt(_) => Problem::internal(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem::from(&error)
    }
}

/// Something that may work in a moment; unless the text says that the database is damaged.
pub fn unavailable(why: impl std::fmt::Display) -> Error {
    let (database, why) = ("database", why.to_string());
    if is_damage(&why) { Error::Damaged { database } } else { Error::Unavailable { database, why } }
}

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error as QueryError};

    use super::{Error, Problem};

    #[test]
    fn a_server_that_only_reads_is_named() {
        let message = Box::new("cannot execute INSERT in a read-only transaction".to_owned());
        let error = Error::from(QueryError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, message));
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
        let problem = Problem::from(error);
        assert!(problem.detail.contains("read-only"), "{}", problem.detail);
    }
}
