//! The folder and the file of a SQLite database: no other account of the machine may read them.

use std::fs::{self, DirBuilder, OpenOptions, Permissions, set_permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use uuid::Uuid;

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

/// Makes the file of a database, which no other account may read. SQLite gives the files that it makes beside it the same mode.
pub(super) fn make_private(path: &Path) -> anyhow::Result<()> {
    make_folder(path)?;
    let make = || match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // it is not opened: closing it would take SQLite's locks from the connections of this process
        Err(why) if why.kind() == ErrorKind::AlreadyExists => set_permissions(path, Permissions::from_mode(0o600)),
        made => made.map(drop),
    };
    make().with_context(|| format!("cannot open the database {}", path.display()))
}
