//! The OpenAPI schemas of the availability role.

use jiff::civil::Date;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{Format, TimeZone, Week, Window};
use crate::platform::http::openapi::text;

/// Whether somebody must come.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum WantedAttendance {
    /// Not without them.
    Required,
    /// If it suits them.
    Optional,
}

/// One who is wanted, and how much.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedPerson {
    /// Who.
    pub email: Email,
    /// Whether they must come: `required`, unless there is a quorum.
    #[schema(nullable = false)]
    pub attendance: Option<WantedAttendance>,
    /// How much their coming counts.
    #[schema(nullable = false, minimum = 1, maximum = 9, default = 1)]
    pub weight: Option<u32>,
}

/// One who is wanted.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum WantedOne {
    /// Who.
    Address(Email),
    /// Who, and how much.
    Person(WantedPerson),
}

/// How many must be free at once.
pub struct Quorum;

impl ToSchema for Quorum {}

impl PartialSchema for Quorum {
    fn schema() -> RefOr<Schema> {
        let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(10_000));
        let part = text().pattern(Some("^([1-9][0-9]?|100)%$"));
        OneOfBuilder::new().description(Some("How many, or a percentage.")).item(count).item(part).into()
    }
}

/// What unknown attendees do.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum UnknownAttendees {
    /// They are left out.
    Skip,
}

/// Who is asked about, and when: in a query.
#[derive(IntoParams)]
pub struct Asked {
    /// Who is to come, once for each; 2 to 10,000 in all three lists.
    #[param(example = json!(["ana@example.com", "kenji@example.com"]))]
    pub attendee: Option<Vec<Email>>,
    /// Who must come.
    pub required: Option<Vec<Email>>,
    /// Who need not.
    pub optional: Option<Vec<Email>>,
    /// How many must be free at once, a number or a percentage; who is named in `attendee` alone need not come then.
    #[param(pattern = "^([1-9][0-9]{0,4}|([1-9][0-9]?|100)%)$")]
    pub quorum: Option<String>,
    /// Leaves out whom nobody knows, instead of 404.
    #[param(inline)]
    pub unknown: Option<UnknownAttendees>,
    /// Nothing before it, on each attendee's own clock.
    #[param(pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$")]
    pub earliest: Option<String>,
    /// Nothing after it; `24:00` is the end of the day.
    #[param(pattern = "^(00:(15|30|45)|(0[1-9]|1[0-9]|2[0-3]):(00|15|30|45)|24:00)$")]
    pub latest: Option<String>,
    /// The clock of the answer, the first attendee's if left out; `floating` ignores zones, in the typical week.
    pub time_zone: Option<TimeZone>,
    /// The date whose UTC offsets count in a typical week, from 1970 to 2199; today if left out.
    pub as_of: Option<Date>,
}

/// Who is asked about, and when.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AvailabilityQuestion {
    /// Who is to come; 2 to 10,000 in all three lists.
    #[schema(max_items = 10000)]
    pub attendees: Option<Vec<WantedOne>>,
    /// Who must come.
    #[schema(max_items = 10000)]
    pub required: Option<Vec<WantedOne>>,
    /// Who need not.
    #[schema(max_items = 10000)]
    pub optional: Option<Vec<WantedOne>>,
    /// Who is named in `attendees` alone need not come then.
    pub quorum: Option<Quorum>,
    /// Leaves out whom nobody knows, instead of 404.
    pub unknown: Option<UnknownAttendees>,
    /// Nothing before it, on each attendee's own clock.
    #[schema(pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$")]
    pub earliest: Option<String>,
    /// Nothing after it; `24:00` is the end of the day.
    #[schema(pattern = "^(00:(15|30|45)|(0[1-9]|1[0-9]|2[0-3]):(00|15|30|45)|24:00)$")]
    pub latest: Option<String>,
    /// The clock of the answer, the first attendee's if left out; `floating` ignores zones, in the typical week.
    pub time_zone: Option<TimeZone>,
    /// The date whose UTC offsets count in a typical week, from 1970 to 2199; today if left out.
    pub as_of: Option<Date>,
    /// An ISO week, instead of the typical week.
    #[schema(pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-W(0[1-9]|[1-4][0-9]|5[0-2])$")]
    pub week: Option<String>,
    /// The first date; with `to`.
    pub from: Option<Date>,
    /// The last date, at most 62 days in all; with `from`.
    pub to: Option<Date>,
    /// How a typical week is written.
    pub format: Option<Format>,
    /// Gives every attendee a `view`, a digit for so many minutes.
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

