//! One invitation to one recipient, as a whole mail (RFC 6047): a text for people and an object for their calendar.

use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use jiff::Timestamp;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MessageBuilder, MultiPart, SinglePart};
use lettre::{Address, message::Body};
use uuid::Uuid;

use super::templates;
use crate::calendar::icalendar::one_line;
use crate::calendar::{CalAddress, Invitation, Zone};
use crate::platform::email::Email;

/// Who gets a letter, and what is theirs alone in it.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The attendee, with the address as they typed it.
    pub person: CalAddress,
    /// Their own time zone.
    pub zone: Zone,
    /// Where to answer with one click.
    pub links: Option<Links>,
    /// The address of the meeting.
    pub page: Option<String>,
}

/// Three URLs, each of which is an answer.
#[derive(Clone, Debug)]
pub struct Links {
    pub accept: String,
    pub tentative: String,
    pub decline: String,
}

/// A mail that is ready to go.
#[derive(Clone, Debug)]
pub struct InvitationMessage {
    pub(super) to: Address,
    /// Unique to meeting, revision, method and recipient; safe as a file name.
    pub(super) name: String,
    pub(super) mail: Vec<u8>,
    /// What an invitation holds for calendars.
    pub(super) ics: Option<String>,
}

impl InvitationMessage {
    /// Writes it. The same arguments give the same bytes.
    ///
    /// # Errors
    /// An address that no mail can be sent to.
    pub fn write(
        from: &Mailbox,
        invitation: &Invitation,
        to: &Recipient,
        case_id: &str,
    ) -> anyhow::Result<InvitationMessage> {
        let (address, key) = address(&to.person.email)?;
        let method = invitation.method.name();
        let recipient = Uuid::new_v5(&invitation.meeting_id, key.as_str().as_bytes()).simple();
        let name = format!("{}.{}.{}.{recipient}", invitation.meeting_id, invitation.sequence, method.to_lowercase());
        let begin = opening(from, &name, invitation.dtstamp).to(mailbox(&to.person.name, address.clone()));
        let mut builder = marked(begin.subject(templates::subject(invitation)), case_id);
        let organizer = &invitation.organizer;
        // An address beyond ASCII would make the whole letter one that few servers take.
        if let Ok((address, _)) = self::address(&organizer.email)
            && AsRef::<str>::as_ref(&address).is_ascii()
        {
            builder = builder.reply_to(mailbox(&organizer.name, address));
        }
        let ics = invitation.to_ics();
        let calendar = ContentType::parse(&format!("text/calendar; method={method}; charset=UTF-8; component=VEVENT"));
        // `=_` stands in no quoted-printable text, so the boundary can be the same every time.
        let parts = MultiPart::alternative()
            .boundary(format!("=_{recipient}"))
            .singlepart(part(ContentType::TEXT_PLAIN, templates::text(invitation, to)))
            .singlepart(part(calendar.context("the content type of a calendar object")?, ics.clone()));
        let mail = builder.multipart(parts).context("the mail cannot be put together")?.formatted();
        Ok(InvitationMessage { to: address, name, mail, ics: Some(ics) })
    }
}

/// What every letter begins with.
pub(super) fn opening(from: &Mailbox, name: &str, stamp: Timestamp) -> MessageBuilder {
    let id = format!("<{name}@{}>", from.email.domain());
    Message::builder().message_id(Some(id)).date(date(stamp)).from(from.clone())
}

/// What every letter says of where it comes from.
pub(super) fn marked(builder: MessageBuilder, case_id: &str) -> MessageBuilder {
    builder
        .raw_header(header("Case-ID", &token(case_id)))
        // holiday replies are for people (RFC 3834)
        .raw_header(header("Auto-Submitted", "auto-generated"))
}

pub(super) fn part(kind: ContentType, text: String) -> SinglePart {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    let body = Body::new_with_encoding(text, encoding).unwrap_or_else(Body::new);
    SinglePart::builder().header(kind).body(body)
}

/// The address as typed, but for its domain, which servers know in ASCII; and the canonical one.
pub(super) fn address(typed: &str) -> anyhow::Result<(Address, Email)> {
    let canonical = Email::parse(typed).with_context(|| format!("{typed:?} cannot be written to"))?;
    let local = typed.rsplit_once('@').map_or(typed, |(local, _)| local);
    let domain = canonical.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
    let address = Address::new(local, domain).with_context(|| format!("{typed:?} cannot be written to"))?;
    Ok((address, canonical))
}

pub(super) fn mailbox(name: &str, address: Address) -> Mailbox {
    Mailbox::new(Some(one_line(name)).filter(|name| !name.is_empty()), address)
}

/// When it was made; HTTP dates, which the header is written with, end with the year 9999.
fn date(stamp: Timestamp) -> SystemTime {
    let second = u64::try_from(stamp.as_second()).unwrap_or(0).min(253_402_300_799);
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

/// What a Case-ID may hold, and nothing else.
fn token(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "._~-".contains(*c)).take(64).collect()
}

/// A header of our own; the value must be plain.
fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
