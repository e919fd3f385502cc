//! The schemas that many requests and responses share: addresses, ids, weeks, windows, pages, problems.

use std::borrow::Cow;

use jiff::civil::Date;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, Array, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat,
    SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::text;
use crate::calendar::{Day, Format, Zone};
use crate::platform::email::Email;
use crate::platform::http::path::UserKey;
use crate::platform::http::problem::ProblemType;

impl ToSchema for Email {}

impl PartialSchema for Email {
    fn schema() -> RefOr<Schema> {
        let about =
            "An e-mail address, at most 254 bytes long; the case of its domain and of an ASCII local part is ignored.";
        let pattern = r#"^[^\s@/\\"(),:;<>\[\]]+@[^\s@/]+\.[^\s@/]+$"#;
        let format = SchemaFormat::Custom("idn-email".to_owned());
        text().format(Some(format)).pattern(Some(pattern)).description(Some(about)).into()
    }
}

impl PartialSchema for UserKey {
    fn schema() -> RefOr<Schema> {
        let id = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        Schema::AnyOf(AnyOfBuilder::new().item(Email::schema()).item(id).build()).into()
    }
}

pub use crate::calendar::Zone as TimeZone;

impl ToSchema for Zone {
    fn name() -> Cow<'static, str> {
        "TimeZone".into()
    }
}

impl PartialSchema for Zone {
    fn schema() -> RefOr<Schema> {
        let about = "The name of an IANA time zone, such as `Europe/Lisbon`.";
        let format = SchemaFormat::Custom("time-zone".to_owned());
        text().format(Some(format)).min_length(Some(1)).description(Some(about)).into()
    }
}

/// Defines types that stand for a schema.
macro_rules! schemas {
    ($($(#[$about:meta])+ $name:ident = $schema:expr;)+) => {
        $(
            $(#[$about])+
            pub struct $name;

            impl ToSchema for $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    $schema.into()
                }
            }
        )+
    };
}

schemas! {
    /// The id of a meeting, a job or a key.
    Id = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    /// A week in a request.
    GivenWeek = week("A typical week on the user's wall clock. Absent days are empty.", false, false);
    /// A change of a week.
    ChangedWeek = week("Days to replace, null for days to empty, or a whole week in another form.", false, true);
    /// A week in a response.
    Week = week("A typical week, in the form of the parameter `format`.", true, false);
    /// Dates whose day differs from the week.
    Overrides = overrides("Dates whose day replaces that of the week, in windows.", false);
    /// A change of [`Overrides`].
    ChangedOverrides = overrides("Dates to replace, and null for dates that follow the week again.", true);
    /// A text of 1 to 200 characters on one line.
    Line = {
        // the usual ones of the characters that cannot be seen
        let pattern = r"^[^\x00-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]*[^\s\x00-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff][^\x00-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]*$";
        let about = "A text of 1 to 200 characters on one line.";
        text().min_length(Some(1)).max_length(Some(200)).pattern(Some(pattern)).description(Some(about))
    };
    /// JSON without a schema here.
    Json = ObjectBuilder::new().schema_type(Type::Object);
    /// Text without a schema.
    Text = text();
}

/// The entries of a day: hours and ranges.
fn entries(null: bool) -> Array {
    let hour = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(23));
    let range = text().format(Some(SchemaFormat::Custom("time-range".to_owned()))).min_length(Some(1));
    let range = range.description(Some(
        "`HH:MM-HH:MM` on quarters, `24:00` as an end. In a week, a range over midnight continues on the next day.",
    ));
    let entry = OneOfBuilder::new().item(hour.description(Some("A whole hour."))).item(range);
    let list = ArrayBuilder::new().items(RefOr::T(Schema::from(entry))).max_items(Some(96));
    match null {
        true => list.schema_type(SchemaType::from_iter([Type::Array, Type::Null])).build(),
        false => list.build(),
    }
}

/// The three forms of a week. `whole`: all seven days are present. `null`: a day may be null.
fn week(about: &str, whole: bool, null: bool) -> OneOfBuilder {
    let mut days = ObjectBuilder::new().schema_type(Type::Object);
    for day in Day::ALL.map(Day::name) {
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
        .item(days.description(Some("The hours and ranges of each day.")))
        .item(grid.description(Some("Seven rows of 24 hours, Monday first. 1 is free.")))
        .item(view.description(Some(
            "A digit for each hour or quarter, like Microsoft Graph's availability view. 0 is free.",
        )))
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

/// The form of weeks in a response.
#[derive(ToSchema)]
pub struct Formatted {
    /// The form of weeks in the response.
    #[schema(default = "ranges")]
    pub format: Option<Format>,
}

/// A page of a list.
#[derive(ToSchema)]
pub struct Paged {
    /// The maximum number of items.
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u64>,
    /// The start of the page, from the `Link` header of the previous page.
    pub cursor: Option<Uuid>,
}

/// The dates to search: `week` alone, or `from` and `to` together.
#[derive(ToSchema)]
pub struct Dates {
    /// An ISO week, instead of `from` and `to`.
    #[schema(pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-[Ww](0[1-9]|[1-4][0-9]|5[0-2])$", example = "2026-W48")]
    pub week: Option<String>,
    /// The first date, from 1970 on; needs `to`.
    pub from: Option<Date>,
    /// The last date, at most 62 days in all; needs `from`.
    pub to: Option<Date>,
}

/// The schema of an error (RFC 9457) of these types.
pub fn problem_schema(types: &[&ProblemType]) -> RefOr<Schema> {
    let slugs = types.iter().map(|kind| format!("/problems/{}", kind.slug));
    let kind = text().description(Some("The type of the problem, for programs.")).enum_values(Some(slugs));
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
        .property("detail", text().description(Some("What happened and what to do, for people.")))
        .property("instance", text().description(Some("The path of the request.")))
        .property(
            "case_id",
            text().description(Some("The id of the request. Every log line of the request contains it.")),
        )
        .property("errors", list(Ref::from_schema_name("Fault").into(), "Every fault of the request."))
        .property("unknown", list(text().into(), "The addresses without a user."))
        .property("violated-policies", list(text().into(), "The exceeded rate limits."))
        .property("upstream", text().description(Some("The role or the dependency that failed.")))
        .property("retry_after", seconds)
        .into()
}

/// One fault of a request.
#[derive(ToSchema)]
pub struct Fault {
    /// The place of the value, as a JSON pointer.
    pub pointer: String,
    /// The kind of the fault, for programs.
    pub code: String,
    /// The fault, for people.
    pub detail: String,
}

/// 15, 30 or 60 minutes.
pub struct Step;

impl ToSchema for Step {}

impl PartialSchema for Step {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([15, 30, 60])).into()
    }
}
