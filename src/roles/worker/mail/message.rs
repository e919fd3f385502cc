//! A mail that is ready to send, and the headers that all mails have.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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

/// Adds a header with one mailbox. A mail program shows the name as it was typed.
pub(super) fn with_mailbox(
    builder: MessageBuilder,
    header: &'static str,
    name: &str,
    address: Address,
) -> MessageBuilder {
    let name = one_line(name);
    let mailbox = Mailbox::new(Some(name.clone()).filter(|name| !name.is_empty()), address.clone());
    match header {
        // the address alone is parsed again
        _ if name.contains(ENCODED) => {
            let encoded = format!("{} <{address}>", encoded_words(&name));
            let header = HeaderName::new_from_ascii_str(header);
            builder.raw_header(HeaderValue::dangerous_new_pre_encoded(header, address.to_string(), encoded))
        }
        "Reply-To" => builder.reply_to(mailbox),
        _ => builder.to(mailbox),
    }
}

/// Adds the subject. A mail program shows it as it was typed.
pub(super) fn with_subject(builder: MessageBuilder, subject: String) -> MessageBuilder {
    if !subject.contains(ENCODED) {
        return builder.subject(subject);
    }
    let (header, encoded) = (HeaderName::new_from_ascii_str("Subject"), encoded_words(&subject));
    builder.raw_header(HeaderValue::dangerous_new_pre_encoded(header, subject, encoded))
}

/// The start of an encoded word (RFC 2047). A text that contains it is encoded as a whole, or mail programs decode that part.
const ENCODED: &str = "=?";
/// The bytes in an encoded word: 75 characters with its frame.
const MAX_WORD: usize = 45;

/// A text as encoded words (RFC 2047), one on each line.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= MAX_WORD => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let encoded: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    encoded.join("\r\n ")
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
