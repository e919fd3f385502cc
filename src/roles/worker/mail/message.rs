//! A mail that is ready to send, and the headers that all mails have.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MessageBuilder, SinglePart};
use lettre::{Address, message::Body};

use crate::calendar::icalendar::one_line;
use crate::platform::email::Email;

/// A mail that is ready to send.
#[derive(Clone, Debug)]
pub struct MailMessage {
    pub(super) to: Address,
    /// A name that is unique to the mail, and safe as a file name.
    pub(super) name: String,
    pub(super) mail: Vec<u8>,
    /// The calendar object of an invitation.
    pub(super) ics: Option<String>,
}

/// A mail with Message-ID, date and sender.
pub(super) fn new_builder(from: &Mailbox, name: &str, stamp: Timestamp) -> MessageBuilder {
    let id = format!("<{name}@{}>", from.email.domain());
    Message::builder().message_id(Some(id)).date(date(stamp)).from(from.clone())
}

/// Adds the headers that all mails have.
pub(super) fn with_headers(builder: MessageBuilder, case_id: &str) -> MessageBuilder {
    builder
        .raw_header(header("Case-ID", &token(case_id)))
        // prevents automatic replies (RFC 3834)
        .raw_header(header("Auto-Submitted", "auto-generated"))
}

pub(super) fn part(kind: ContentType, text: String) -> SinglePart {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    let body = Body::new_with_encoding(text, encoding).unwrap_or_else(Body::new);
    SinglePart::builder().header(kind).body(body)
}

/// The address as typed, with its domain in ASCII, and the canonical address.
pub(super) fn address(typed: &str) -> anyhow::Result<(Address, Email)> {
    let canonical = Email::parse(typed).with_context(|| format!("{typed:?} is not an address for mail"))?;
    let local = typed.rsplit_once('@').map_or(typed, |(local, _)| local);
    let domain = canonical.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
    let address = Address::new(local, domain).with_context(|| format!("{typed:?} is not an address for mail"))?;
    Ok((address, canonical))
}

pub(super) fn mailbox(name: &str, address: Address) -> Mailbox {
    Mailbox::new(Some(one_line(name)).filter(|name| !name.is_empty()), address)
}

/// The date of the mail; the header format ends with the year 9999.
fn date(stamp: Timestamp) -> SystemTime {
    let second = u64::try_from(stamp.as_second()).unwrap_or(0).min(253_402_300_799);
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

/// The characters of a text that are valid in a Case-ID.
fn token(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "._~-".contains(*c)).take(64).collect()
}

/// A header that lettre does not know; the value must be plain ASCII.
fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
