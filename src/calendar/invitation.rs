//! A meeting as a calendar object (RFC 5545, 5546): what calendars read, from mail or from a download.
//!
//! Made from the meeting alone, with no clock: the same revision gives the same bytes, however often it is sent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::standards::content::{Lines, common_name, escaped, mailto, utc};

pub use super::standards::content::one_line;

/// What the object asks of whoever reads it (RFC 5546, 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Come, and say whether you do.
    Request,
    /// The meeting is off.
    Cancel,
    /// For information, to nobody in particular: a download.
    Publish,
}

impl Method {
    /// Its name in `METHOD:` and in the `method` of a content type.
    pub fn name(self) -> &'static str {
        match self {
            Method::Request => "REQUEST",
            Method::Cancel => "CANCEL",
            Method::Publish => "PUBLISH",
        }
    }
}

/// What an attendee has answered (RFC 5545, 3.2.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Participation {
    /// Nothing yet.
    #[default]
    NeedsAction,
    /// Yes.
    Accepted,
    /// No.
    Declined,
    /// Perhaps.
    Tentative,
}

impl Participation {
    fn name(self) -> &'static str {
        match self {
            Participation::NeedsAction => "NEEDS-ACTION",
            Participation::Accepted => "ACCEPTED",
            Participation::Declined => "DECLINED",
            Participation::Tentative => "TENTATIVE",
        }
    }
}

/// Somebody with an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// What people call them; may be empty.
    pub name: String,
    /// The address as its owner typed it, for mail.
    pub email: String,
}

/// An attendee, as an invitation names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Who.
    pub person: Person,
    /// Whether the meeting needs them.
    pub required: bool,
    /// What they have answered.
    pub participation: Participation,
}

/// One revision of a meeting, ready to be told to calendars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// What it asks.
    pub method: Method,
    /// The meeting, for ever.
    pub meeting_id: Uuid,
    /// 0 at first; one more with every change, so that calendars know which of two is newer.
    pub sequence: i64,
    /// When this revision was made, not when it is sent.
    pub stamp: Timestamp,
    /// What the meeting is about; may be empty.
    pub title: String,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// Who calls.
    pub organizer: Person,
    /// Who comes.
    pub attendees: Vec<Guest>,
}

impl Invitation {
    /// The title as one line; never empty.
    pub fn headline(&self) -> String {
        Some(one_line(&self.title)).filter(|title| !title.is_empty()).unwrap_or_else(|| "Meeting".to_owned())
    }

    /// The object, `text/calendar; charset=UTF-8`.
    pub fn to_ics(&self) -> String {
        let mut ics = Lines::calendar();
        ics.push(&format!("METHOD:{}", self.method.name()));
        ics.push("BEGIN:VEVENT");
        ics.push(&format!("UID:{}@w2meet", self.meeting_id));
        ics.push(&format!("SEQUENCE:{}", self.sequence));
        for (name, instant) in [("DTSTAMP", self.stamp), ("DTSTART", self.start), ("DTEND", self.end)] {
            ics.push(&format!("{name}:{}", utc(instant)));
        }
        ics.push(&format!("SUMMARY:{}", escaped(&self.headline())));
        ics.push(if self.method == Method::Cancel { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
        ics.push(&format!("ORGANIZER{}:{}", common_name(&self.organizer.name), mailto(&self.organizer.email)));
        // What is published has no attendees (RFC 5546, 3.2.1).
        for guest in self.attendees.iter().filter(|_| self.method != Method::Publish) {
            ics.push(&self.attendee(guest));
        }
        ics.push("END:VEVENT");
        ics.finish()
    }

    fn attendee(&self, guest: &Guest) -> String {
        let role = if guest.required { "REQ-PARTICIPANT" } else { "OPT-PARTICIPANT" };
        // Nobody has to answer that a meeting is off.
        let rsvp = if self.method == Method::Request { ";RSVP=TRUE" } else { "" };
        let person = &guest.person;
        let (name, status) = (common_name(&person.name), guest.participation.name());
        let address = mailto(&person.email);
        format!("ATTENDEE{name};ROLE={role};PARTSTAT={status}{rsvp}:{address}")
    }
}
