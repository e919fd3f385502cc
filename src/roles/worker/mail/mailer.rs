//! Sends mails to the mail server, or writes them to files if none is configured.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use lettre::message::Mailbox;
use tokio::task::spawn_blocking;

use super::file_transport;
use super::message::MailMessage;
use super::smtp::SmtpTransport;
use crate::config::Settings;
use crate::platform::http::health::Dependency;
use crate::platform::jobs::api::DeliveryOutcome;

/// The outcome of sending a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// The server accepted the mail, or the file is written.
    Sent,
    /// The mail was refused for good: a retry would not help.
    Refused { why: String },
    /// The mail was not sent, and a retry may succeed.
    Deferred { why: String },
}

/// Sends mails; cheap to clone, and usable on any runtime.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    transport: Arc<Transport>,
}

enum Transport {
    Smtp(Box<SmtpTransport>),
    Folder(PathBuf),
}

impl Mailer {
    /// Reads the settings, and removes the drafts that killed processes have left in the outbox. It connects and writes nothing before the
    /// first mail.
    ///
    /// # Errors
    /// Invalid settings, each with its remedy.
    pub fn open(settings: &Settings) -> anyhow::Result<Mailer> {
        let mail = &settings.mail;
        let from: Mailbox = mail.from.parse().with_context(|| {
            format!("mail.from is {:?}: write an address, such as W2Meet <meetings@example.com>", mail.from)
        })?;
        let transport = match (mail.smtp_url.expose(), mail.outbox_dir.as_os_str().is_empty()) {
            ("", true) => Transport::Folder(settings.data_dir.join("outbox")),
            ("", false) => Transport::Folder(mail.outbox_dir.clone()),
            _ => Transport::Smtp(Box::new(SmtpTransport::open(settings, &from)?)),
        };
        if let Transport::Folder(folder) = &transport
            && let Err(why) = file_transport::remove_drafts(folder)
        {
            tracing::warn!(folder = %folder.display(), %why, "old drafts in the outbox could not be removed");
        }
        Ok(Mailer { from, transport: Arc::new(transport) })
    }

    /// The sender of all mails.
    pub fn from(&self) -> &Mailbox {
        &self.from
    }

    /// The mail server and its health, if one is configured.
    pub fn health(&self) -> Option<(String, Dependency)> {
        match &*self.transport {
            Transport::Smtp(server) => Some(("smtp".to_owned(), server.health())),
            Transport::Folder(_) => None,
        }
    }

    /// Sends a mail that could be written. Returns the outcome, and its detail for the record of deliveries.
    pub async fn deliver(&self, written: anyhow::Result<MailMessage>) -> (DeliveryOutcome, String) {
        let message = match written {
            Ok(message) => message,
            Err(why) => return (DeliveryOutcome::Refused, format!("{why:#}")),
        };
        match self.send(&message).await {
            SendOutcome::Sent => (DeliveryOutcome::Delivered, "sent".to_owned()),
            SendOutcome::Refused { why } => (DeliveryOutcome::Refused, why),
            SendOutcome::Deferred { why } => (DeliveryOutcome::Failed, why),
        }
    }

    /// Sends one mail. It may be sent again: both have the same Message-ID.
    pub async fn send(&self, message: &MailMessage) -> SendOutcome {
        match &*self.transport {
            Transport::Smtp(server) => server.send(&self.from.email, message).await,
            Transport::Folder(folder) => {
                let (folder, message) = (folder.clone(), message.clone());
                let path = folder.display().to_string();
                let written = spawn_blocking(move || file_transport::write_files(&folder, &message)).await;
                match written.map_err(anyhow::Error::from).and_then(|written| Ok(written?)) {
                    Ok(file) => {
                        tracing::info!(path = %file.display(), "mail written to a file: no SMTP server is configured");
                        SendOutcome::Sent
                    }
                    Err(why) => SendOutcome::Deferred { why: format!("cannot write to the outbox {path}: {why}") },
                }
            }
        }
    }
}
