//! The OpenAPI schemas of the availability role.

use jiff::civil::Date;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{Format, TimeZone, Week, Window};
use crate::platform::http::openapi::text;

/// Whether an attendee must come.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum WantedAttendance {
    /// The meeting needs this attendee.
    Required,
    /// The attendee is welcome, but not needed.
    Optional,
}

/// An attendee, with attendance and weight.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedPerson {
    /// The address.
    pub email: Email,
    /// The default is `required`, or `optional` if there is a quorum.
    #[schema(nullable = false)]
    pub attendance: Option<WantedAttendance>,
    /// The weight of the attendee in the ranking.
    #[schema(nullable = false, minimum = 1, maximum = 9, default = 1)]
    pub weight: Option<u32>,
}

/// An attendee.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum WantedOne {
    /// An address.
    Address(Email),
    /// An address with attendance and weight.
    Person(WantedPerson),
}

/// The number of attendees that must be free at the same time.
pub struct Quorum;

impl ToSchema for Quorum {}

impl PartialSchema for Quorum {
    fn schema() -> RefOr<Schema> {
        let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(10_000));
        let part = text().pattern(Some("^([1-9][0-9]?|100)%$"));
        OneOfBuilder::new().description(Some("A number of attendees, or a percentage.")).item(count).item(part).into()
    }
}

/// The treatment of unknown attendees.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum UnknownAttendees {
    /// They are ignored.
    Skip,
}

/// The attendees and the time to search, in a query.
#[derive(IntoParams)]
pub struct Asked {
    /// An attendee; repeat it for each. The three lists have 2 to 10,000 attendees together.
    #[param(example = json!(["ana@example.com", "kenji@example.com"]))]
    pub attendee: Option<Vec<Email>>,
    /// The attendees that must come.
    pub required: Option<Vec<Email>>,
    /// The attendees that need not come.
    pub optional: Option<Vec<Email>>,
    /// The number or percentage of attendees that must be free at the same time. Attendees in `attendee` are then optional.
    #[param(pattern = "^([1-9][0-9]{0,4}|([1-9][0-9]?|100)%)$")]
    pub quorum: Option<String>,
    /// Ignores unknown attendees. Without it, they are an error 404.
    #[param(inline)]
    pub unknown: Option<UnknownAttendees>,
    /// The earliest time of day, on each attendee's own clock.
    #[param(pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$")]
    pub earliest: Option<String>,
    /// The latest time of day; `24:00` is the end of the day.
    #[param(pattern = "^(00:(15|30|45)|(0[1-9]|1[0-9]|2[0-3]):(00|15|30|45)|24:00)$")]
    pub latest: Option<String>,
    /// The time zone of the response. The default is that of the first attendee. `floating` ignores zones, in the typical week.
    pub time_zone: Option<TimeZone>,
    /// The date whose UTC offsets apply in a typical week, from 1970 to 2199. The default is today.
    pub as_of: Option<Date>,
}

/// The attendees and the time to search.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AvailabilityQuestion {
    /// The attendees. The three lists have 2 to 10,000 attendees together.
    #[schema(max_items = 10000)]
    pub attendees: Option<Vec<WantedOne>>,
    /// The attendees that must come.
    #[schema(max_items = 10000)]
    pub required: Option<Vec<WantedOne>>,
    /// The attendees that need not come.
    #[schema(max_items = 10000)]
    pub optional: Option<Vec<WantedOne>>,
    /// The attendees in `attendees` are then optional.
    pub quorum: Option<Quorum>,
    /// Ignores unknown attendees. Without it, they are an error 404.
    pub unknown: Option<UnknownAttendees>,
    /// The earliest time of day, on each attendee's own clock.
    #[schema(pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$")]
    pub earliest: Option<String>,
    /// The latest time of day; `24:00` is the end of the day.
    #[schema(pattern = "^(00:(15|30|45)|(0[1-9]|1[0-9]|2[0-3]):(00|15|30|45)|24:00)$")]
    pub latest: Option<String>,
    /// The time zone of the response. The default is that of the first attendee. `floating` ignores zones, in the typical week.
    pub time_zone: Option<TimeZone>,
    /// The date whose UTC offsets apply in a typical week, from 1970 to 2199. The default is today.
    pub as_of: Option<Date>,
    /// An ISO week, instead of the typical week.
    #[schema(pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-W(0[1-9]|[1-4][0-9]|5[0-2])$")]
    pub week: Option<String>,
    /// The first date; needs `to`.
    pub from: Option<Date>,
    /// The last date, at most 62 days in all; needs `from`.
    pub to: Option<Date>,
    /// The form of a typical week.
    pub format: Option<Format>,
    /// Adds a `view` to every attendee: a digit for each period of this many minutes.
    pub view_minutes: Option<Step>,
}

