//! A meeting as a calendar object (RFC 5545, 5546): what calendars read, from mail or from a download.
//!
//! Made from the meeting alone, with no clock: the same revision gives the same bytes, however often it is sent.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Octets a line may have (RFC 5545, 3.1), without its end.
const LINE: usize = 75;

/// What stays as it is in the address of a `mailto:` (RFC 6068, 2).
const ADDRESS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b'+').remove(b'\'');

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
        let mut ics = Lines::default();
        for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//W2Meet//EN"] {
            ics.push(line);
        }
        ics.push(&format!("METHOD:{}", self.method.name()));
        ics.push("BEGIN:VEVENT");
        ics.push(&format!("UID:{}@w2meet", self.meeting_id));
        ics.push(&format!("SEQUENCE:{}", self.sequence));
        for (name, instant) in [("DTSTAMP", self.stamp), ("DTSTART", self.start), ("DTEND", self.end)] {
            ics.push(&format!("{name}:{}", instant.strftime("%Y%m%dT%H%M%SZ")));
        }
        ics.push(&format!("SUMMARY:{}", escaped(&self.headline())));
        ics.push(if self.method == Method::Cancel { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
        ics.push(&format!("ORGANIZER{}:{}", common_name(&self.organizer), mailto(&self.organizer)));
        // What is published has no attendees (RFC 5546, 3.2.1).
        for guest in self.attendees.iter().filter(|_| self.method != Method::Publish) {
            ics.push(&self.attendee(guest));
        }
        ics.push("END:VEVENT");
        ics.push("END:VCALENDAR");
        ics.0
    }

    fn attendee(&self, guest: &Guest) -> String {
        let role = if guest.required { "REQ-PARTICIPANT" } else { "OPT-PARTICIPANT" };
        // Nobody has to answer that a meeting is off.
        let rsvp = if self.method == Method::Request { ";RSVP=TRUE" } else { "" };
        let (name, status, address) = (common_name(&guest.person), guest.participation.name(), mailto(&guest.person));
        format!("ATTENDEE{name};ROLE={role};PARTSTAT={status}{rsvp}:{address}")
    }
}

/// A text as one line of it: no controls, nothing that turns its direction round, no two blanks in a row.
pub fn one_line(text: &str) -> String {
    let blank = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
    let shown: String = text.chars().filter(|c| !turns(*c)).map(blank).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Unicode's Bidi_Control: with these a text can look like another.
fn turns(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The value of a TEXT property (RFC 5545, 3.3.11).
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

/// `;CN=` and the name; nothing when there is none.
///
/// A parameter cannot hold a double quote, and knows no backslash, but some readers take one for an escape. `^` stands
/// doubled, since RFC 6868 makes it one.
fn common_name(person: &Person) -> String {
    let name = one_line(&person.name.replace('"', "'").replace('\\', " ")).replace('^', "^^");
    match name.is_empty() {
        true => String::new(),
        false => format!(";CN=\"{name}\""),
    }
}

fn mailto(person: &Person) -> String {
    format!("mailto:{}", utf8_percent_encode(&person.email, ADDRESS))
}

/// Content lines, folded.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn push(&mut self, line: &str) {
        let mut width = 0;
        for c in line.chars() {
            if width + c.len_utf8() > LINE {
                self.0.push_str("\r\n ");
                width = 1;
            }
            self.0.push(c);
            width += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}
