//! Writes an invitation to one recipient as a mail (RFC 6047): text and HTML for people, with the time in their own zone and in the
//! organizer's, and a calendar object.

use anyhow::Context as _;
use jiff::{Timestamp, Zoned};
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart};
use uuid::Uuid;

use super::content::Content;
use super::message::{self, MailMessage, new_builder, part, with_headers, with_mailbox, with_subject};
use crate::calendar::icalendar::one_line;
use crate::calendar::{CalAddress, EventDetails, Invitation, Invitee, Method, Participation, Zone};
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
        organizer_zone: &Zone,
        site: &str,
        case_id: &str,
    ) -> anyhow::Result<MailMessage> {
        let (address, key) = message::address(&to.person.email)?;
        let method = invitation.method.name();
        let recipient = Uuid::new_v5(&invitation.meeting_id, key.as_str().as_bytes()).simple();
        let name = format!("{}.{}.{}.{recipient}", invitation.meeting_id, invitation.sequence, method.to_lowercase());
        let builder = new_builder(from, &name, invitation.dtstamp);
        let builder = with_mailbox(builder, "To", &to.person.name, address.clone());
        let mut builder = with_headers(with_subject(builder, subject(invitation)), case_id);
        let organizer = &invitation.organizer;
        // few servers accept a mail with an address beyond ASCII
        if let Ok((address, _)) = message::address(&organizer.email)
            && AsRef::<str>::as_ref(&address).is_ascii()
        {
            builder = with_mailbox(builder, "Reply-To", &organizer.name, address);
        }
        let ics = invitation.to_ics();
        let calendar = ContentType::parse(&format!("text/calendar; method={method}; charset=UTF-8; component=VEVENT"));
        let content = content(invitation, to, organizer_zone, site);
        // quoted-printable text never contains `=_`, so the boundary may be the same every time
        let parts = MultiPart::alternative()
            .boundary(format!("=_{recipient}"))
            .singlepart(part(ContentType::TEXT_PLAIN, content.to_text()))
            .singlepart(part(ContentType::TEXT_HTML, content.to_html(&subject(invitation))))
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

/// What an invitation says. The organizer, who comes anyway, is not asked for a reply.
pub fn content(invitation: &Invitation, to: &Recipient, organizer_zone: &Zone, site: &str) -> Content {
    let organizer = &invitation.organizer;
    let who = short_name(organizer);
    let opening = match (invitation.method, invitation.sequence) {
        (Method::Cancel, _) => format!("{who} has cancelled this meeting."),
        (_, ..=0) => format!("{who} invites you to a meeting."),
        (_, 1..) => format!("{who} has changed a meeting that you are invited to."),
    };
    let (start, end) = (invitation.start, invitation.end);
    let mut when = period(start, end, &to.time_zone);
    if organizer_zone.name() != to.time_zone.name() {
        when.push(format!("For {who}: {}", period(start, end, organizer_zone).join(", ")));
    }
    let page = one_line(&format!("{site}{}", to.answer_path));
    let asks = invitation.method != Method::Cancel && to.person.email != organizer.email;
    let replies = [("Yes", "accepted"), ("Maybe", "tentative"), ("No", "declined")].into_iter().filter(|_| asks);
    let mut fields = vec![("What", vec![invitation.summary()]), ("When", when)];
    fields.extend(details(&invitation.details));
    fields.push(("Organizer", vec![shown(organizer)]));
    fields.push(("Attendees", attendees(&invitation.attendees)));
    Content {
        opening,
        fields,
        replies: replies.map(|(label, answer)| (label, format!("{page}&answer={answer}"))).collect(),
        page,
    }
}

/// The place, the video conference and the description, as labels with lines.
fn details(details: &EventDetails) -> Vec<(&'static str, Vec<String>)> {
    let one = |label, value: &Option<String>| value.as_ref().map(|value| (label, vec![one_line(value)]));
    let about = |text: &String| ("About", text.lines().map(one_line).collect());
    let all = [one("Where", &details.location), one("Video", &details.url), details.description.as_ref().map(about)];
    all.into_iter().flatten().collect()
}

/// The period in a time zone, and the name of the zone.
pub(super) fn period(start: Timestamp, end: Timestamp, zone: &Zone) -> Vec<String> {
    let (start, end) = (zone.datetime_at(start), zone.datetime_at(end));
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
    vec![period, place]
}

/// The name, or the address if there is none.
pub(super) fn short_name(person: &CalAddress) -> String {
    Some(one_line(&person.name)).filter(|name| !name.is_empty()).unwrap_or_else(|| one_line(&person.email))
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

pub(super) fn shown(person: &CalAddress) -> String {
    let (name, email) = (one_line(&person.name), one_line(&person.email));
    if name.is_empty() { email } else { format!("{name} <{email}>") }
}
