//! A letter about an account: a few lines, and one link.

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use uuid::Uuid;

use super::message::{InvitationMessage, address, mailbox, marked, opening, part};
use super::templates;
use crate::roles::user::api::letters::Purpose;

/// What is to be said, and to whom.
#[derive(Clone, Debug)]
pub struct AccountMessage {
    /// Under which it is told from all others.
    pub id: Uuid,
    pub purpose: Purpose,
    /// The address, as its owner typed it. No name: whoever registers may write there what they like.
    pub typed_email: String,
    /// Holds the code.
    pub link: String,
    /// Where the account is.
    pub site: String,
    /// How long the link works.
    pub minutes: u32,
    /// When it was asked for.
    pub stamp: Timestamp,
}

impl InvitationMessage {
    /// Writes it. The same arguments give the same bytes.
    ///
    /// # Errors
    /// An address that no mail can be sent to.
    pub fn about(from: &Mailbox, slip: &AccountMessage, case_id: &str) -> anyhow::Result<InvitationMessage> {
        let (to, _) = address(&slip.typed_email)?;
        let name = format!("{}.{}", slip.id, slip.purpose.name());
        let begin = opening(from, &name, slip.stamp).to(mailbox("", to.clone()));
        let builder = marked(begin.subject(templates::account_subject(slip.purpose)), case_id);
        let text = part(ContentType::TEXT_PLAIN, templates::account_text(slip));
        let mail = builder.singlepart(text).context("the mail cannot be put together")?.formatted();
        Ok(InvitationMessage { to, name, mail, ics: None })
    }
}