/// How long a digit of a view is.
#[derive(IntoParams)]
pub struct Viewed {
    /// Gives every attendee a `view`, a digit for so many minutes.
    #[param(inline)]
    pub view_minutes: Option<Step>,
}

/// When all who must come are free, and the quorum.
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
    /// Who was asked about.
    pub attendees: Vec<Asker>,
    /// Who was left out.
    #[schema(required = false)]
    pub unknown: Vec<Email>,
    /// As asked for.
    #[schema(required = false)]
    pub view_minutes: u64,
    /// Whose clock it is.
    pub time_zone: String,
    /// The date whose offsets count.
    pub as_of: Date,
    /// When it is.
    pub common: Week,
    /// Per day 24 numbers: people free in all of the hour.
    pub free_count: DayCounts,
    /// Why there is none.
    pub empty_reason: Option<WhyEmpty>,
}

/// The common time of a window.
#[derive(ToSchema)]
pub struct CommonWindow {
    /// Who was asked about.
    pub attendees: Vec<Asker>,
    /// Who was left out.
    #[schema(required = false)]
    pub unknown: Vec<Email>,
    /// As asked for.
    #[schema(required = false)]
    pub view_minutes: u64,
    /// Whose clock it is.
    pub time_zone: String,
    /// The dates.
    pub window: Window,
    /// When it is.
    pub periods: Vec<ClockPeriod>,
    /// People free in each hour that the clock shows.
    pub free_count: Vec<HourCount>,
    /// Why there is none.
    pub empty_reason: Option<WhyEmpty>,
}

/// Half-open, on the clock of the answer.
#[derive(ToSchema)]
pub struct ClockPeriod {
    /// When it begins.
    #[schema(format = DateTime)]
    pub start: String,
    /// When it is over.
    #[schema(format = DateTime)]
    pub end: String,
}

/// People free in an hour.
#[derive(ToSchema)]
pub struct HourCount {
    /// When the hour begins.
    #[schema(format = DateTime)]
    pub start: String,
    /// How many.
    pub count: u32,
}

/// People free in each hour of each day.
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

/// One who was asked about.
#[derive(ToSchema)]
pub struct Asker {
    /// Who.
    pub email: Email,
    /// Which slot they like.
    pub preference: Preference,
    /// `optional`, or left out.
    #[schema(required = false)]
    pub attendance: WantedAttendance,
    /// A digit for each stretch of the window or week: 0 free, 1 if needed, 2 busy.
    #[schema(required = false, pattern = "^[0-2]*$")]
    pub view: String,
}

/// Why there is no common time.
#[derive(ToSchema)]
pub struct WhyEmpty {
    /// One of Microsoft Graph's five, in snake_case.
    pub code: EmptyCode,
    /// The same, for people.
    pub detail: String,
    /// Who is never free.
    pub blocking: Vec<Email>,
}

/// Why there is no time.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum EmptyCode {
    /// Not enough of them can at once.
    AttendeesUnavailable,
    /// As before, and those who were skipped might have been enough.
    AttendeesUnavailableOrUnknown,
    /// The organizer must come, and never can.
    OrganizerUnavailable,
    /// Nobody's fault.
    Unknown,
    /// Reserved.
    LocationsUnavailable,
}
