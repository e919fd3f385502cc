//! The mails about an account, to verify its address or to reset its password: a few lines, and one link.

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use uuid::Uuid;

use super::message::{MailMessage, address, mailbox, new_builder, part, with_headers};
use crate::calendar::icalendar::one_line;
use crate::roles::user::api::account_mail::Purpose;

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
        let builder = with_headers(builder.subject(subject(content.purpose)), case_id);
        let text = part(ContentType::TEXT_PLAIN, self::text(content));
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
fn text(mail: &AccountMessage) -> String {
    let (site, link, life) = (one_line(&mail.site), one_line(&mail.link), life(mail.minutes));
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
