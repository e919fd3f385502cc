//! The endpoints of imported calendars.

use serde_json::json;

use super::handlers::*;
use crate::platform::auth::permissions::Access::{Owner, Service};
use crate::platform::endpoint::{Endpoint, Tag, delete, get, post, put, tagged};
use crate::platform::http::openapi::ApiOperation;
use crate::platform::http::openapi::schemas::Text;
use crate::roles::user::api::of_user;
use crate::roles::user::api::openapi::{CalendarName, Subscription};
use crate::roles::user::api::problems::UNKNOWN_CALENDAR;

const CALENDARS: Tag = Tag { name: "calendars", about: "Calendars that a user imports from other services." };

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(CALENDARS, public());
    let refresh = post("/internal/jobs/{id}/calendar", Service, refresh_calendar);
    all.push(refresh.body_limit(|limits| limits.internal_body));
    all
}

fn named(op: ApiOperation) -> ApiOperation {
    of_user(op).path::<CalendarName>("name", "The name of the calendar.", None)
}

fn public() -> Vec<Endpoint> {
    vec![
        get("/api/users/{user}/calendars", Owner, list_calendars).describe(
            "list_calendars",
            "Lists a user's imported calendars.",
            |op| of_user(op).answers::<Calendars>(200, "All calendars"),
        ),
        get("/api/users/{user}/calendars/{name}", Owner, find_calendar).describe(
            "find_calendar",
            "Reads the state of an imported calendar.",
            |op| named(op).answers::<Calendar>(200, "The state of the calendar").refuses(&[UNKNOWN_CALENDAR]),
        ),
        put("/api/users/{user}/calendars/{name}", Owner, put_calendar)
            .body_limit(|limits| limits.calendar_body)
            .describe("put_calendar", "Imports a calendar, or subscribes to one.", |op| {
                named(op)
                    .takes::<Subscription>(Some(json!({ "url": "https://calendar.example.com/secret/basic.ics" })))
                    .takes_as::<Text>("text/calendar", None)
                    .answers::<Calendar>(200, "The calendar is replaced")
                    .answers::<Calendar>(201, "The calendar is new")
                    .sends("Location", "The path of the calendar.")
                    .leads_to("find_calendar", "name", "$response.body#/name")
            }),
        delete("/api/users/{user}/calendars/{name}", Owner, delete_calendar).describe(
            "delete_calendar",
            "Deletes an imported calendar.",
            |op| named(op).answer(204, "Deleted").refuses(&[UNKNOWN_CALENDAR]),
        ),
    ]
}
