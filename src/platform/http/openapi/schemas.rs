//! The words that many requests and answers share, as schemas: addresses, ids, weeks, windows, pages, problems.

use jiff::civil::Date;
use utoipa::openapi::schema::{
    AdditionalProperties, Array, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

use super::text;
use crate::platform::email::Email;
use crate::platform::http::problem::ProblemType;

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl ToSchema for Email {}

impl PartialSchema for Email {
    fn schema() -> RefOr<Schema> {
        let about =
            "An e-mail address, at most 254 bytes long; its domain and an ASCII local part are read in any case.";
        text().format(Some(SchemaFormat::Custom("idn-email".to_owned()))).description(Some(about)).into()
    }
}

/// The id of a meeting, a job or a key.
pub struct Id;

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))).into()
    }
}

/// The name of an IANA time zone.
pub struct TimeZone;

impl ToSchema for TimeZone {}

impl PartialSchema for TimeZone {
    fn schema() -> RefOr<Schema> {
        let about = "The name of an IANA time zone, such as `Europe/Lisbon`.";
        text().format(Some(SchemaFormat::Custom("time-zone".to_owned()))).description(Some(about)).into()
    }
}

/// What a day may hold: hours and ranges.
fn entries(null: bool) -> Array {
    let hour = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(23));
    let range = text().format(Some(SchemaFormat::Custom("time-range".to_owned())));
    let range = range.description(Some("`HH:MM-HH:MM` on quarters, `24:00` as an end."));
    let entry = OneOfBuilder::new().item(hour.description(Some("A whole hour."))).item(range);
    let list = ArrayBuilder::new().items(RefOr::T(Schema::from(entry))).max_items(Some(96));
    match null {
        true => list.schema_type(SchemaType::from_iter([Type::Array, Type::Null])).build(),
        false => list.build(),
    }
}

/// The three forms of a week. `whole`: all seven days are there. `null`: days may be taken away.
fn week(about: &str, whole: bool, null: bool) -> RefOr<Schema> {
    let mut days = ObjectBuilder::new().schema_type(Type::Object);
    for day in DAYS {
        days = days.property(day, entries(null));
        if whole {
            days = days.required(day);
        }
    }
    let days = days.additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let cell = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(1));
    let row = ArrayBuilder::new().items(cell).min_items(Some(24)).max_items(Some(24));
    let grid = ArrayBuilder::new().items(RefOr::T(Schema::from(row))).min_items(Some(7)).max_items(Some(7));
    let view = text().pattern(Some("^([0-4]{168}|[0-4]{672})$"));
    OneOfBuilder::new()
        .description(Some(about))
        .item(days.description(Some("Per day its hours and ranges.")))
        .item(grid.description(Some("Seven rows, Monday first, of 24 hours: 1 is free.")))
        .item(view.description(Some("A digit for each hour or quarter, as Microsoft Graph's views: 0 is free.")))
        .into()
}

/// A week as it is given.
pub struct GivenWeek;

impl ToSchema for GivenWeek {}

impl PartialSchema for GivenWeek {
    fn schema() -> RefOr<Schema> {
        week("A typical week on its user's wall clock; days left out are empty.", false, false)
    }
}

/// A change of a week.
pub struct ChangedWeek;

impl ToSchema for ChangedWeek {}

impl PartialSchema for ChangedWeek {
    fn schema() -> RefOr<Schema> {
        week("Days to be replaced, a null day to be emptied, or a whole week in another form.", false, true)
    }
}

/// A week as it is answered.
pub struct Week;

impl ToSchema for Week {}

impl PartialSchema for Week {
    fn schema() -> RefOr<Schema> {
        week("A typical week, in the form that `format` asks for.", true, false)
    }
}

fn overrides(about: &str, null: bool) -> ObjectBuilder {
    let date = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(about))
        .property_names(Some(Schema::from(date)))
        .additional_properties(Some(Schema::Array(entries(null))))
        .max_properties(Some(366))
}

