//! A mail about an account: a few lines, and one link.

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use uuid::Uuid;

use super::message::{MailMessage, address, mailbox, new_builder, part, with_headers};
use super::templates;
use crate::roles::user::api::letters::Purpose;

/// The content of a mail about an account.
#[derive(Clone, Debug)]
pub struct AccountMessage {
    /// The unique id of the mail.
    pub id: Uuid,
    pub purpose: Purpose,
    /// The address as typed. There is no name: a stranger could write anything there.
    pub typed_email: String,
    /// The link with the code.
    pub link: String,
    /// The public URL of the installation.
    pub site: String,
    /// Minutes until the link expires.
    pub minutes: u32,
    /// The instant of the request.
    pub stamp: Timestamp,
}

impl MailMessage {
    /// Writes a mail about an account. The same arguments give the same bytes.
    ///
    /// # Errors
    /// An invalid address.
    pub fn account(from: &Mailbox, content: &AccountMessage, case_id: &str) -> anyhow::Result<MailMessage> {
        let (to, _) = address(&content.typed_email)?;
        let name = format!("{}.{}", content.id, content.purpose.name());
        let builder = new_builder(from, &name, content.stamp).to(mailbox("", to.clone()));
        let builder = with_headers(builder.subject(templates::account_subject(content.purpose)), case_id);
        let text = part(ContentType::TEXT_PLAIN, templates::account_text(content));
        let mail = builder.singlepart(text).context("the mail cannot be assembled")?.formatted();
        Ok(MailMessage { to, name, mail, ics: None })
    }
}
