//! Delivery of mails: sent, refused or deferred; and invalid settings.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::smtp::SmtpServer;
use super::{invitation, mailer, message, recipient, write};
use crate::calendar::Method;
use crate::config::load_from;
use crate::roles::worker::mail::Mailer;
use crate::roles::worker::mail::mailer::SendOutcome;

/// The files stay, for `scripts/check-invitations` to read.
fn outbox() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp/invitations")
}

#[tokio::test]
async fn what_the_server_takes_is_sent() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    let mailer = mailer(&[("SMTP_URL", &server.url()), ("FROM", "W2Meet <meet@example.com>")])?;
    let message = message(&mailer, "Bob@example.com")?;
    assert_eq!(mailer.send(&message).await, SendOutcome::Sent);
    assert_eq!(mailer.clone().send(&message).await, SendOutcome::Sent);
    let mails = server.mails();
    assert_eq!((mails.len(), &mails[0]), (2, &mails[1]), "the same mail again");
    assert_eq!(
        (mails[0].from.as_str(), mails[0].to.as_slice()),
        ("meet@example.com", &["Bob@example.com".to_owned()][..])
    );
    assert_eq!(mails[0].data.trim_end().as_bytes(), message.mail.trim_ascii_end());
    assert_eq!(server.connections(), 1, "the connection is kept for the next message");
    Ok(())
}

#[tokio::test]
async fn a_recipient_that_the_server_does_not_know_is_refused_and_the_next_one_is_not() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    server.answer("gone@example.com", "550 5.1.1 no such user");
    server.answer("data:full@example.com", "552 the mailbox is full");
    let mailer = mailer(&[("SMTP_URL", &server.url())])?;
    let why = "permanent error (550): 5.1.1 no such user".to_owned();
    assert_eq!(mailer.send(&message(&mailer, "gone@example.com")?).await, SendOutcome::Refused { why });
    let full = mailer.send(&message(&mailer, "full@example.com")?).await;
    assert!(matches!(full, SendOutcome::Refused { .. }), "{full:?}");
    assert_eq!(mailer.send(&message(&mailer, "bob@example.com")?).await, SendOutcome::Sent);
    assert_eq!(server.mails().len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_may_go_better_another_time_waits() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    server.answer("grey@example.com", "451 4.7.1 try again in five minutes");
    server.answer("locked@example.com", "530 who are you?");
    let mailer = mailer(&[("SMTP_URL", &server.url()), ("FROM", "meet@example.com")])?;
    for to in ["grey@example.com", "locked@example.com"] {
        let outcome = mailer.send(&message(&mailer, to)?).await;
        assert!(matches!(outcome, SendOutcome::Deferred { .. }), "{to}: {outcome:?}");
    }
    server.answer("meet@example.com", "550 not from you");
    let outcome = mailer.send(&message(&mailer, "bob@example.com")?).await;
    let why = "permanent error (550): not from you".to_owned();
    assert_eq!(outcome, SendOutcome::Deferred { why }, "what is wrong with the sender is not the recipient's fault");
    assert!(server.mails().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_later() -> anyhow::Result<()> {
    let closed = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    let mailer = mailer(&[("SMTP_URL", &format!("smtp://{closed}"))])?;
    let outcome = mailer.send(&message(&mailer, "bob@example.com")?).await;
    assert!(matches!(&outcome, SendOutcome::Deferred { why } if why.contains("refused")), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn a_late_reply_is_not_taken_for_the_reply_to_the_next_mail() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    server.answer("data:slow@example.com", "");
    let mailer = mailer(&[("SMTP_URL", &server.url()), ("TIMEOUT_SECONDS", "1")])?;
    let slow = mailer.send(&message(&mailer, "slow@example.com")?).await;
    let why = "the mail server did not answer within 1s".to_owned();
    assert_eq!(slow, SendOutcome::Deferred { why });
    server.answer("gone@example.com", "550 no such user");
    let gone = mailer.send(&message(&mailer, "gone@example.com")?).await;
    assert!(matches!(gone, SendOutcome::Refused { .. }), "{gone:?}");
    assert_eq!(server.connections(), 2, "what ran out of time is not used again");
    Ok(())
}

#[tokio::test]
async fn a_server_without_the_tls_that_was_asked_for_gets_nothing() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    let url = server.url().replace("smtp://", "smtp://bob:secret@") + "?tls=required";
    let mailer = mailer(&[("SMTP_URL", &url)])?;
    let outcome = mailer.send(&message(&mailer, "bob@example.com")?).await;
    assert!(matches!(&outcome, SendOutcome::Deferred { why } if why.contains("STARTTLS")), "{outcome:?}");
    assert!(server.mails().is_empty());
    Ok(())
}

/// A port that speaks TLS in front of a mail server, and its certificate as PEM.
async fn with_tls(server: &SmtpServer) -> anyhow::Result<(u16, String)> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind("127.0.0.1:0").await?);
    let (port, behind) = (listener.local_addr()?.port(), server.url().trim_start_matches("smtp://").to_owned());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // a client that trusts no such certificate goes away
            let Ok(mut outer) = acceptor.accept(stream).await else { continue };
            let mut inner = TcpStream::connect(&behind).await?;
            tokio::spawn(async move { copy_bidirectional(&mut outer, &mut inner).await });
        }
        std::io::Result::Ok(())
    });
    Ok((port, made.cert.pem()))
}

