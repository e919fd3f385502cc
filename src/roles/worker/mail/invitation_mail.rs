//! Writes an invitation to one recipient as a mail (RFC 6047): a text for people in their own time zone, and a calendar object.

use anyhow::Context as _;
use jiff::Zoned;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart};
use uuid::Uuid;

use super::message::{self, MailMessage, mailbox, new_builder, part, with_headers};
use crate::calendar::icalendar::one_line;
use crate::calendar::{CalAddress, Invitation, Invitee, Method, Participation, Zone};
use crate::roles::reservation::api::jobs::Recipient;

/// Attendees that the text lists; the calendar object lists all of them.
const MAX_LISTED: usize = 20;

impl MailMessage {
    /// Writes an invitation from the installation with the URL `site`. The same arguments give the same bytes.
    ///
    /// # Errors
    /// An invalid address.
    pub fn invitation(
        from: &Mailbox,
        invitation: &Invitation,
        to: &Recipient,
        site: &str,
        case_id: &str,
    ) -> anyhow::Result<MailMessage> {
        let (address, key) = message::address(&to.person.email)?;
        let method = invitation.method.name();
        let recipient = Uuid::new_v5(&invitation.meeting_id, key.as_str().as_bytes()).simple();
        let name = format!("{}.{}.{}.{recipient}", invitation.meeting_id, invitation.sequence, method.to_lowercase());
        let builder = new_builder(from, &name, invitation.dtstamp).to(mailbox(&to.person.name, address.clone()));
        let mut builder = with_headers(builder.subject(subject(invitation)), case_id);
        let organizer = &invitation.organizer;
        // few servers accept a mail with an address beyond ASCII
        if let Ok((address, _)) = message::address(&organizer.email)
            && AsRef::<str>::as_ref(&address).is_ascii()
        {
            builder = builder.reply_to(mailbox(&organizer.name, address));
        }
        let ics = invitation.to_ics();
        let calendar = ContentType::parse(&format!("text/calendar; method={method}; charset=UTF-8; component=VEVENT"));
        // quoted-printable text never contains `=_`, so the boundary may be the same every time
        let parts = MultiPart::alternative()
            .boundary(format!("=_{recipient}"))
            .singlepart(part(ContentType::TEXT_PLAIN, text(invitation, to, site)))
            .singlepart(part(calendar.context("the content type of a calendar object")?, ics.clone()));
        let mail = builder.multipart(parts).context("the mail cannot be assembled")?.formatted();
        Ok(MailMessage { to: address, name, mail, ics: Some(ics) })
    }
}

/// The subject of an invitation.
pub fn subject(invitation: &Invitation) -> String {
    let what = match (invitation.method, invitation.sequence) {
        (Method::Cancel, _) => "Cancelled",
        (_, ..=0) => "Invitation",
        (_, 1..) => "Updated invitation",
    };
    format!("{what}: {}", invitation.summary())
}

/// The text of an invitation.
pub fn text(invitation: &Invitation, to: &Recipient, site: &str) -> String {
    let organizer = &invitation.organizer;
    let who = Some(one_line(&organizer.name)).filter(|name| !name.is_empty()).unwrap_or_else(|| shown(organizer));
    let opening = match (invitation.method, invitation.sequence) {
        (Method::Cancel, _) => format!("{who} has cancelled this meeting."),
        (_, ..=0) => format!("{who} invites you to a meeting."),
        (_, 1..) => format!("{who} has changed a meeting that you are invited to."),
    };
    let (period, place) = period(invitation, &to.time_zone);
    let mut text = format!("{opening}\n\n");
    text += &field("What", &[invitation.summary()]);
    text += &field("When", &[period, place]);
    text += &field("Organizer", &[shown(organizer)]);
    text += &field("Attendees", &attendees(&invitation.attendees));
    if invitation.method != Method::Cancel {
        text += "\nCan you come?\n";
        for (label, answer) in [("Yes", "accepted"), ("Maybe", "tentative"), ("No", "declined")] {
            text += &field(label, &[one_line(&format!("{site}{}&answer={answer}", to.answer_path))]);
        }
    }
    text += &format!("\nThe meeting: {site}/api/meetings/{}\n", invitation.meeting_id);
    text
}

/// A label with its lines, one below the other.
fn field(name: &str, lines: &[String]) -> String {
    let heads = std::iter::once(format!("{name}:")).chain(std::iter::repeat(String::new()));
    lines.iter().zip(heads).map(|(line, head)| format!("{head:<12}{line}\n")).collect()
}

/// The period in the recipient's time zone, and the name of the zone.
fn period(invitation: &Invitation, zone: &Zone) -> (String, String) {
    let (start, end) = (zone.datetime_at(invitation.start), zone.datetime_at(invitation.end));
    let date = |at: &Zoned| at.strftime("%A, %-d %B %Y").to_string();
    let time = |at: &Zoned| at.strftime("%H:%M").to_string();
    let period = match start.date() == end.date() {
        true => format!("{}, {}–{}", date(&start), time(&start), time(&end)),
        false => format!("{}, {} – {}, {}", date(&start), time(&start), date(&end), time(&end)),
    };
    let offset = |at: &Zoned| at.strftime("UTC%:z").to_string();
    let place = match (start.offset() == end.offset(), zone.name()) {
        (_, "UTC") => "UTC".to_owned(),
        (true, name) => format!("{name} ({})", offset(&start)),
        (false, name) => format!("{name} ({}, at the end {})", offset(&start), offset(&end)),
    };
    (period, place)
}

fn attendees(guests: &[Invitee]) -> Vec<String> {
    let mut lines: Vec<String> = guests.iter().take(MAX_LISTED).map(attendee).collect();
    if guests.len() > MAX_LISTED {
        lines.push(format!("and {} more", guests.len() - MAX_LISTED));
    }
    lines
}

fn attendee(guest: &Invitee) -> String {
    let answer = match guest.participation {
        Participation::NeedsAction => None,
        Participation::Accepted => Some("accepted"),
        Participation::Declined => Some("declined"),
        Participation::Tentative => Some("maybe"),
    };
    let notes: Vec<&str> = (!guest.required).then_some("optional").into_iter().chain(answer).collect();
    match notes.is_empty() {
        true => shown(&guest.person),
        false => format!("{} ({})", shown(&guest.person), notes.join(", ")),
    }
}

fn shown(person: &CalAddress) -> String {
    let (name, email) = (one_line(&person.name), one_line(&person.email));
    if name.is_empty() { email } else { format!("{name} <{email}>") }
}
