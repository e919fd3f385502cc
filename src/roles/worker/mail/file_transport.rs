//! Writes mails to a folder if no mail server is configured, for people to open and for tests to read.

use std::fs::{self, DirBuilder, File, OpenOptions};
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
        // the lock ends with the process
        file.lock()?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, &path)
    });
    if written.is_err() {
        drop(fs::remove_file(&draft));
    }
    written.map(|()| path)
}

/// Removes the drafts that killed processes have left in the folder. A draft that is being written is locked, and stays.
///
/// # Errors
/// Errors of the file system; a folder that does not exist has no drafts.
pub fn remove_drafts(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let is_draft =
            name.to_str().and_then(|name| name.strip_prefix('.')).is_some_and(|id| Uuid::parse_str(id).is_ok());
        if is_draft && File::open(entry.path())?.try_lock().is_ok() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use uuid::Uuid;

    use super::remove_drafts;

    #[test]
    fn drafts_of_killed_processes_go_and_nothing_else() -> std::io::Result<()> {
        let folder = std::env::temp_dir().join(format!("w2meet-drafts-{}", Uuid::now_v7()));
        remove_drafts(&folder)?;
        fs::create_dir_all(&folder)?;
        let path = |name: &str| folder.join(name);
        let (left, written) = (path(&format!(".{}", Uuid::now_v7())), path(&format!(".{}", Uuid::now_v7())));
        for name in [&left, &written, &path("a.eml"), &path(".hidden"), &path(&Uuid::now_v7().to_string())] {
            fs::write(name, "x")?;
        }
        let lock = File::open(&written)?;
        lock.lock()?;
        remove_drafts(&folder)?;
        assert!(!left.exists() && written.exists());
        assert_eq!(fs::read_dir(&folder)?.count(), 4);
        fs::remove_dir_all(&folder)
    }
}
