//! Mails and their delivery, and what these tests share.

mod account_mail;
mod delivery;
mod messages;
#[path = "../../../../../tests/support/smtp.rs"]
mod smtp;

use jiff::Timestamp;
use lettre::message::Mailbox;
use uuid::Uuid;

use super::{MailMessage, Mailer};
use crate::calendar::{CalAddress, EventDetails, Invitation, Invitee, Method, Participation, Zone};
use crate::config::load_from;
use crate::platform::email::Email;
use crate::roles::reservation::api::jobs::{CancelCause, Recipient};

fn person(name: &str, email: &str) -> CalAddress {
    CalAddress { name: name.to_owned(), email: email.to_owned() }
}

/// Ana's meeting with Bob, and Cy if he likes.
fn invitation(method: Method, sequence: i64) -> anyhow::Result<Invitation> {
    let stamp: Timestamp = "2026-03-01T09:00:00Z".parse()?;
    let start: Timestamp = "2026-03-30T13:00:00Z".parse()?;
    let guest = |name, email, required| Invitee {
        person: person(name, email),
        required,
        participation: if required { Participation::Accepted } else { Participation::NeedsAction },
    };
    Ok(Invitation {
        method,
        meeting_id: Uuid::from_u128(0x0198_c0de_0000_7000_8000_0000_0000_0001),
        uid_domain: "7f.w2meet".to_owned(),
        sequence,
        dtstamp: stamp + jiff::SignedDuration::from_hours(sequence),
        title: "Planning, spring".to_owned(),
        details: EventDetails::default(),
        start,
        end: start + jiff::SignedDuration::from_hours(1),
        organizer: person("Ana Lima", "ana@example.com"),
        attendees: vec![guest("Bob", "Bob@example.com", true), guest("", "cy@example.com", false)],
    })
}

const SITE: &str = "https://meet.example.com";

fn recipient(email: &str, zone: &str) -> anyhow::Result<Recipient> {
    Ok(Recipient {
        email: Email::parse("bob@example.com")?,
        person: person("Bob", email),
        time_zone: Zone::parse(zone)?,
        answer_path: "/a?token=t".to_owned(),
        is_new: false,
    })
}

fn write(from: &Mailbox, invitation: &Invitation, to: &Recipient) -> anyhow::Result<MailMessage> {
    let zone = Zone::parse("Europe/Lisbon")?;
    MailMessage::invitation(from, invitation, to, CancelCause::Cancelled, &zone, SITE, "case-1")
}

/// A mailer with these settings, such as `("SMTP_URL", "smtp://localhost")`.
fn mailer(settings: &[(&str, &str)]) -> anyhow::Result<Mailer> {
    let variables = settings.iter().map(|(name, value)| (format!("W2MEET_MAIL__{name}"), (*value).to_owned()));
    Mailer::open(&load_from(None, variables)?.settings)
}

fn message(mailer: &Mailer, to: &str) -> anyhow::Result<MailMessage> {
    write(mailer.from(), &invitation(Method::Request, 0)?, &recipient(to, "UTC")?)
}
