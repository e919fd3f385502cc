//! A question to availability: the attendees, and the time to search.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::attendees::{RequestedAttendee, parse_attendees};
use super::constraints;
use crate::calendar::{Attendance, Fault, YEARS, Zone};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, parsed};
use crate::platform::http::window::{Window, date, is_past};

/// The RFC 5545 word for wall-clock time without a zone.
const FLOATING: &str = "floating";

/// The attendees, and the time to search.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Question {
    /// The attendees, each once.
    pub attendees: Vec<RequestedAttendee>,
    /// The zone of the answer; the first attendee's if absent.
    pub time_zone: Option<AnswerZone>,
    /// The date whose UTC offsets count in a typical week; today if absent.
    pub as_of: Option<Date>,
    /// The dates to search; the typical week if absent.
    pub window: Option<Window>,
    /// In dates: no time before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// In dates: a meeting whose time counts as free. Only other roles set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Uuid>,
    /// Whether the answer has the busy time of each attendee. Only other roles set it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_busy: bool,
    /// The hours of the day, in each attendee's own zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// How many of all attendees must be able to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<usize>,
    /// Whether unknown attendees are skipped, instead of refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_unknown: bool,
}

/// The time zone of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerZone {
    /// All times are in this zone.
    Zone(Zone),
    /// Zones are ignored: each attendee's wall clock counts as it stands.
    Floating,
}

/// The part of the day to search, in each attendee's own zone: minutes since midnight, on quarters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// No slot starts before it.
    pub earliest: Option<u16>,
    /// No slot ends after it.
    pub latest: Option<u16>,
}

impl Question {
    /// Parses a request. Faults stay in `params`. The `organizer` is an attendee too: the first one, unless the request lists
    /// them elsewhere, and required, unless the request says otherwise. In dates that have not passed, no time before `now` counts,
    /// unless the request includes it.
    pub fn parse(params: &mut Params, organizer: Option<&Email>, now: Timestamp) -> Option<Question> {
        // with a quorum, plain attendees are optional
        let default_attendance = if params.has("quorum") { Attendance::Optional } else { Attendance::Required };
        let attendees = parse_attendees(params, default_attendance, organizer);
        let quorum = constraints::quorum(params, attendees.as_ref().map(Vec::len));
        let skip_unknown = constraints::skip_unknown(params);
        let time_zone = params.optional("time_zone", |value| match value.as_str() {
            Some(FLOATING) => Ok(AnswerZone::Floating),
            _ => parsed("not_a_time_zone", Zone::parse)(value).map(AnswerZone::Zone),
        });
        let as_of = params.optional("as_of", |value| {
            let detail = "must be a date from 1970 to 2199";
            let is_inside = |date: &Date| YEARS.contains(&date.year());
            date(value).and_then(|date| {
                is_inside(&date).then_some(date).ok_or_else(|| vec![Fault::new("", "not_a_date", detail)])
            })
        });
        let window = Window::read(params);
        if window.is_some() && (as_of.is_some() || matches!(time_zone, Some(AnswerZone::Floating))) {
            let detail = "as_of and floating are for the typical week: leave them out, or leave out the dates";
            params.fault(Fault::new("#/time_zone", "window_and_week", detail));
        }
        let include_past = constraints::include_past(params);
        if include_past && window.is_none() {
            params.fault(Fault::new("#/past", "no_window", "is for dates: give from and to, or a week"));
        }
        let zone = match &time_zone {
            Some(AnswerZone::Zone(zone)) => Some(zone),
            _ => None,
        };
        // nothing that is over is offered; dates that have passed are answered as they were
        let from_now = window.filter(|dates| !include_past && !is_past(*dates, zone, now));
        let hours = constraints::hours(params);
        Some(Question {
            attendees: attendees?,
            time_zone,
            as_of,
            window,
            not_before: from_now.map(|_| now),
            except: None,
            with_busy: false,
            hours,
            quorum,
            skip_unknown,
        })
    }

    /// The addresses of all attendees.
    pub fn emails(&self) -> Vec<Email> {
        self.attendees.iter().map(|one| one.email.clone()).collect()
    }

    /// The addresses of the optional attendees.
    pub fn optional_emails(&self) -> Vec<Email> {
        let optional = self.attendees.iter().filter(|one| one.attendance == Attendance::Optional);
        optional.map(|one| one.email.clone()).collect()
    }
}
