//! What an invitation says to people: its subject, and its text in the recipient's own time zone.

use jiff::Zoned;

use super::letter::Recipient;
use crate::calendar::invitation::one_line;
use crate::calendar::{Guest, Invitation, Method, Participation, Person, Zone};

/// Attendees that the text names; the calendar object names all of them.
const NAMED: usize = 20;

/// The subject, as one line.
pub fn subject(invitation: &Invitation) -> String {
    let what = match (invitation.method, invitation.sequence) {
        (Method::Cancel, _) => "Cancelled",
        (_, ..=0) => "Invitation",
        (_, 1..) => "Updated invitation",
    };
    format!("{what}: {}", invitation.headline())
}

/// The text.
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
    text += &field("What", &[invitation.headline()]);
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

/// A name and its lines, one below the other.
fn field(name: &str, lines: &[String]) -> String {
    let heads = std::iter::once(format!("{name}:")).chain(std::iter::repeat(String::new()));
    lines.iter().zip(heads).map(|(line, head)| format!("{head:<12}{line}\n")).collect()
}

/// When, on the recipient's wall clock, and which clock that is.
fn period(invitation: &Invitation, zone: &Zone) -> (String, String) {
    let (start, end) = (zone.at(invitation.start), zone.at(invitation.end));
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

fn attendees(guests: &[Guest]) -> Vec<String> {
    let mut lines: Vec<String> = guests.iter().take(NAMED).map(attendee).collect();
    if guests.len() > NAMED {
        lines.push(format!("and {} more", guests.len() - NAMED));
    }
    lines
}

fn attendee(guest: &Guest) -> String {
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

fn shown(person: &Person) -> String {
    let (name, email) = (one_line(&person.name), one_line(&person.email));
    if name.is_empty() { email } else { format!("{name} <{email}>") }
}
