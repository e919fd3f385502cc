//! The mails about an account, to verify its address or to reset its password: a few lines, and one link.

use anyhow::Context as _;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use uuid::Uuid;

use super::message::{MailMessage, address, new_builder, part, with_headers, with_mailbox};
use crate::calendar::icalendar::one_line;
use crate::roles::user::api::account_mail::{AccountMail, Purpose};

impl MailMessage {
    /// Writes a mail about an account at the installation with the URL `site`. The same arguments give the same bytes.
    ///
    /// # Errors
    /// An invalid address.
    pub fn account(
        from: &Mailbox,
        id: Uuid,
        mail: &AccountMail,
        site: &str,
        case_id: &str,
    ) -> anyhow::Result<MailMessage> {
        // there is no name in it: a stranger could write anything there
        let (to, _) = address(&mail.typed_email)?;
        let name = format!("{id}.{}", mail.purpose.name());
        let builder = with_mailbox(new_builder(from, &name, mail.stamp), "To", "", to.clone());
        let builder = with_headers(builder.subject(subject(mail.purpose)), case_id);
        let text = part(ContentType::TEXT_PLAIN, text(mail, site));
        let mail = builder.singlepart(text).context("the mail cannot be assembled")?.formatted();
        Ok(MailMessage { to, name, mail, ics: None })
    }
}

fn subject(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::VerifyMailbox => "Confirm your address for W2Meet",
        Purpose::ResetPassword => "Set a new password for W2Meet",
    }
}

/// The text. It contains no text of the caller, who may be a stranger to the recipient.
fn text(mail: &AccountMail, site: &str) -> String {
    let (link, life) = (one_line(&format!("{site}{}", mail.path)), life(mail.minutes));
    match mail.purpose {
        Purpose::VerifyMailbox => format!(
            "An account was created at {site} with this address.\n\nIf that was you, confirm the address here:\n\n{link}\n\n\
             The link works once, for {life}.\n\nIf it was not you, do not open the link: without it, the account cannot send \
             mail in your name.\nTo take over the account, request a new password there; this locks out the person who created it.\n"
        ),
        Purpose::ResetPassword => format!(
            "A new password was requested for your account at {site}.\n\nTo set one, go here:\n\n{link}\n\n\
             The link works once, for {life}, until you request another one. After that you must sign in again everywhere.\n\n\
             If it was not you, do nothing: your account stays as it is.\n"
        ),
    }
}

fn life(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, 1) => "one minute".to_owned(),
        (1, 0) => "one hour".to_owned(),
        (0, _) | (_, 1..) => format!("{minutes} minutes"),
        (hours, 0) => format!("{hours} hours"),
    }
}
