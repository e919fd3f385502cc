//! Mails about an account: the same bytes each time, one link, and no text of the caller.

use jiff::Timestamp;
use lettre::message::Mailbox;
use uuid::Uuid;

use super::mailer;
use super::smtp::SmtpServer;
use crate::roles::user::api::account_mail::Purpose;
use crate::roles::worker::mail::{AccountMessage, MailMessage, SendOutcome};

fn mail(purpose: Purpose, minutes: u32) -> anyhow::Result<AccountMessage> {
    let stamp: Timestamp = "2026-03-01T09:00:00Z".parse()?;
    Ok(AccountMessage {
        id: Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0001),
        purpose,
        typed_email: "Ana@example.com".to_owned(),
        link: format!("https://meet.example.com/api/auth/verify?token={}", "0".repeat(64)),
        site: "https://meet.example.com".to_owned(),
        minutes,
        stamp,
    })
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
        let mail = mail(purpose, minutes)?;
        let message = MailMessage::account(&from, &mail, "case-1")?;
        assert_eq!(message.mail, MailMessage::account(&from, &mail, "case-1")?.mail);
        assert_eq!((message.name.as_str(), message.ics.is_none()), (format!("{}.{name}", mail.id).as_str(), true));
        let text = text(&message);
        for line in [
            format!("Message-ID: <{}.{name}@example.org>\r\n", mail.id),
            format!("Subject: {subject}\r\n"),
            "To: Ana@example.com\r\n".to_owned(),
            "Auto-Submitted: auto-generated\r\n".to_owned(),
            format!("\r\n{}\r\n", mail.link),
            life.to_owned(),
        ] {
            assert!(text.contains(&line), "{line:?}: {text}");
        }
        assert_eq!(text.matches("http").count(), 2, "the link, and where that is: {text}");
        assert!(message.mail.is_ascii(), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_mail_server_takes_it_like_any_other() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    let mailer = mailer(&[("SMTP_URL", &server.url()), ("FROM", "W2Meet <meet@example.com>")])?;
    let message = MailMessage::account(mailer.from(), &mail(Purpose::ResetPassword, 60)?, "case-1")?;
    assert_eq!(mailer.send(&message).await, SendOutcome::Sent);
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0].to.as_slice()), (1, &["Ana@example.com".to_owned()][..]));
    Ok(())
}