#[tokio::test]
async fn authorities_of_the_operator_are_trusted_too() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    let (port, pem) = with_tls(&server).await?;
    let file = std::env::temp_dir().join(format!("w2meet-authority-{port}.pem"));
    std::fs::write(&file, pem)?;
    for (ca_file, outcome) in [(file.display().to_string(), "Sent"), (String::new(), "UnknownIssuer")] {
        let variables = [
            ("W2MEET_MAIL__SMTP_URL", format!("smtps://127.0.0.1:{port}")),
            ("W2MEET_MAIL__FROM", "meet@example.com".to_owned()),
            ("W2MEET_TLS__CA_FILE", ca_file),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        let mailer = Mailer::open(&load_from(None, variables)?.settings)?;
        let sent = format!("{:?}", mailer.send(&message(&mailer, "bob@example.com")?).await);
        assert!(sent.contains(outcome), "{sent}");
        let cause = mailer.health().and_then(|(_, health)| health.cause);
        assert_eq!(cause.is_some_and(|cause| cause.contains("tls.ca_file")), outcome != "Sent");
    }
    std::fs::remove_file(&file)?;
    Ok(())
}

#[tokio::test]
async fn an_address_beyond_ascii_needs_a_server_that_takes_it() -> anyhow::Result<()> {
    let server = SmtpServer::start().await?;
    let mailer = mailer(&[("SMTP_URL", &server.url())])?;
    let outcome = mailer.send(&message(&mailer, "josé@example.com")?).await;
    assert!(matches!(outcome, SendOutcome::Refused { .. }), "{outcome:?}");
    let domain = mailer.send(&message(&mailer, "bob@exämple.de")?).await;
    assert_eq!(domain, SendOutcome::Sent);
    assert_eq!(server.mails()[0].to, ["bob@xn--exmple-cua.de"]);
    Ok(())
}

