//! Writes an invitation to one recipient as a mail (RFC 6047): text and HTML for people, with the time in their own zone and in the
//! organizer's, and a calendar object.

use anyhow::Context as _;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart};
use uuid::Uuid;

use super::content::Content;
use super::message::{self, MailMessage, new_builder, part, with_headers, with_mailbox, with_subject};
use crate::calendar::icalendar::one_line;
use crate::calendar::{CalAddress, EventDetails, Invitation, Invitee, Method, Participation, Zone};
use crate::roles::reservation::api::jobs::{CancelCause, Recipient};

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
        cause: CancelCause,
        organizer_zone: &Zone,
        site: &str,
        case_id: &str,
    ) -> anyhow::Result<MailMessage> {
        let subject = subject(invitation, to, cause);
        let (address, key) = message::address(&to.person.email)?;
        let method = invitation.method.name();
        let recipient = Uuid::new_v5(&invitation.meeting_id, key.as_str().as_bytes()).simple();
        let name = format!("{}.{}.{}.{recipient}", invitation.meeting_id, invitation.sequence, method.to_lowercase());
        let builder = new_builder(from, &name, invitation.dtstamp);
        let builder = with_mailbox(builder, "To", &to.person.name, address.clone());
        let mut builder = with_headers(with_subject(builder, subject.clone()), case_id);
        let organizer = &invitation.organizer;
        // few servers accept a mail with an address beyond ASCII
        if let Ok((address, _)) = message::address(&organizer.email)
            && AsRef::<str>::as_ref(&address).is_ascii()
        {
            builder = with_mailbox(builder, "Reply-To", &organizer.name, address);
        }
        let ics = invitation.to_ics();
        let calendar = ContentType::parse(&format!("text/calendar; method={method}; charset=UTF-8; component=VEVENT"));
        let content = content(invitation, to, cause, organizer_zone, site);
        // quoted-printable text never contains `=_`, so the boundary may be the same every time
        let parts = MultiPart::alternative()
            .boundary(format!("=_{recipient}"))
            .singlepart(part(ContentType::TEXT_PLAIN, content.to_text()))
            .singlepart(part(ContentType::TEXT_HTML, content.to_html(&subject)))
            .singlepart(part(calendar.context("the content type of a calendar object")?, ics.clone()));
        let mail = builder.multipart(parts).context("the mail cannot be assembled")?.formatted();
        Ok(MailMessage { to: address, name, mail, ics: Some(ics) })
    }
}

/// What a mail has to tell its recipient.
enum MailReason {
    /// The recipient is invited, or has arranged the meeting.
    New,
    Changed,
    Cancelled,
    /// The recipient is no attendee any more.
    Removed,
    /// The account of a person was deleted, and the meeting cannot be without them.
    Abandoned,
}

impl MailReason {
    fn of(invitation: &Invitation, to: &Recipient, cause: CancelCause) -> MailReason {
        match (invitation.method, cause) {
            (Method::Cancel, CancelCause::Cancelled) => MailReason::Cancelled,
            (Method::Cancel, CancelCause::Removed) => MailReason::Removed,
            (Method::Cancel, CancelCause::AccountDeleted) => MailReason::Abandoned,
            _ if to.is_new || invitation.sequence <= 0 => MailReason::New,
            _ => MailReason::Changed,
        }
    }
}

/// The subject of an invitation.
pub fn subject(invitation: &Invitation, to: &Recipient, cause: CancelCause) -> String {
    let what = match (MailReason::of(invitation, to, cause), is_organizer(invitation, to)) {
        (MailReason::New, true) => "Arranged",
        (MailReason::New, false) => "Invitation",
        (MailReason::Changed, true) => "Changed",
        (MailReason::Changed, false) => "Updated invitation",
        (MailReason::Cancelled | MailReason::Abandoned, _) => "Cancelled",
        (MailReason::Removed, _) => "No longer invited",
    };
    format!("{what}: {}", invitation.summary())
}

/// The first sentence of an invitation.
fn opening(invitation: &Invitation, to: &Recipient, cause: CancelCause) -> String {
    let who = short_name(&invitation.organizer);
    match (MailReason::of(invitation, to, cause), is_organizer(invitation, to)) {
        (MailReason::New, true) => "You have arranged this meeting.".to_owned(),
        (MailReason::New, false) => format!("{who} invites you to a meeting."),
        (MailReason::Changed, true) => "You have changed this meeting.".to_owned(),
        (MailReason::Changed, false) => format!("{who} has changed a meeting that you are invited to."),
        (MailReason::Cancelled, true) => "You have cancelled this meeting.".to_owned(),
        (MailReason::Cancelled, false) => format!("{who} has cancelled this meeting."),
        (MailReason::Removed, _) => format!("{who} has removed you from the attendees of this meeting."),
        (MailReason::Abandoned, _) => {
            "This meeting is cancelled, because the account of a person whom it needs was deleted.".to_owned()
        }
    }
}

fn is_organizer(invitation: &Invitation, to: &Recipient) -> bool {
    to.person.email == invitation.organizer.email
}

/// What an invitation says. The organizer, who comes anyway, is not asked for a reply.
pub fn content(
    invitation: &Invitation,
    to: &Recipient,
    cause: CancelCause,
    organizer_zone: &Zone,
    site: &str,
) -> Content {
    let organizer = &invitation.organizer;
    let (start, end) = (invitation.start, invitation.end);
    let mut when = to.time_zone.format_period(start, end).to_vec();
    if organizer_zone.name() != to.time_zone.name() {
        when.push(format!("For {}: {}", short_name(organizer), organizer_zone.format_period(start, end).join(", ")));
    }
    let page = one_line(&format!("{site}{}", to.answer_path));
    let asks = invitation.method != Method::Cancel && !is_organizer(invitation, to);
    let replies = [("Yes", "accepted"), ("Maybe", "tentative"), ("No", "declined")].into_iter().filter(|_| asks);
    let mut fields = vec![("What", vec![invitation.summary()]), ("When", when)];
    fields.extend(details(&invitation.details));
    fields.push(("Organizer", vec![shown(organizer)]));
    fields.push(("Attendees", attendees(&invitation.attendees)));
    Content {
        opening: opening(invitation, to, cause),
        fields,
        replies: replies.map(|(label, answer)| (label, format!("{page}&answer={answer}"))).collect(),
        // an attendee who was removed may not see the meeting
        page: Some(page).filter(|_| invitation.method != Method::Cancel || cause != CancelCause::Removed),
    }
}

/// The place, the video conference and the description, as labels with lines.
fn details(details: &EventDetails) -> Vec<(&'static str, Vec<String>)> {
    let one = |label, value: &Option<String>| value.as_ref().map(|value| (label, vec![one_line(value)]));
    let about = |text: &String| ("About", text.lines().map(one_line).collect());
    let all = [one("Where", &details.location), one("Video", &details.url), details.description.as_ref().map(about)];
    all.into_iter().flatten().collect()
}

/// The name, or the address if there is none.
pub(super) fn short_name(person: &CalAddress) -> String {
    own_name(person).unwrap_or_else(|| one_line(&person.email))
}

/// The name of a person; none if it is empty, or may be read as an address: people give themselves their names.
fn own_name(person: &CalAddress) -> Option<String> {
    Some(one_line(&person.name)).filter(|name| !name.is_empty() && !name.contains(['@', '<', '>']))
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
    let email = one_line(&person.email);
    own_name(person).map_or_else(|| email.clone(), |name| format!("{name} <{email}>"))
}