/// Dates that are not like others.
pub struct Overrides;

impl ToSchema for Overrides {}

impl PartialSchema for Overrides {
    fn schema() -> RefOr<Schema> {
        overrides("Dates whose day replaces the week's, in windows.", false).into()
    }
}

/// A change of [`Overrides`].
pub struct ChangedOverrides;

impl ToSchema for ChangedOverrides {}

impl PartialSchema for ChangedOverrides {
    fn schema() -> RefOr<Schema> {
        overrides("Dates to be replaced; one that is null is like others again.", true).into()
    }
}

/// How weeks are written in the answer.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
pub enum Format {
    /// Merged ranges.
    Ranges,
    /// Hours that are wholly free.
    Hours,
    /// Seven rows of 24.
    Grid,
    /// 168 digits.
    View,
    /// 672 digits.
    ViewQuarters,
}

/// The form of a week in an answer.
#[derive(IntoParams)]
pub struct Formatted {
    /// How weeks are written.
    #[param(inline, default = "ranges")]
    pub format: Option<Format>,
}

/// A page of a list.
#[derive(IntoParams)]
pub struct Paged {
    /// How many at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u64>,
    /// Where to go on: as the `Link` header of the page before says it.
    pub cursor: Option<Uuid>,
}

/// The dates that are searched: `week` alone, or `from` and `to` together.
#[derive(IntoParams)]
pub struct Dates {
    /// An ISO week; instead of `from` and `to`.
    #[param(pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-W(0[1-9]|[1-4][0-9]|5[0-2])$", example = "2026-W48")]
    pub week: Option<String>,
    /// The first date, from 1970 on; needs `to`.
    pub from: Option<Date>,
    /// The last date, at most 62 days in all; needs `from`.
    pub to: Option<Date>,
}

/// A window of dates.
#[derive(ToSchema)]
pub struct Window {
    /// The first date.
    pub from: Date,
    /// The last date.
    pub to: Date,
}

/// JSON that is described elsewhere.
pub struct Json;

impl ToSchema for Json {}

impl PartialSchema for Json {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Object).into()
    }
}

/// Text in a format of its own.
pub struct Text;

impl ToSchema for Text {}

impl PartialSchema for Text {
    fn schema() -> RefOr<Schema> {
        text().into()
    }
}

/// The schema of an error (RFC 9457) of these types.
pub fn problem_schema(types: &[&ProblemType]) -> RefOr<Schema> {
    let slugs = types.iter().map(|kind| format!("/problems/{}", kind.slug));
    let kind = text().description(Some("What went wrong: branch on it.")).enum_values(Some(slugs));
    let list = |of: RefOr<Schema>, about: &str| ArrayBuilder::new().items(of).description(Some(about));
    let status = ObjectBuilder::new().schema_type(Type::Integer).description(Some("The HTTP status."));
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).description(Some("As `Retry-After`."));
    let object = ObjectBuilder::new().schema_type(Type::Object).description(Some("An error (RFC 9457)."));
    let object =
        ["type", "title", "status", "detail", "instance", "case_id"].iter().fold(object, |o, it| o.required(*it));
    object
        .property("type", kind)
        .property("title", text().description(Some("The same for every occurrence.")))
        .property("status", status)
        .property("detail", text().description(Some("What happened, and what to do; for people.")))
        .property("instance", text().description(Some("The path of the request.")))
        .property("case_id", text().description(Some("Stands in every log line of the request.")))
        .property("errors", list(Ref::from_schema_name("Fault").into(), "Every fault of the request."))
        .property("unknown", list(text().into(), "The addresses that no user has."))
        .property("violated-policies", list(text().into(), "The limits that are used up."))
        .property("upstream", text().description(Some("The part that failed.")))
        .property("retry_after", seconds)
        .into()
}

/// One fault of a request.
#[derive(ToSchema)]
pub struct Fault {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What, for programs.
    pub code: String,
    /// What, for people.
    pub detail: String,
}
