//! The OpenAPI schemas of requests to the availability role.

use jiff::civil::Date;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::calendar::{Attendance, Zone};
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{Dates, Formatted, Step};
use crate::platform::http::openapi::text;

/// An attendee, with attendance and weight.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedPerson {
    /// The address.
    email: Email,
    /// The default is `required`, or `optional` if there is a quorum.
    #[schema(nullable = false)]
    attendance: Option<Attendance>,
    /// The weight of the attendee in the ranking.
    #[schema(nullable = false, minimum = 1, maximum = 9, default = 1)]
    weight: Option<u32>,
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

/// The treatment of the time before now.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum PastTime {
    /// It counts.
    Include,
}

/// The attendees, in a query.
#[derive(ToSchema)]
pub struct AttendeesInQuery {
    /// An attendee; repeat it for each. The three lists have 2 to 10,000 attendees together.
    #[schema(example = json!(["ana@example.com", "kenji@example.com"]))]
    attendee: Option<Vec<Email>>,
    /// The attendees that must come.
    required: Option<Vec<Email>>,
    /// The attendees that need not come.
    optional: Option<Vec<Email>>,
    /// The number or percentage of attendees that must be free at the same time. Attendees in `attendee` are then optional.
    #[schema(pattern = "^([1-9][0-9]{0,4}|([1-9][0-9]?|100)%)$")]
    quorum: Option<String>,
}

/// The attendees, in a body.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttendeeLists {
    /// The attendees. The three lists have 2 to 10,000 attendees together.
    #[schema(max_items = 10000)]
    attendees: Option<Vec<WantedOne>>,
    /// The attendees that must come.
    #[schema(max_items = 10000)]
    required: Option<Vec<WantedOne>>,
    /// The attendees that need not come.
    #[schema(max_items = 10000)]
    optional: Option<Vec<WantedOne>>,
    /// The attendees in `attendees` are then optional.
    quorum: Option<Quorum>,
}

/// The time to search.
#[derive(ToSchema)]
pub struct Constraints {
    /// Ignores unknown attendees. Without it, they are an error 404.
    unknown: Option<UnknownAttendees>,
    /// Counts the time before now, too. Without it, dates of which the last is today or later are searched from now on. Dates that have all
    /// passed are searched as a whole in any case.
    past: Option<PastTime>,
    /// The earliest time of day, on each attendee's own clock.
    #[schema(pattern = "^([01][0-9]|2[0-3]):(00|15|30|45)$")]
    earliest: Option<String>,
    /// The latest time of day; `24:00` is the end of the day.
    #[schema(pattern = "^(00:(15|30|45)|(0[1-9]|1[0-9]|2[0-3]):(00|15|30|45)|24:00)$")]
    latest: Option<String>,
    /// The time zone of the response. The default is that of the first attendee. `floating` ignores zones, in the typical week.
    time_zone: Option<Zone>,
    /// The date whose UTC offsets apply in a typical week, from 1970 to 2199. The default is today.
    as_of: Option<Date>,
}

/// The attendees and the time to search.
#[derive(ToSchema)]
pub struct AvailabilityQuestion {
    #[serde(flatten)]
    attendees: AttendeeLists,
    #[serde(flatten)]
    constraints: Constraints,
    #[serde(flatten)]
    dates: Dates,
    #[serde(flatten)]
    format: Formatted,
    #[serde(flatten)]
    view: Viewed,
}

/// The resolution of views.
#[derive(ToSchema)]
pub struct Viewed {
    /// Adds a `view` to every attendee: a digit for each period of this many minutes.
    view_minutes: Option<Step>,
}
