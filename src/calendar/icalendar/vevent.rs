//! Writes a meeting as VEVENT (RFC 5545, 5546), for mail and for downloads.
//!
//! The text depends on the meeting alone: the same revision always gives the same bytes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::writer::{Writer, cn_param, escape_text, mailto, one_line, utc_value};

/// What the object asks of its reader (RFC 5546, 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Attend, and reply.
    Request,
    /// The meeting is cancelled.
    Cancel,
    /// For information, without a reply: a download.
    Publish,
}

impl Method {
    /// The name in `METHOD:` and in the `method` of a content type.
    pub fn name(self) -> &'static str {
        match self {
            Method::Request => "REQUEST",
            Method::Cancel => "CANCEL",
            Method::Publish => "PUBLISH",
        }
    }
}

/// The reply of an attendee: PARTSTAT (RFC 5545, 3.2.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Participation {
    /// There is no reply yet.
    #[default]
    NeedsAction,
    /// Yes.
    Accepted,
    /// No.
    Declined,
    /// Maybe.
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

/// A calendar user: a name and an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalAddress {
    /// The display name; may be empty.
    pub name: String,
    /// The address as its owner typed it, for mail.
    pub email: String,
}

/// An attendee of an invitation: ATTENDEE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitee {
    /// The name and the address.
    pub person: CalAddress,
    /// Whether the meeting needs the attendee.
    pub required: bool,
    /// The reply.
    pub participation: Participation,
}

/// What people need to know of a meeting besides its title and its time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDetails {
    /// Where it takes place: LOCATION.
    pub location: Option<String>,
    /// What it is about, in lines: DESCRIPTION.
    pub description: Option<String>,
    /// Where to join it by video: URL, and CONFERENCE (RFC 7986, 5.11).
    pub url: Option<String>,
}

/// One revision of a meeting, ready for calendars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// What the object asks of its reader.
    pub method: Method,
    /// The meeting; the same in every revision.
    pub meeting_id: Uuid,
    /// The end of the UID, which tells installations apart (RFC 5545, 3.8.4.7); the same in every revision.
    pub uid_domain: String,
    /// 0 at first and one more with every change, so that calendars know which revision is newer.
    pub sequence: i64,
    /// When this revision was made, not when it is sent.
    pub dtstamp: Timestamp,
    /// The title of the meeting; may be empty.
    pub title: String,
    /// The place, the description, and the video conference.
    pub details: EventDetails,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The organizer.
    pub organizer: CalAddress,
    /// The attendees.
    pub attendees: Vec<Invitee>,
}

/// Whether an event is the meeting of an invitation with this [`Invitation::uid_domain`].
pub fn is_uid_of(uid: &str, domain: &str) -> bool {
    uid.rsplit_once('@').is_some_and(|(id, end)| end == domain && Uuid::parse_str(id).is_ok())
}

impl Invitation {
    /// The title as one line; never empty.
    pub fn summary(&self) -> String {
        Some(one_line(&self.title)).filter(|title| !title.is_empty()).unwrap_or_else(|| "Meeting".to_owned())
    }

    /// The object, `text/calendar; charset=UTF-8`.
    pub fn to_ics(&self) -> String {
        let mut ics = Writer::new();
        ics.push(&format!("METHOD:{}", self.method.name()));
        ics.push("BEGIN:VEVENT");
        ics.push(&format!("UID:{}@{}", self.meeting_id, self.uid_domain));
        ics.push(&format!("SEQUENCE:{}", self.sequence));
        for (name, instant) in [("DTSTAMP", self.dtstamp), ("DTSTART", self.start), ("DTEND", self.end)] {
            ics.push(&format!("{name}:{}", utc_value(instant)));
        }
        ics.push(&format!("SUMMARY:{}", escape_text(&self.summary())));
        let EventDetails { location, description, url } = &self.details;
        if let Some(location) = location {
            ics.push(&format!("LOCATION:{}", escape_text(&one_line(location))));
        }
        if let Some(description) = description {
            let lines: Vec<String> = description.lines().map(|line| escape_text(&one_line(line))).collect();
            ics.push(&format!("DESCRIPTION:{}", lines.join("\\n")));
        }
        if let Some(url) = url {
            ics.push(&format!("URL:{}", one_line(url)));
            ics.push(&format!("CONFERENCE;VALUE=URI;FEATURE=VIDEO:{}", one_line(url)));
        }
        ics.push(if self.method == Method::Cancel { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
        ics.push(&format!("ORGANIZER{}:{}", cn_param(&self.organizer.name), mailto(&self.organizer.email)));
        // A published object has no attendees (RFC 5546, 3.2.1).
        for invitee in self.attendees.iter().filter(|_| self.method != Method::Publish) {
            ics.push(&self.attendee(invitee));
        }
        ics.push("END:VEVENT");
        ics.finish()
    }

    fn attendee(&self, invitee: &Invitee) -> String {
        let role = if invitee.required { "REQ-PARTICIPANT" } else { "OPT-PARTICIPANT" };
        // A cancellation needs no reply, and the organizer comes anyway.
        let asks = self.method == Method::Request && invitee.person.email != self.organizer.email;
        let rsvp = if asks { ";RSVP=TRUE" } else { "" };
        let person = &invitee.person;
        let (name, status) = (cn_param(&person.name), invitee.participation.name());
        let address = mailto(&person.email);
        format!("ATTENDEE{name};ROLE={role};PARTSTAT={status}{rsvp}:{address}")
    }
}
