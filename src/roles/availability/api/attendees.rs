//! The attendees of a question, and how a request lists them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calendar::{Attendance, Fault};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, email};
use crate::platform::http::window;

/// The most attendees of one question.
const MAX_ATTENDEES: usize = 10_000;
/// The valid weights.
const WEIGHTS: std::ops::RangeInclusive<u64> = 1..=9;

/// The lists of a request, and the attendance that each gives its attendees. The last list that names an attendee counts.
const LISTS: [(&str, Option<Attendance>); 3] =
    [("attendees", None), ("required", Some(Attendance::Required)), ("optional", Some(Attendance::Optional))];

/// The parameters of a query string that fill the lists: one parameter for each attendee.
pub const QUERY_LISTS: [(&str, &str); 3] =
    [("attendee", "attendees"), ("required", "required"), ("optional", "optional")];

/// An attendee of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedAttendee {
    /// The address.
    pub email: Email,
    /// Whether the meeting needs the attendee.
    #[serde(default, skip_serializing_if = "Attendance::is_required")]
    pub attendance: Attendance,
    /// How much the attendee counts, 1 to 9.
    #[serde(default = "default_weight", skip_serializing_if = "is_default_weight")]
    pub weight: u32,
}

pub(super) fn default_weight() -> u32 {
    1
}

pub(super) fn is_default_weight(weight: &u32) -> bool {
    *weight == 1
}

impl From<Email> for RequestedAttendee {
    /// A required attendee of weight 1.
    fn from(email: Email) -> RequestedAttendee {
        RequestedAttendee { email, attendance: Attendance::Required, weight: 1 }
    }
}

/// One item of a list; absent params are `None`.
struct ListItem {
    email: Email,
    attendance: Option<Attendance>,
    weight: Option<u32>,
}

/// Parses all lists into attendees, each once. Attendees without an attendance get the default one; the organizer is an attendee in
/// any case, and required by default.
pub fn parse_attendees(
    params: &mut Params,
    default_attendance: Attendance,
    organizer: Option<&Email>,
) -> Option<Vec<RequestedAttendee>> {
    let lists: Vec<&Value> = LISTS.iter().filter_map(|(name, _)| params.get(name)).collect();
    let counts: Option<Vec<usize>> = lists.iter().map(|list| list.as_array().map(Vec::len)).collect();
    // the organizer counts as one of two attendees
    let least = if organizer.is_some() { 1 } else { 2 };
    let fault = match (counts.as_deref(), counts.iter().flatten().sum::<usize>()) {
        (Some([]), _) => Some(Fault::new("#/attendees", "missing", "is required")),
        (Some(_), count) if !(least..=MAX_ATTENDEES).contains(&count) => {
            let detail = format!("must name {least} to {MAX_ATTENDEES} attendees, not {count}");
            Some(Fault::new("#/attendees", "number_of_attendees", detail))
        }
        _ => None,
    };
    let mut parsed = AttendeeList { default_attendance, organizer, attendees: Vec::new(), indices: HashMap::new() };
    let mut is_valid = fault.is_none();
    for (name, attendance) in LISTS {
        let is_given = params.has(name);
        // the items of lists that are too long are not parsed
        let items =
            params.optional(name, |list| if fault.is_some() { Ok(()) } else { parsed.add_list(list, attendance) });
        is_valid &= items.is_some() || !is_given;
    }
    fault.into_iter().for_each(|fault| params.fault(fault));
    let mut attendees = parsed.attendees;
    if let Some(organizer) = organizer.filter(|organizer| attendees.iter().all(|one| one.email != **organizer)) {
        attendees.insert(0, RequestedAttendee::from(organizer.clone()));
    }
    is_valid.then_some(attendees)
}

/// The attendees of the lists parsed so far.
struct AttendeeList<'a> {
    default_attendance: Attendance,
    organizer: Option<&'a Email>,
    attendees: Vec<RequestedAttendee>,
    indices: HashMap<Email, usize>,
}

impl AttendeeList<'_> {
    fn add_list(&mut self, list: &Value, attendance: Option<Attendance>) -> Result<(), Vec<Fault>> {
        let list =
            list.as_array().ok_or_else(|| vec![Fault::new("", "not_a_list", "must be a list of e-mail addresses")])?;
        let mut faults = Vec::new();
        for (index, item) in list.iter().enumerate() {
            match parse_item(item) {
                Ok(item) => self.add(ListItem { attendance: attendance.or(item.attendance), ..item }),
                Err(wrong) => faults.extend(wrong.into_iter().map(|fault| fault.under(&format!("/{index}")))),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn add(&mut self, item: ListItem) {
        let ListItem { email, attendance, weight } = item;
        if let Some(index) = self.indices.get(&email) {
            let listed = &mut self.attendees[*index];
            listed.attendance = attendance.unwrap_or(listed.attendance);
            listed.weight = weight.unwrap_or(listed.weight);
            return;
        }
        let is_organizer = self.organizer == Some(&email);
        let default = if is_organizer { Attendance::Required } else { self.default_attendance };
        self.indices.insert(email.clone(), self.attendees.len());
        let attendance = attendance.unwrap_or(default);
        self.attendees.push(RequestedAttendee { email, attendance, weight: weight.unwrap_or(1) });
    }
}

/// Parses an address, or an object with one.
fn parse_item(item: &Value) -> Result<ListItem, Vec<Fault>> {
    let Some(object) = item.as_object() else {
        return Ok(ListItem { email: email(item)?, attendance: None, weight: None });
    };
    let mut faults = Vec::new();
    let (mut address, mut attendance, mut weight) = (None, None, None);
    for (name, value) in object {
        let parsed = match name.as_str() {
            "email" => email(value).map(|email| address = Some(email)),
            "attendance" => window::attendance(value).map(|it| attendance = Some(it)),
            "weight" => parse_weight(value).map(|it| weight = Some(it)),
            _ => Err(vec![Fault::new(
                "",
                "unknown_field",
                "is not a field of an attendee: use email, attendance and weight",
            )]),
        };
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        faults.extend(parsed.err().into_iter().flatten().map(|fault| fault.under(&pointer)));
    }
    match address {
        Some(email) if faults.is_empty() => Ok(ListItem { email, attendance, weight }),
        None if !object.contains_key("email") => {
            faults.push(Fault::new("/email", "missing", "is required"));
            Err(faults)
        }
        _ => Err(faults),
    }
}

fn parse_weight(value: &Value) -> Result<u32, Vec<Fault>> {
    let weight = value.as_u64().filter(|weight| WEIGHTS.contains(weight)).and_then(|weight| u32::try_from(weight).ok());
    let detail = || format!("must be a whole number from {} to {}", WEIGHTS.start(), WEIGHTS.end());
    weight.ok_or_else(|| vec![Fault::new("", "out_of_range", detail())])
}
