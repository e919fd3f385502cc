//! Calendars from elsewhere.

use jiff::Timestamp;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::Text;
use crate::platform::http::openapi::{ApiOperation, delete, get, put, text};
use crate::platform::http::problem::{NOT_FOUND, UNKNOWN_CALENDAR, UNKNOWN_USER, VALIDATION};

/// What is known of a calendar from elsewhere; nothing of what stands in it.
#[derive(ToSchema)]
pub struct Calendar {
    name: String,
    kind: CalendarKind,
    /// Of a subscription, where it is published; its path stays a secret.
    origin: Option<String>,
    /// When its text was last known to be the newest.
    refreshed_at: Option<Timestamp>,
    /// Until when its busy times are known.
    known_until: Option<Timestamp>,
    /// How many busy times are known.
    #[schema(minimum = 0)]
    busy_periods: i32,
    /// Why the last look at it failed.
    error: Option<String>,
}

/// How a calendar came.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum CalendarKind {
    /// Handed in.
    File,
    /// A subscription.
    Url,
}

/// The calendars of a user, in the order of their names.
#[derive(ToSchema)]
pub struct Calendars {
    calendars: Vec<Calendar>,
}

/// Where a calendar is published.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// `https:` or `webcal:`, on the public internet.
    #[schema(format = "https-url", max_length = 2048)]
    url: String,
}

/// The name of a calendar.
struct Name;

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        text().pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")).into()
    }
}

fn of_user(op: ApiOperation) -> ApiOperation {
    op.path::<Email>("email", "Whose.", Some("ana@example.com")).refuses(&[NOT_FOUND, UNKNOWN_USER, VALIDATION])
}

fn named(op: ApiOperation) -> ApiOperation {
    of_user(op).path::<Name>("name", "Which.", None)
}

pub fn paths() -> Vec<ApiOperation> {
    vec![
        of_user(get("/api/users/{email}/calendars", "list_calendars", "Lists a user's calendars from elsewhere."))
            .answers::<Calendars>(200, "All of them"),
        named(get("/api/users/{email}/calendars/{name}", "find_calendar", "Says how a calendar from elsewhere does."))
            .answers::<Calendar>(200, "What is known of it")
            .refuses(&[UNKNOWN_CALENDAR]),
        named(put(
            "/api/users/{email}/calendars/{name}",
            "put_calendar",
            "Takes a calendar from elsewhere, or subscribes to one.",
        ))
        .takes::<Subscription>(Some(json!({ "url": "https://calendar.example.com/secret/basic.ics" })))
        .takes_as::<Text>("text/calendar", None)
        .answers::<Calendar>(200, "It replaces one")
        .answers::<Calendar>(201, "It is new")
        .sends("Location", "The path of the calendar.")
        .leads_to("find_calendar", "name", "$response.body#/name"),
        named(delete("/api/users/{email}/calendars/{name}", "delete_calendar", "Forgets a calendar from elsewhere."))
            .answer(204, "Gone")
            .refuses(&[UNKNOWN_CALENDAR]),
    ]
}
