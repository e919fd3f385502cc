//! Mails about an account: the same bytes each time, one link, and no text of the caller.

use lettre::message::Mailbox;
use uuid::Uuid;

use super::mailer;
use super::smtp::SmtpServer;
use crate::platform::email::Email;
use crate::roles::user::api::account_mail::{AccountMail, Purpose};
use crate::roles::worker::mail::MailMessage;
use crate::roles::worker::mail::mailer::SendOutcome;

const ID: Uuid = Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0001);

fn message(from: &Mailbox, purpose: Purpose, minutes: u32) -> anyhow::Result<MailMessage> {
    let typed_email = "Ana@example.com".to_owned();
    let path = format!("/api/auth/verify?token={}", "0".repeat(64));
    let (email, stamp) = (Email::parse(&typed_email)?, "2026-03-01T09:00:00Z".parse()?);
    let mail = AccountMail { purpose, email, typed_email, path, minutes, stamp };
    MailMessage::account(from, ID, &mail, "https://meet.example.com", "case-1")
}

/// The text of a message, with soft line breaks undone.
fn text(message: &MailMessage) -> String {
    String::from_utf8_lossy(&message.mail).replace("=\r\n", "").replace("=3D", "=")
}

#[test]
fn a_mail_about_an_account_is_the_same_each_time_and_its_link_is_whole() -> anyhow::Result<()> {
    let from: Mailbox = "W2Meet <meet@example.org>".parse()?;
    for (purpose, name, subject, minutes, life) in [
        (Purpose::VerifyMailbox, "verify_mailbox", "Confirm your address for W2Meet", 1440, "for 24 hours"),
        (Purpose::ResetPassword, "reset_password", "Set a new password for W2Meet", 60, "for one hour"),
        (Purpose::ResetPassword, "reset_password", "Set a new password for W2Meet", 90, "for 90 minutes"),
        (Purpose::ResetPassword, "reset_password", "Set a new password for W2Meet", 1, "for one minute"),
    ] {
        let mail = message(&from, purpose, minutes)?;
        assert_eq!(mail.mail, message(&from, purpose, minutes)?.mail);
        assert_eq!((mail.name.as_str(), mail.ics.is_none()), (format!("{ID}.{name}").as_str(), true));
        let text = text(&mail);
        for line in [
            format!("Message-ID: <{ID}.{name}@example.org>\r\n"),
            format!("Subject: {subject}\r\n"),
            "To: Ana@example.com\r\n".to_owned(),
            "Auto-Submitted: auto-generated\r\n".to_owned(),
            format!("\r\nhttps://meet.example.com/api/auth/verify?token={}\r\n", "0".repeat(64)),
            life.to_owned(),
        ] {
            assert!(text.contains(&line), "{line:?}: {text}");
        }
        assert_eq!(text.matches("http").count(), 2, "the link, and where that is: {text}");
        assert!(mail.mail.is_ascii(), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_mail_server_takes_it_like_any_other() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    let mailer = mailer(&[("SMTP_URL", &server.url()), ("FROM", "W2Meet <meet@example.com>")])?;
    let message = message(mailer.from(), Purpose::ResetPassword, 60)?;
    assert_eq!(mailer.send(&message).await, SendOutcome::Sent);
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0].to.as_slice()), (1, &["Ana@example.com".to_owned()][..]));
    Ok(())
}
