//! Those who are wanted: by name, and what each is wanted for.

use std::collections::HashMap;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::calendar::{Attendance, Fault};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, email, parsed};

/// How many may be asked about at once.
const MOST_ATTENDEES: usize = 10_000;
/// How much one may count for.
const WEIGHTS: std::ops::RangeInclusive<u64> = 1..=9;

/// The lists of a request, and what they say of whom they name. The last word counts.
const LISTS: [(&str, Option<Attendance>); 3] =
    [("attendees", None), ("required", Some(Attendance::Required)), ("optional", Some(Attendance::Optional))];

/// What a query string calls the lists: each name once for everybody.
pub const IN_A_QUERY: [(&str, &str); 3] =
    [("attendee", "attendees"), ("required", "required"), ("optional", "optional")];

/// One who is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub struct RequestedAttendee {
    /// Who.
    pub email: Email,
    /// Whether they must be there.
    pub attendance: Attendance,
    /// How much their coming counts, 1 to 9.
    pub weight: u32,
}

impl From<Email> for RequestedAttendee {
    /// One who must be there, and counts once.
    fn from(email: Email) -> RequestedAttendee {
        RequestedAttendee { email, attendance: Attendance::Required, weight: 1 }
    }
}

/// On the wire: the address alone, unless there is more to say.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Plain(Email),
    Whole {
        email: Email,
        #[serde(default)]
        attendance: Attendance,
        #[serde(default = "once")]
        weight: u32,
    },
}

fn once() -> u32 {
    1
}

impl From<Written> for RequestedAttendee {
    fn from(written: Written) -> RequestedAttendee {
        match written {
            Written::Plain(email) => RequestedAttendee::from(email),
            Written::Whole { email, attendance, weight } => RequestedAttendee { email, attendance, weight },
        }
    }
}

impl Serialize for RequestedAttendee {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let (Attendance::Required, 1) = (self.attendance, self.weight) {
            return self.email.serialize(serializer);
        }
        let mut whole = serializer.serialize_struct("RequestedAttendee", 3)?;
        whole.serialize_field("email", &self.email)?;
        whole.serialize_field("attendance", &self.attendance)?;
        whole.serialize_field("weight", &self.weight)?;
        whole.end()
    }
}

/// What an item of a list says; what it leaves open is nothing.
struct Said {
    email: Email,
    attendance: Option<Attendance>,
    weight: Option<u32>,
}

/// Reads everybody, each once. Of whom nothing is said, `unsaid` is meant; an organizer must come, named or not.
pub fn wanted(fields: &mut Params, unsaid: Attendance, organizer: Option<&Email>) -> Option<Vec<RequestedAttendee>> {
    let lists: Vec<&Value> = LISTS.iter().filter_map(|(name, _)| fields.get(name)).collect();
    let counts: Option<Vec<usize>> = lists.iter().map(|list| list.as_array().map(Vec::len)).collect();
    // whoever calls a meeting meets somebody
    let least = if organizer.is_some() { 1 } else { 2 };
    let wrong = match (counts.as_deref(), counts.iter().flatten().sum::<usize>()) {
        (Some([]), _) => Some(Fault::new("#/attendees", "missing", "is required")),
        (Some(_), count) if !(least..=MOST_ATTENDEES).contains(&count) => {
            let detail = format!("must name {least} to {MOST_ATTENDEES} attendees, not {count}");
            Some(Fault::new("#/attendees", "number_of_attendees", detail))
        }
        _ => None,
    };
    let mut guests = Guests { unsaid, organizer, wanted: Vec::new(), places: HashMap::new() };
    let mut whole = wrong.is_none();
    for (name, attendance) in LISTS {
        let there = fields.has(name);
        // of a list that is too long no item is looked at
        let read = fields.optional(name, |list| if wrong.is_some() { Ok(()) } else { guests.read(list, attendance) });
        whole &= read.is_some() || !there;
    }
    wrong.into_iter().for_each(|fault| fields.fault(fault));
    let mut wanted = guests.wanted;
    if let Some(organizer) = organizer.filter(|organizer| wanted.iter().all(|one| one.email != **organizer)) {
        wanted.insert(0, RequestedAttendee::from(organizer.clone()));
    }
    whole.then_some(wanted)
}

/// Everybody who was named so far.
struct Guests<'a> {
    unsaid: Attendance,
    organizer: Option<&'a Email>,
    wanted: Vec<RequestedAttendee>,
    places: HashMap<Email, usize>,
}

impl Guests<'_> {
    fn read(&mut self, list: &Value, attendance: Option<Attendance>) -> Result<(), Vec<Fault>> {
        let list =
            list.as_array().ok_or_else(|| vec![Fault::new("", "not_a_list", "must be a list of e-mail addresses")])?;
        let mut faults = Vec::new();
        for (at, item) in list.iter().enumerate() {
            match said(item) {
                Ok(said) => self.add(Said { attendance: attendance.or(said.attendance), ..said }),
                Err(wrong) => faults.extend(wrong.into_iter().map(|fault| fault.under(&format!("/{at}")))),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn add(&mut self, said: Said) {
        let Said { email, attendance, weight } = said;
        if let Some(at) = self.places.get(&email) {
            let known = &mut self.wanted[*at];
            known.attendance = attendance.unwrap_or(known.attendance);
            known.weight = weight.unwrap_or(known.weight);
            return;
        }
        let unsaid = if self.organizer == Some(&email) { Attendance::Required } else { self.unsaid };
        self.places.insert(email.clone(), self.wanted.len());
        let attendance = attendance.unwrap_or(unsaid);
        self.wanted.push(RequestedAttendee { email, attendance, weight: weight.unwrap_or(1) });
    }
}

/// An address, or an object with one.
fn said(item: &Value) -> Result<Said, Vec<Fault>> {
    let Some(object) = item.as_object() else {
        return Ok(Said { email: email(item)?, attendance: None, weight: None });
    };
    let mut faults = Vec::new();
    let (mut whom, mut attendance, mut weight) = (None, None, None);
    for (name, value) in object {
        let read = match name.as_str() {
            "email" => email(value).map(|email| whom = Some(email)),
            "attendance" => said_attendance(value).map(|said| attendance = Some(said)),
            "weight" => said_weight(value).map(|said| weight = Some(said)),
            _ => Err(vec![Fault::new("", "unknown_field", "is not known here: give email, attendance and weight")]),
        };
        let place = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        faults.extend(read.err().into_iter().flatten().map(|fault| fault.under(&place)));
    }
    match whom {
        Some(email) if faults.is_empty() => Ok(Said { email, attendance, weight }),
        None if !object.contains_key("email") => {
            faults.push(Fault::new("/email", "missing", "is required"));
            Err(faults)
        }
        _ => Err(faults),
    }
}

fn said_attendance(value: &Value) -> Result<Attendance, Vec<Fault>> {
    let known = |text: &str| match text {
        "required" => Ok(Attendance::Required),
        "optional" => Ok(Attendance::Optional),
        _ => Err("must be required or optional"),
    };
    parsed("not_an_attendance", known)(value)
}

fn said_weight(value: &Value) -> Result<u32, Vec<Fault>> {
    let weight = value.as_u64().filter(|weight| WEIGHTS.contains(weight)).and_then(|weight| u32::try_from(weight).ok());
    let detail = || format!("must be a whole number from {} to {}", WEIGHTS.start(), WEIGHTS.end());
    weight.ok_or_else(|| vec![Fault::new("", "out_of_range", detail())])
}