/// 15, 30 or 60 minutes.
pub struct Step;

impl ToSchema for Step {}

impl PartialSchema for Step {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([15, 30, 60])).into()
    }
}

/// The resolution of views.
#[derive(IntoParams)]
pub struct Viewed {
    /// Adds a `view` to every attendee: a digit for each period of this many minutes.
    #[param(inline)]
    pub view_minutes: Option<Step>,
}

/// The time at which all required attendees and the quorum are free.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum CommonTime {
    /// In the typical week.
    TypicalWeek(CommonWeek),
    /// In a window of dates.
    Window(CommonWindow),
}

/// The common time of a typical week.
#[derive(ToSchema)]
pub struct CommonWeek {
    /// The attendees of the request.
    pub attendees: Vec<AttendeeView>,
    /// The attendees that were ignored.
    #[schema(required = false)]
    pub unknown: Vec<Email>,
    /// As requested.
    #[schema(required = false)]
    pub view_minutes: u64,
    /// The time zone of the response.
    pub time_zone: String,
    /// The date whose UTC offsets apply.
    pub as_of: Date,
    /// The common free time.
    pub common: Week,
    /// For each day 24 numbers: attendees that are free for the whole hour.
    pub free_count: DayCounts,
    /// The reason if there is no common time.
    pub empty_reason: Option<WhyEmpty>,
}

/// The common time of a window.
#[derive(ToSchema)]
pub struct CommonWindow {
    /// The attendees of the request.
    pub attendees: Vec<AttendeeView>,
    /// The attendees that were ignored.
    #[schema(required = false)]
    pub unknown: Vec<Email>,
    /// As requested.
    #[schema(required = false)]
    pub view_minutes: u64,
    /// The time zone of the response.
    pub time_zone: String,
    /// The dates.
    pub window: Window,
    /// The common free time.
    pub periods: Vec<ClockPeriod>,
    /// The attendees that are free, for each hour.
    pub free_count: Vec<HourCount>,
    /// The reason if there is no common time.
    pub empty_reason: Option<WhyEmpty>,
}

/// A half-open period, in the time zone of the response.
#[derive(ToSchema)]
pub struct ClockPeriod {
    /// The start.
    #[schema(format = DateTime)]
    pub start: String,
    /// The end.
    #[schema(format = DateTime)]
    pub end: String,
}

/// The attendees that are free in an hour.
#[derive(ToSchema)]
pub struct HourCount {
    /// The start of the hour.
    #[schema(format = DateTime)]
    pub start: String,
    /// The number of attendees.
    pub count: u32,
}

/// The attendees that are free in each hour of each day.
pub struct DayCounts;

impl ToSchema for DayCounts {}

impl PartialSchema for DayCounts {
    fn schema() -> RefOr<Schema> {
        let count = || ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let day = || ArrayBuilder::new().items(count()).min_items(Some(24)).max_items(Some(24));
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let object = ObjectBuilder::new().schema_type(Type::Object);
        days.iter().fold(object, |object, name| object.property(*name, day()).required(*name)).into()
    }
}

/// An attendee in the response.
#[derive(ToSchema)]
pub struct AttendeeView {
    /// The address.
    pub email: Email,
    /// The preferred slot.
    pub preference: Preference,
    /// `optional`, or absent.
    #[schema(required = false)]
    pub attendance: WantedAttendance,
    /// A digit for each period of the window or week: 0 is free, 1 if needed, 2 busy.
    #[schema(required = false, pattern = "^[0-2]*$")]
    pub view: String,
}

/// Why there is no common time.
#[derive(ToSchema)]
pub struct WhyEmpty {
    /// One of the five codes of Microsoft Graph, in snake_case.
    pub code: EmptyCode,
    /// The reason, for people.
    pub detail: String,
    /// The attendees that are never free.
    pub blocking: Vec<Email>,
}

/// Why there is no time.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum EmptyCode {
    /// Too few attendees are free at the same time.
    AttendeesUnavailable,
    /// Too few attendees are free at the same time; with the ignored ones there may be enough.
    AttendeesUnavailableOrUnknown,
    /// The organizer must come, and is never free.
    OrganizerUnavailable,
    /// No attendee is the cause.
    Unknown,
    /// Reserved.
    LocationsUnavailable,
}
