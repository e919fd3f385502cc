//! The public answer: the common time, how many attendees are free in each hour, and the view of each attendee. Pure.

use jiff::civil::Date;
use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::api::Window;
use super::model::{self, GroupAvailability};
use crate::calendar::{
    Attendance, Day, EmptyCode, EmptySearch, Format, Grid, Preference, Week, Zone, free_count, week_to_json,
};
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas;

/// The requested form of the answer.
#[derive(Clone, Copy, Default)]
pub struct AnswerFormat {
    /// The format of the typical week.
    pub format: Format,
    /// The quarters of each digit of a view; `None` for no view.
    pub view: Option<usize>,
}

/// The time at which all required attendees and the quorum are free.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum CommonTime<'a> {
    /// In the typical week.
    TypicalWeek(CommonWeek<'a>),
    /// In a window of dates.
    InWindow(CommonWindow<'a>),
}

/// The common time of a typical week.
#[derive(Serialize, ToSchema)]
pub struct CommonWeek<'a> {
    #[serde(flatten)]
    group: Group<'a>,
    /// The time zone of the response.
    time_zone: &'a str,
    /// The date whose UTC offsets apply.
    as_of: Date,
    /// The common free time.
    #[schema(value_type = schemas::Week)]
    common: Value,
    /// For each day 24 numbers: attendees that are free for the whole hour.
    free_count: DayCounts,
    /// The reason if there is no common time.
    empty_reason: Option<WhyEmpty<'a>>,
}

/// The common time of a window.
#[derive(Serialize, ToSchema)]
pub struct CommonWindow<'a> {
    #[serde(flatten)]
    group: Group<'a>,
    /// The time zone of the response.
    time_zone: &'a str,
    /// The dates.
    #[schema(nullable = false, required = true)]
    window: Option<Window>,
    /// The common free time.
    periods: Vec<ClockPeriod>,
    /// The attendees that are free, for each hour.
    free_count: Vec<HourCount>,
    /// The reason if there is no common time.
    empty_reason: Option<WhyEmpty<'a>>,
}

/// The attendees of the response.
#[derive(Serialize, ToSchema)]
pub struct Group<'a> {
    /// The attendees of the request.
    attendees: Vec<AttendeeView<'a>>,
    /// The attendees that were ignored.
    #[serde(skip_serializing_if = "<[Email]>::is_empty")]
    unknown: &'a [Email],
    /// As requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    view_minutes: Option<u64>,
}

/// An attendee in the response.
#[derive(Serialize, ToSchema)]
pub struct AttendeeView<'a> {
    /// The address.
    email: &'a Email,
    /// The preferred slot.
    preference: Preference,
    /// `optional`, or absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attendance: Option<Attendance>,
    /// A digit for each period of the window or week: 0 is free, 1 if needed, 2 busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-2]*$")]
    view: Option<String>,
}

/// A half-open period, in the time zone of the response.
#[derive(Serialize, ToSchema)]
pub struct ClockPeriod {
    /// The start.
    #[schema(format = DateTime)]
    start: String,
    /// The end.
    #[schema(format = DateTime)]
    end: String,
}

/// The attendees that are free in an hour.
#[derive(Serialize, ToSchema)]
pub struct HourCount {
    /// The start of the hour.
    #[schema(format = DateTime)]
    start: String,
    /// The number of attendees.
    count: u32,
}

/// The attendees that are free in each hour of each day.
pub struct DayCounts(Vec<u32>);

impl Serialize for DayCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Day::ALL.iter().zip(self.0.chunks(24)).map(|(day, hours)| (day.name(), hours)))
    }
}

impl ToSchema for DayCounts {}

impl PartialSchema for DayCounts {
    fn schema() -> RefOr<Schema> {
        let count = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let day = || ArrayBuilder::new().items(count()).min_items(Some(24)).max_items(Some(24));
        let add = |object: ObjectBuilder, name: &str| object.property(name, day()).required(name);
        Day::ALL.map(Day::name).into_iter().fold(ObjectBuilder::new().schema_type(Type::Object), add).into()
    }
}

/// Why there is no common time.
#[derive(Serialize, ToSchema)]
pub struct WhyEmpty<'a> {
    /// One of the five codes of Microsoft Graph, in snake_case.
    code: EmptyCode,
    /// The reason, for people.
    detail: String,
    /// The attendees that are never free; empty if only their combination has no time.
    blocking: Vec<&'a Email>,
}

impl GroupAvailability {
    /// The answer in the requested form.
    pub fn answer(&self, format: AnswerFormat) -> CommonTime<'_> {
        let common = self.common();
        let hours = self.search_window.hours();
        let counts = free_count(&hours, &self.free);
        let time_zone = self.zone.as_ref().map_or("floating", Zone::name);
        let attendees = self.attendees.iter().zip(&self.free);
        let group = Group {
            attendees: attendees.map(|(one, free)| attendee(one, free, format.view)).collect(),
            unknown: &self.unknown,
            view_minutes: format.view.map(|quarters| 15 * quarters as u64),
        };
        let empty_reason = common.is_empty().then(|| self.empty_reason());
        if self.search_window.has_dates() {
            let text = |q| self.search_window.format_quarter(q);
            let periods = common.runs().map(|run| ClockPeriod { start: text(run.start), end: text(run.end) }).collect();
            let free_count =
                hours.iter().zip(counts).map(|(hour, count)| HourCount { start: text(hour.start), count }).collect();
            let window = self.window;
            CommonTime::InWindow(CommonWindow { group, time_zone, window, periods, free_count, empty_reason })
        } else {
            let common = Week::from_bytes(&common.to_bytes()).unwrap_or_default();
            let common = week_to_json(&common, format.format);
            let (as_of, free_count) = (self.as_of, DayCounts(counts));
            CommonTime::TypicalWeek(CommonWeek { group, time_zone, as_of, common, free_count, empty_reason })
        }
    }

    fn empty_reason(&self) -> WhyEmpty<'_> {
        let attendees = self.attendees.iter().zip(&self.free);
        let never_free: Vec<&model::Attendee> =
            attendees.filter(|(_, free)| free.is_empty()).map(|(attendee, _)| attendee).collect();
        let required = never_free.iter().filter(|attendee| attendee.request.attendance.is_required());
        let search = EmptySearch {
            starts: self.search_window.len(),
            known: self.attendees.len(),
            required: self.attendees.iter().filter(|attendee| attendee.request.attendance.is_required()).count(),
            unknown: self.unknown.len(),
            quorum: self.quorum,
            never_free: required.map(|attendee| attendee.user.email.as_str()).collect(),
            ..EmptySearch::default()
        };
        let (code, detail) = search.explain();
        let is_blocking =
            |attendee: &&model::Attendee| self.quorum.is_some() || attendee.request.attendance.is_required();
        let blocking = never_free.into_iter().filter(is_blocking).map(|attendee| &attendee.user.email).collect();
        WhyEmpty { code, detail, blocking }
    }
}

fn attendee<'a>(attendee: &'a model::Attendee, free: &Grid, view: Option<usize>) -> AttendeeView<'a> {
    AttendeeView {
        email: &attendee.user.email,
        preference: attendee.user.preference,
        attendance: (!attendee.request.attendance.is_required()).then_some(Attendance::Optional),
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
