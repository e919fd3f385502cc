//! The public answer: the common time, how many attendees are free in each hour, and the view of each attendee. Pure.

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::api::Window;
use super::model::{self, GroupAvailability};
use crate::calendar::{
    Attendance, Day, EmptyCode, EmptySearch, Format, FormattedWeek, Grid, Preference, Week, Zone, free_count,
};
use crate::platform::email::Email;

/// The requested form of the answer.
#[derive(Clone, Copy, Default)]
pub struct AnswerFormat {
    /// The format of the typical week.
    pub format: Format,
    /// The quarters of each digit of a view; `None` for no view.
    pub view: Option<usize>,
}

/// The answer.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer<'a> {
    TypicalWeek {
        #[serde(flatten)]
        group: Group<'a>,
        time_zone: &'a str,
        as_of: Date,
        common: Common,
        free_count: FreeCount,
        empty_reason: Option<EmptyReason<'a>>,
    },
    InWindow {
        #[serde(flatten)]
        group: Group<'a>,
        time_zone: &'a str,
        window: Option<Window>,
        periods: Vec<Period>,
        free_count: Vec<HourCount>,
        empty_reason: Option<EmptyReason<'a>>,
    },
}

#[derive(Serialize)]
pub struct Group<'a> {
    attendees: Vec<Attendee<'a>>,
    /// The unknown attendees, if they are skipped.
    #[serde(skip_serializing_if = "<[Email]>::is_empty")]
    unknown: &'a [Email],
    #[serde(skip_serializing_if = "Option::is_none")]
    view_minutes: Option<usize>,
}

#[derive(Serialize)]
pub struct Attendee<'a> {
    email: &'a Email,
    preference: Preference,
    /// `optional`, or absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    attendance: Option<Attendance>,
    /// One digit for each interval: 0 free, 1 if needed, 2 busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<String>,
}

/// A half-open period, as instants in the zone of the answer.
#[derive(Serialize)]
pub struct Period {
    start: String,
    end: String,
}

#[derive(Serialize)]
pub struct HourCount {
    start: String,
    count: u32,
}

/// The number of attendees who are free in each hour of each day.
pub struct FreeCount(Vec<u32>);

/// The common time of a typical week, in the requested format.
pub struct Common(Week, Format);

impl Serialize for Common {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FormattedWeek::new(&self.0, self.1).serialize(serializer)
    }
}

impl Serialize for FreeCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Day::ALL.iter().zip(self.0.chunks(24)).map(|(day, hours)| (day.name(), hours)))
    }
}

/// Why there is no common time.
#[derive(Serialize)]
pub struct EmptyReason<'a> {
    code: EmptyCode,
    detail: String,
    /// The attendees who are never free; empty if only their combination has no time.
    blocking: Vec<&'a Email>,
}

impl GroupAvailability {
    /// The answer in the requested form.
    pub fn answer(&self, format: AnswerFormat) -> Answer<'_> {
        let common = self.common();
        let hours = self.search_window.hours();
        let counts = free_count(&hours, &self.free);
        let time_zone = self.zone.as_ref().map_or("floating", Zone::name);
        let attendees = self.attendees.iter().zip(&self.free);
        let group = Group {
            attendees: attendees.map(|(one, free)| attendee(one, free, format.view)).collect(),
            unknown: &self.unknown,
            view_minutes: format.view.map(|quarters| 15 * quarters),
        };
        let empty_reason = common.is_empty().then(|| self.empty_reason());
        if self.search_window.has_dates() {
            let text = |q| self.search_window.format_quarter(q);
            let periods = common.runs().map(|run| Period { start: text(run.start), end: text(run.end) }).collect();
            let free_count =
                hours.iter().zip(counts).map(|(hour, count)| HourCount { start: text(hour.start), count }).collect();
            Answer::InWindow { group, time_zone, window: self.window, periods, free_count, empty_reason }
        } else {
            let common = Common(Week::from_bytes(&common.to_bytes()).unwrap_or_default(), format.format);
            let free_count = FreeCount(counts);
            Answer::TypicalWeek { group, time_zone, as_of: self.as_of, common, free_count, empty_reason }
        }
    }

    fn empty_reason(&self) -> EmptyReason<'_> {
        let attendees = self.attendees.iter().zip(&self.free);
        let never_free: Vec<&model::Attendee> =
            attendees.filter(|(_, free)| free.is_empty()).map(|(attendee, _)| attendee).collect();
        let required = never_free.iter().filter(|attendee| attendee.is_required());
        let search = EmptySearch {
            starts: self.search_window.len(),
            known: self.attendees.len(),
            required: self.attendees.iter().filter(|attendee| attendee.is_required()).count(),
            unknown: self.unknown.len(),
            quorum: self.quorum,
            never_free: required.map(|attendee| attendee.user.email.as_str()).collect(),
            ..EmptySearch::default()
        };
        let (code, detail) = search.explain();
        let is_blocking = |attendee: &&model::Attendee| self.quorum.is_some() || attendee.is_required();
        let blocking = never_free.into_iter().filter(is_blocking).map(|attendee| &attendee.user.email).collect();
        EmptyReason { code, detail, blocking }
    }
}

fn attendee<'a>(attendee: &'a model::Attendee, free: &Grid, view: Option<usize>) -> Attendee<'a> {
    Attendee {
        email: &attendee.user.email,
        preference: attendee.user.preference,
        attendance: (!attendee.is_required()).then_some(Attendance::Optional),
        view: view.map(|quarters| digits(free, attendee.if_needed.as_ref(), quarters.max(1))),
    }
}

/// One digit for each interval of so many quarters: that of its worst quarter.
fn digits(free: &Grid, if_needed: Option<&Grid>, quarters: usize) -> String {
    let digit = |quarter| match if_needed {
        _ if free.contains(quarter) => '0',
        Some(if_needed) if if_needed.contains(quarter) => '1',
        _ => '2',
    };
    let worst = |start: usize| (start..free.len().min(start + quarters)).map(digit).max().unwrap_or('2');
    (0..free.len()).step_by(quarters).map(worst).collect()
}
