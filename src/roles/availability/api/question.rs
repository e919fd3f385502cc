//! A question as other roles and callers ask it: who is wanted, and when it is looked for.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::reading;
use super::wanted::{RequestedAttendee, wanted};
use crate::calendar::{Attendance, Fault, YEARS, Zone};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, parsed};
use crate::platform::http::window::{Window, date};

/// RFC 5545 calls a time without a zone floating: everybody's wall clock as it stands.
const FLOATING: &str = "floating";

/// Who is to meet, and when it is looked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Question {
    /// Each once.
    pub attendees: Vec<RequestedAttendee>,
    /// The zone of the answer; the first attendee's if it is left out.
    pub time_zone: Option<AnswerZone>,
    /// The day whose offsets count between zones in a typical week; today if it is left out.
    pub as_of: Option<Date>,
    /// The dates searched; the typical week if they are left out.
    pub window: Option<Window>,
    /// In dates: nothing before this instant. Nobody outside asks so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The hours of everybody's own day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// How many must be able to come, of all who are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<usize>,
    /// Whether those whom nobody knows are left out, instead of being refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_unknown: bool,
}

/// Where an answer's clock hangs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerZone {
    /// In this zone.
    Zone(Zone),
    /// Nowhere: zones are ignored.
    Floating,
}

/// The part of a day that is searched, on each attendee's own clock: minutes since midnight, on quarters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Nothing begins before it.
    pub earliest: Option<u16>,
    /// Nothing ends after it.
    pub latest: Option<u16>,
}

impl Question {
    /// Reads it from a request. Faults stay in `fields`. An `organizer` comes too, first if the request does not name them
    /// elsewhere, and must, whatever the quorum, unless the request says otherwise.
    pub fn read(fields: &mut Params, organizer: Option<&Email>) -> Option<Question> {
        // whoever names a number does not care who they are
        let unsaid = if fields.has("quorum") { Attendance::Optional } else { Attendance::Required };
        let attendees = wanted(fields, unsaid, organizer);
        let quorum = reading::quorum(fields, attendees.as_ref().map(Vec::len));
        let skip_unknown = reading::skip_unknown(fields);
        let time_zone = fields.optional("time_zone", |value| match value.as_str() {
            Some(FLOATING) => Ok(AnswerZone::Floating),
            _ => parsed("not_a_time_zone", Zone::parse)(value).map(AnswerZone::Zone),
        });
        let as_of = fields.optional("as_of", |value| {
            let detail = "must be a date from 1970 to 2199";
            let inside = |date: &Date| YEARS.contains(&date.year());
            date(value).and_then(|date| {
                inside(&date).then_some(date).ok_or_else(|| vec![Fault::new("", "not_a_date", detail)])
            })
        });
        let window = Window::read(fields);
        if window.is_some() && (as_of.is_some() || matches!(time_zone, Some(AnswerZone::Floating))) {
            let detail = "as_of and floating belong to the typical week: leave them out, or leave out the dates";
            fields.fault(Fault::new("#/time_zone", "window_and_week", detail));
        }
        let hours = reading::hours(fields);
        Some(Question {
            attendees: attendees?,
            time_zone,
            as_of,
            window,
            not_before: None,
            hours,
            quorum,
            skip_unknown,
        })
    }

    /// The addresses of all who are wanted.
    pub fn emails(&self) -> Vec<Email> {
        self.attendees.iter().map(|one| one.email.clone()).collect()
    }

    /// The addresses of those who need not come.
    pub fn optional(&self) -> Vec<Email> {
        let optional = self.attendees.iter().filter(|one| one.attendance == Attendance::Optional);
        optional.map(|one| one.email.clone()).collect()
    }
}