#[tokio::test]
async fn without_a_server_every_revision_is_kept_in_files_of_its_own() -> anyhow::Result<()> {
    let folder = outbox();
    drop(std::fs::remove_dir_all(&folder));
    let mailer = mailer(&[("OUTBOX_DIR", &folder.display().to_string())])?;
    let revisions = [(Method::Request, 0), (Method::Request, 1), (Method::Cancel, 2)];
    for (method, sequence) in revisions {
        for to in ["Bob@example.com", "cy@example.com"] {
            let invitation = invitation(method, sequence)?;
            let message = write(mailer.from(), &invitation, &recipient(to, "Europe/Berlin")?)?;
            let (mail, ics) =
                (folder.join(format!("{}.eml", message.name)), folder.join(format!("{}.ics", message.name)));
            for _ in 0..2 {
                assert_eq!(mailer.send(&message).await, SendOutcome::Sent);
                assert_eq!(std::fs::read(&mail)?, message.mail);
                assert_eq!(std::fs::read(&ics)?, message.ics.clone().unwrap_or_default().as_bytes());
                assert_eq!(std::fs::metadata(&mail)?.permissions().mode() & 0o777, 0o600);
            }
        }
    }
    // one that tries to be more than it is
    let mut hostile = invitation(Method::Request, 0)?;
    hostile.meeting_id = uuid::Uuid::from_u128(2);
    hostile.title = "x\r\nATTENDEE:mailto:eve@example.com\nEND:VEVENT;,\\ ^n 👩‍👩‍👧".repeat(9);
    for name in [&mut hostile.organizer.name, &mut hostile.attendees[1].person.name] {
        *name = "\";ROLE=CHAIR:mailto:eve@example.com\r\nEND:VEVENT ^n 日本, \\".repeat(9);
    }
    let message = write(mailer.from(), &hostile, &recipient("bob@example.com", "UTC")?)?;
    assert_eq!(mailer.send(&message).await, SendOutcome::Sent);
    assert_eq!(std::fs::metadata(&folder)?.permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(&folder)?.count(), 14, "nothing else is left in {}", folder.display());
    Ok(())
}

#[tokio::test]
async fn an_outbox_that_cannot_be_written_is_tried_again_later() -> anyhow::Result<()> {
    let mailer = mailer(&[("OUTBOX_DIR", "/dev/null/outbox")])?;
    let outcome = mailer.send(&message(&mailer, "bob@example.com")?).await;
    assert!(matches!(&outcome, SendOutcome::Deferred { why } if why.contains("/dev/null/outbox")), "{outcome:?}");
    Ok(())
}

#[test]
fn settings_that_could_not_work_are_refused_with_a_remedy_and_without_the_password() {
    const FROM: (&str, &str) = ("FROM", "meet@example.com");
    let cases: [(&[(&str, &str)], &str); 12] = [
        (&[("SMTP_URL", "http://mail.example.com"), FROM], "must begin with smtp: or smtps:"),
        (&[("SMTP_URL", "mail.example.com:587"), FROM], "must begin with smtp: or smtps:"),
        (&[("SMTP_URL", "smtp:"), FROM], "names no host"),
        (&[("SMTP_URL", "smtp://mail.example.com:port"), FROM], "invalid port"),
        (&[("SMTP_URL", "smtp://mail.example.com?tls=yes"), FROM], "?tls=required"),
        (&[("SMTP_URL", "smtp://mail.example.com?tls=required&x=y"), FROM], "after the question mark"),
        (&[("SMTP_URL", "smtp://bob@mail.example.com?tls=required"), FROM], "only one of user and password"),
        (&[("SMTP_URL", "smtp://bob:secret@mail.example.com"), FROM], "add ?tls=required"),
        (&[("SMTP_URL", "smtp://bob:secret@mail.example.com?tls=opportunistic"), FROM], "add ?tls=required"),
        (&[("SMTP_URL", "smtps://bob:secret@mail.example.com")], "set mail.from"),
        (&[("FROM", "nobody")], "W2Meet <meetings@example.com>"),
        (&[("TIMEOUT_SECONDS", "0")], "between 1 and 600"),
    ];
    for (settings, remedy) in cases {
        let refused = mailer(settings).err().map(|why| format!("{why:#}")).unwrap_or_default();
        assert!(refused.contains(remedy) && !refused.contains("secret"), "{settings:?}: {refused}");
    }
    for url in ["smtps://bob:s%40cret@mail.example.com", "smtp://mail.example.com", "smtp://bob:x@[::1]:25", ""] {
        assert!(mailer(&[("SMTP_URL", url), FROM]).is_ok(), "{url}");
    }
}
