//! Letters about an account: the same bytes each time, one link, and nothing that its sender could have written there.

use jiff::Timestamp;
use lettre::message::Mailbox;
use uuid::Uuid;

use super::carrier;
use super::smtp::SmtpServer;
use crate::roles::user::api::letters::Purpose;
use crate::roles::worker::mail::{AccountMessage, InvitationMessage, Outcome};

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

/// The text of a letter, with soft line breaks undone.
fn text(letter: &InvitationMessage) -> String {
    String::from_utf8_lossy(&letter.mail).replace("=\r\n", "").replace("=3D", "=")
}

#[test]
fn a_letter_about_an_account_is_the_same_each_time_and_its_link_is_whole() -> anyhow::Result<()> {
    let from: Mailbox = "W2Meet <meet@example.org>".parse()?;
    for (purpose, name, subject, minutes, life) in [
        (Purpose::VerifyMailbox, "verify_mailbox", "Confirm your address for W2Meet", 1440, "for 24 hours"),
        (Purpose::ResetPassword, "reset_password", "Set a new password for W2Meet", 60, "for one hour"),
        (Purpose::ResetPassword, "reset_password", "Set a new password for W2Meet", 90, "for 90 minutes"),
        (Purpose::ResetPassword, "reset_password", "Set a new password for W2Meet", 1, "for one minute"),
    ] {
        let mail = mail(purpose, minutes)?;
        let letter = InvitationMessage::about(&from, &mail, "case-1")?;
        assert_eq!(letter.mail, InvitationMessage::about(&from, &mail, "case-1")?.mail);
        assert_eq!((letter.name.as_str(), letter.ics.is_none()), (format!("{}.{name}", mail.id).as_str(), true));
        let text = text(&letter);
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
        assert!(letter.mail.is_ascii(), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_mail_server_takes_it_like_any_other() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    let carrier = carrier(&[("SMTP_URL", &server.url()), ("FROM", "W2Meet <meet@example.com>")])?;
    let letter = InvitationMessage::about(carrier.from(), &mail(Purpose::ResetPassword, 60)?, "case-1")?;
    assert_eq!(carrier.carry(&letter).await, Outcome::Sent);
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0].to.as_slice()), (1, &["Ana@example.com".to_owned()][..]));
    Ok(())
}
