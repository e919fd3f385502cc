//! Damage of a database: it does not pass by itself, so an operator must restore the data.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::Settings;

/// What is said of a file of SQLite that has lost all its data while it was used.
pub(super) const EMPTY: &str = "the file of the database has 0 bytes";

/// What is said of a file of SQLite that was removed or replaced while it was used.
pub(super) const REPLACED: &str =
    "the file of the database was removed or replaced: put the right one in place, and start the process again";

/// What SQLite and PostgreSQL say of data that they cannot read. Those of PostgreSQL are its errors with the SQLSTATE XX001 and XX002:
/// diesel passes on the text of an error without its code.
const DAMAGE: [&str; 12] = [
    EMPTY,
    REPLACED,
    "file is not a database",
    "database disk image is malformed",
    "SQLSTATE XX001",
    "SQLSTATE XX002",
    "invalid page in block",
    "invalid page header in block",
    "could not read block",
    "missing chunk number",
    "contains unexpected zero page at block",
    "contains corrupted page at block",
];

/// What health says of a damaged database. It has no paths.
pub(super) const CAUSE: &str = "its data is damaged: restore it from a backup; `PRAGMA integrity_check` (SQLite) or `pg_amcheck` (PostgreSQL) tells what \
     can still be read";

/// Whether an error says that data is damaged.
pub(super) fn is_damage(error: &str) -> bool {
    DAMAGE.iter().any(|damage| error.contains(damage))
}

/// A database that cannot be read, or not all of it. Waiting does not mend it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Damaged {
    /// A file of SQLite.
    #[error(
        "the database {path} is damaged: restore it from a backup; `sqlite3 {path} 'PRAGMA integrity_check'` tells what can \
         still be read",
        path = .0.display()
    )]
    File(PathBuf),
    /// A file of SQLite with 0 bytes.
    #[error(
        "the database {} is damaged, for it has 0 bytes: restore it from a backup, or remove the file if it has never held data",
        .0.display()
    )]
    Empty(PathBuf),
    /// A schema of PostgreSQL.
    #[error(
        "the database of the schema {0} is damaged: restore it from a backup; `pg_amcheck` tells what can still be read"
    )]
    Schema(String),
}

impl Damaged {
    /// The damage of a role's database.
    pub(super) fn of_role(settings: &Settings, role: &str) -> Damaged {
        settings.sqlite_path(role).map_or_else(|| Damaged::Schema(settings.schema(role)), Damaged::File)
    }
}

/// Remembers that a database is damaged, until the process ends.
pub(super) struct DamageFlag {
    is_set: AtomicBool,
    damaged: Damaged,
}

impl DamageFlag {
    /// The flag of a database that is whole as far as anybody knows.
    pub fn new(damaged: Damaged) -> DamageFlag {
        DamageFlag { is_set: AtomicBool::new(false), damaged }
    }

    /// Whether the damage was noticed.
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    /// A query has met the damage. It logs the first of several.
    pub fn set(&self) {
        if !self.is_set.swap(true, Ordering::Relaxed) {
            tracing::error!("{}", self.damaged);
        }
    }
}
