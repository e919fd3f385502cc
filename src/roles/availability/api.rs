//! What other roles see of the availability role: its name, its wire types, and a client that speaks them.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calendar::{Fault, Frame, Preference, WindowError, YEARS, Zone};
use crate::platform::call::Call;
use crate::platform::email::Email;
use crate::platform::extract::{Fields, email, parsed};
use crate::platform::peer::Peer;
use crate::platform::problem::Problem;
use crate::platform::role::Context;
pub use crate::platform::window::Window;
use crate::platform::window::date;

/// Its name in the table of roles.
pub const ROLE: &str = "availability";

/// How many may be asked about at once.
const ATTENDEES: std::ops::RangeInclusive<usize> = 2..=10_000;
/// RFC 5545 calls a time without a zone floating: everybody's wall clock as it stands.
const FLOATING: &str = "floating";

/// Who is to meet, and when it is looked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Each once.
    pub attendees: Vec<Email>,
    /// The zone of the answer; the first attendee's if it is left out.
    pub time_zone: Option<Place>,
    /// The day whose offsets count between zones in a typical week; today if it is left out.
    pub as_of: Option<Date>,
    /// The dates searched; the typical week if they are left out.
    pub window: Option<Window>,
    /// In dates: nothing before this instant. Nobody outside asks so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// Where an answer's clock hangs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In this zone.
    Zone(Zone),
    /// Nowhere: zones are ignored.
    Floating,
}

/// What is known of every attendee, over one frame.
#[derive(Debug, Serialize, Deserialize)]
pub struct Detail {
    /// In the order they were asked for.
    pub attendees: Vec<Presence>,
    /// The zone of the answer; none when it floats.
    pub time_zone: Option<Zone>,
    /// The day whose offsets count.
    pub as_of: Date,
    /// The dates searched; none for the typical week.
    pub window: Option<Window>,
    /// The same for the same users at the same versions.
    pub data_version: String,
}

/// One attendee's time.
#[derive(Debug, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub email: Email,
    /// Which slot they like.
    pub preference: Preference,
    /// The frame's quarters in which they are free, packed as `Grid::to_text`.
    pub free: String,
    /// Those in which they could be, if it must be; none if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_needed: Option<String>,
}

impl Question {
    /// Reads it from a request. Faults stay in `fields`.
    pub fn read(fields: &mut Fields) -> Option<Question> {
        let attendees = fields.required("attendees", attendees);
        let time_zone = fields.optional("time_zone", |value| match value.as_str() {
            Some(FLOATING) => Ok(Place::Floating),
            _ => parsed("not_a_time_zone", Zone::parse)(value).map(Place::Zone),
        });
        let as_of = fields.optional("as_of", |value| {
            let detail = "must be a date from 1970 to 2199";
            let inside = |date: &Date| YEARS.contains(&date.year());
            date(value).and_then(|date| {
                inside(&date).then_some(date).ok_or_else(|| vec![Fault::new("", "not_a_date", detail)])
            })
        });
        let window = Window::read(fields);
        if window.is_some() && (as_of.is_some() || matches!(time_zone, Some(Place::Floating))) {
            let detail = "as_of and floating belong to the typical week: leave them out, or leave out the dates";
            fields.fault(Fault::new("#/time_zone", "window_and_week", detail));
        }
        Some(Question { attendees: attendees?, time_zone, as_of, window, not_before: None })
    }
}

/// A list of addresses, as texts or as objects with an `email`; who stands there twice counts once.
fn attendees(value: &Value) -> Result<Vec<Email>, Vec<Fault>> {
    let list =
        value.as_array().ok_or_else(|| vec![Fault::new("", "not_a_list", "must be a list of e-mail addresses")])?;
    if !ATTENDEES.contains(&list.len()) {
        let detail = format!("must name {} to {} attendees, not {}", ATTENDEES.start(), ATTENDEES.end(), list.len());
        return Err(vec![Fault::new("", "number_of_attendees", detail)]);
    }
    let mut faults = Vec::new();
    let mut seen = HashSet::with_capacity(list.len());
    let mut attendees = Vec::with_capacity(list.len());
    for (at, item) in list.iter().enumerate() {
        let named = item.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("email"));
        match email(named.unwrap_or(item)) {
            Ok(email) if seen.insert(email.clone()) => attendees.push(email),
            Ok(_) => {}
            Err(wrong) => faults.extend(wrong.into_iter().map(|fault| fault.under(&format!("/{at}")))),
        }
    }
    if faults.is_empty() { Ok(attendees) } else { Err(faults) }
}

impl Detail {
    /// The frame that its grids lie in.
    ///
    /// # Errors
    /// A window that is none.
    pub fn frame(&self) -> Result<Frame, WindowError> {
        frame(self.time_zone.clone(), self.as_of, self.window)
    }
}

/// The frame of a question whose open ends are settled.
///
/// # Errors
/// A window that is none.
pub fn frame(zone: Option<Zone>, as_of: Date, window: Option<Window>) -> Result<Frame, WindowError> {
    match window {
        Some(Window { from, to }) => Frame::window(zone.unwrap_or_else(Zone::utc), from, to),
        None => Ok(Frame::typical_week(zone, as_of)),
    }
}

/// A client of the availability role.
#[derive(Clone)]
pub struct Availabilities(Peer);

impl Availabilities {
    /// For one worker thread.
    pub fn new(context: &Context) -> Availabilities {
        Availabilities(Peer::new(context, ROLE))
    }

    /// The peer behind it.
    pub fn peer(&self) -> &Peer {
        &self.0
    }

    /// What is known of every attendee.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn detail(&self, question: &Question) -> Result<Detail, Problem> {
        self.0.call(Call::ask("/internal/availability/detail", question)?).await
    }
}
