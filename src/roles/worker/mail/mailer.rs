//! Takes letters to the mail server, or to files where there is none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lettre::message::Mailbox;
use tokio::task::spawn_blocking;

use super::file_transport;
use super::message::InvitationMessage;
use super::smtp::Server;
use crate::config::Settings;

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken it on, or it is in its file.
    Sent,
    /// This recipient will never get it: trying again would not help.
    Refused { why: String },
    /// Not now: worth another try.
    Later { why: String },
}

/// Carries letters; cheap to clone, and usable on any runtime.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    way: Arc<Way>,
}

enum Way {
    Server(Server),
    Outbox(PathBuf),
}

impl Mailer {
    /// Reads the settings; nothing is connected to, or written, before there is a letter.
    ///
    /// # Errors
    /// Settings that cannot work, each with its remedy.
    pub fn open(settings: &Settings) -> anyhow::Result<Mailer> {
        let mail = &settings.mail;
        let from: Mailbox = mail.from.parse().with_context(|| {
            format!("mail.from is {:?}: write an address, such as W2Meet <meetings@example.com>", mail.from)
        })?;
        let way = match (mail.smtp_url.expose(), mail.outbox_dir.as_os_str().is_empty()) {
            ("", true) => Way::Outbox(settings.data_dir.join("outbox")),
            ("", false) => Way::Outbox(mail.outbox_dir.clone()),
            _ => Way::Server(Server::open(&mail.smtp_url, &from, Duration::from_secs(mail.timeout_seconds))?),
        };
        Ok(Mailer { from, way: Arc::new(way) })
    }

    /// Who letters are from.
    pub fn from(&self) -> &Mailbox {
        &self.from
    }

    /// Carries one letter. It may be repeated: what arrives twice has the same Message-ID.
    pub async fn carry(&self, letter: &InvitationMessage) -> Outcome {
        match &*self.way {
            Way::Server(server) => server.send(&self.from.email, letter).await,
            Way::Outbox(folder) => {
                let (folder, letter) = (folder.clone(), letter.clone());
                let shown = folder.display().to_string();
                let written = spawn_blocking(move || file_transport::keep(&folder, &letter)).await;
                match written.map_err(anyhow::Error::from).and_then(|written| Ok(written?)) {
                    Ok(path) => {
                        let path = path.display();
                        tracing::info!(%path, "letter written to a file: no SMTP server is configured");
                        Outcome::Sent
                    }
                    Err(why) => Outcome::Later { why: format!("cannot write to the outbox {shown}: {why}") },
                }
            }
        }
    }
}
