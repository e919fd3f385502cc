//! Where no mail server is configured: a folder of letters, for people to open and for tests to read.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::message::InvitationMessage;

/// Keeps the letter as `.eml` and its calendar object, if it has one, as `.ics`; again, it writes the same files. Returns the mail's.
///
/// # Errors
/// Whatever the file system says.
pub fn keep(folder: &Path, letter: &InvitationMessage) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if let Some(ics) = &letter.ics {
        write(folder, &format!("{}.ics", letter.name), ics.as_bytes())?;
    }
    write(folder, &format!("{}.eml", letter.name), &letter.mail)
}

/// Whole or not at all: under another name first.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    let (path, draft) = (folder.join(name), folder.join(format!(".{}", Uuid::now_v7())));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    });
    if written.is_err() {
        drop(fs::remove_file(&draft));
    }
    written.map(|()| path)
}
