//! The folder and the file of a SQLite database: no other account of the machine may read them.

use std::fs::{self, DirBuilder, OpenOptions, Permissions, set_permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Context as _;
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use uuid::Uuid;

use super::connect::sqlite_url;
use super::damage::Damaged;

/// Bytes that SQLite needs beside a database to open it.
const PROBE: usize = 64 << 10;

/// Makes the folder that a database file lies in, and names it.
///
/// # Errors
/// A folder that cannot be made.
pub fn make_folder(database: &Path) -> anyhow::Result<&Path> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // other accounts of this machine must not read the data
    let private = || DirBuilder::new().recursive(true).mode(0o700).create(folder);
    private().with_context(|| format!("cannot make the data directory {}", folder.display()))?;
    Ok(folder)
}

/// Whether the disk that a folder lies on has no room: SQLite calls some failures for want of space an I/O error.
pub(super) fn is_full(folder: &Path) -> bool {
    let probe = folder.join(format!(".{}", Uuid::now_v7()));
    let written = fs::write(&probe, [0; PROBE]);
    drop(fs::remove_file(&probe));
    written.is_err_and(|why| matches!(why.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

/// The file of a database that this process has open. When somebody removes or replaces the file, the path leads to another file or to none,
/// and what this process writes is lost.
pub(super) struct OpenFile {
    path: PathBuf,
    /// The device and the number of the file; unknown before the first write.
    id: OnceLock<(u64, u64)>,
}

impl OpenFile {
    /// The file at this path.
    pub fn new(path: PathBuf) -> OpenFile {
        OpenFile { path, id: OnceLock::new() }
    }

    /// Whether the path leads to the file that it led to first.
    pub fn is_in_place(&self) -> bool {
        let id = fs::metadata(&self.path).ok().map(|file| (file.dev(), file.ino()));
        id.is_some_and(|id| *self.id.get_or_init(|| id) == id) || self.id.get().is_none()
    }
}

/// Makes the file of a database, unless it is there. No other account may read it; SQLite gives the files that it makes beside it the same
/// mode.
///
/// # Errors
/// A file that cannot be made, and [`Damaged`] for one of 0 bytes. SQLite would take that for a new database, and delete the log beside
/// it; but a new one has its name only when it has its first page, however early its first start was killed.
pub(super) fn make_database(path: &Path) -> anyhow::Result<()> {
    make_folder(path)?;
    let made = match fs::metadata(path) {
        Ok(file) if file.len() == 0 => return Err(Damaged::Empty(path.to_owned()).into()),
        // it is not opened: closing it would take SQLite's locks from the connections of this process
        Ok(_) => set_permissions(path, Permissions::from_mode(0o600)).map_err(anyhow::Error::from),
        Err(why) if why.kind() == ErrorKind::NotFound => create(path),
        Err(why) => Err(why.into()),
    };
    made.with_context(|| format!("cannot open the database {}", path.display()))
}

/// Writes the first page under another name, which a killed start may have used before.
fn create(path: &Path) -> anyhow::Result<()> {
    let draft = path.with_extension("db.new");
    drop(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&draft)?);
    let mut conn = SqliteConnection::establish(&sqlite_url(&draft)?)?;
    conn.batch_execute("PRAGMA journal_mode=WAL")?;
    drop(conn);
    Ok(fs::rename(draft, path)?)
}
