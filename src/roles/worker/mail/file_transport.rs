//! Writes mails to a folder if no mail server is configured, for people to open and for tests to read.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::message::MailMessage;

/// Writes a mail as `.eml`, and its calendar object, if it has one, as `.ics`. The same mail gives the same files. Returns the path of
/// the mail.
///
/// # Errors
/// Errors of the file system.
pub fn write_files(folder: &Path, message: &MailMessage) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if let Some(ics) = &message.ics {
        write(folder, &format!("{}.ics", message.name), ics.as_bytes())?;
    }
    write(folder, &format!("{}.eml", message.name), &message.mail)
}

/// Writes a file atomically: first under another name.
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
