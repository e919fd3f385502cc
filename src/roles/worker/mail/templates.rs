//! The texts of mails: an invitation in the recipient's own time zone, and the mails about an account.

use jiff::Zoned;

use super::account_mail::AccountMessage;
use super::message::Recipient;
use crate::calendar::icalendar::one_line;
use crate::calendar::{CalAddress, Invitation, Invitee, Method, Participation, Zone};
use crate::roles::user::api::letters::Purpose;

/// Attendees that the text lists; the calendar object lists all of them.
const MAX_LISTED: usize = 20;

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
pub fn text(invitation: &Invitation, to: &Recipient) -> String {
    let organizer = &invitation.organizer;
    let who = Some(one_line(&organizer.name)).filter(|name| !name.is_empty()).unwrap_or_else(|| shown(organizer));
    let opening = match (invitation.method, invitation.sequence) {
        (Method::Cancel, _) => format!("{who} has cancelled this meeting."),
        (_, ..=0) => format!("{who} invites you to a meeting."),
        (_, 1..) => format!("{who} has changed a meeting that you are invited to."),
    };
    let (period, place) = period(invitation, &to.zone);
    let mut text = format!("{opening}\n\n");
    text += &field("What", &[invitation.summary()]);
    text += &field("When", &[period, place]);
    text += &field("Organizer", &[shown(organizer)]);
    text += &field("Attendees", &attendees(&invitation.attendees));
    if let Some(links) = to.links.as_ref().filter(|_| invitation.method != Method::Cancel) {
        text += "\nCan you come?\n";
        for (answer, link) in [("Yes", &links.accept), ("Maybe", &links.tentative), ("No", &links.decline)] {
            text += &field(answer, &[one_line(link)]);
        }
    }
    if let Some(page) = &to.page {
        text += &format!("\nThe meeting: {}\n", one_line(page));
    }
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

/// The subject of a mail about an account.
pub fn account_subject(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::VerifyMailbox => "Confirm your address for W2Meet",
        Purpose::ResetPassword => "Set a new password for W2Meet",
    }
}

/// The text of a mail about an account. It contains no text of the caller, who may be a stranger to the recipient.
pub fn account_text(mail: &AccountMessage) -> String {
    let (site, link, life) = (one_line(&mail.site), one_line(&mail.link), life(mail.minutes));
    match mail.purpose {
        Purpose::VerifyMailbox => format!(
            "An account was created at {site} with this address.\n\nIf that was you, confirm the address here:\n\n{link}\n\n\
             The link works once, for {life}.\n\nIf it was not you, do not open the link: without it, the account cannot send \
             mail in your name.\nTo take over the account, request a new password there; this locks out the person who created it.\n"
        ),
        Purpose::ResetPassword => format!(
            "A new password was requested for your account at {site}.\n\nTo set one, go here:\n\n{link}\n\n\
             The link works once, for {life}, until you request another one. After that you must sign in again everywhere.\n\n\
             If it was not you, do nothing: your account stays as it is.\n"
        ),
    }
}

fn life(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, 1) => "one minute".to_owned(),
        (1, 0) => "one hour".to_owned(),
        (0, _) | (_, 1..) => format!("{minutes} minutes"),
        (hours, 0) => format!("{hours} hours"),
    }
}
