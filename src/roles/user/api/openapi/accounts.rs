//! Users and their weeks.

use jiff::Timestamp;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{
    ChangedOverrides, ChangedWeek, Dates, Formatted, GivenWeek, Overrides, Paged, Text, TimeZone, Week,
};
use crate::platform::http::openapi::{ApiOperation, delete, get, patch, post, put};
use crate::platform::http::problem::{NOT_FOUND, UNKNOWN_USER, USER_EXISTS, VALIDATION};

/// Somebody who can be asked to a meeting.
#[derive(ToSchema)]
pub struct User {
    id: Uuid,
    email: Email,
    name: String,
    time_zone: TimeZone,
    preference: Preference,
    /// When they can meet.
    availability: Week,
    /// When they could, if it must be.
    if_needed: Week,
    overrides: Overrides,
    /// Grows with every change; the `ETag`.
    #[schema(minimum = 1)]
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A page of users, in the order of creation.
#[derive(ToSchema)]
pub struct Users {
    users: Vec<User>,
}

/// A user to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    email: Email,
    /// What letters call them; on one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// `UTC` if left out.
    time_zone: Option<TimeZone>,
    /// `first` if left out.
    preference: Option<Preference>,
    /// When they can meet; never if left out.
    availability: Option<GivenWeek>,
    /// When they could, if it must be.
    if_needed: Option<GivenWeek>,
    overrides: Option<Overrides>,
}

/// What of a user to change (RFC 7396): what is left out stays, and null is the default again.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    time_zone: Option<TimeZone>,
    preference: Option<Preference>,
    availability: Option<ChangedWeek>,
    if_needed: Option<ChangedWeek>,
    overrides: Option<ChangedOverrides>,
}

fn of_user(op: ApiOperation) -> ApiOperation {
    op.path::<Email>("email", "Whose.", Some("ana@example.com")).refuses(&[NOT_FOUND, UNKNOWN_USER, VALIDATION])
}

pub fn paths() -> Vec<ApiOperation> {
    users().into_iter().chain(weeks()).collect()
}

fn users() -> Vec<ApiOperation> {
    let new = json!({
        "name": "Mia", "email": "mia@example.com", "time_zone": "Europe/Lisbon",
        "availability": { "monday": [9, 10, "13:30-15:00"] }, "if_needed": { "friday": ["09:00-12:00"] },
    });
    vec![
        get("/api/users", "list_users", "Lists all users, in the order of creation.")
            .query::<Paged>()
            .query::<Formatted>()
            .answers::<Users>(200, "A page")
            .sends("Link", "The next page, as `rel=\"next\"`; left out on the last."),
        post("/api/users", "create_user", "Makes a user.")
            .query::<Formatted>()
            .once()
            .takes::<NewUser>(Some(new))
            .answers::<User>(201, "Made")
            .sends("Location", "The path of the user.")
            .sends("ETag", "Its version.")
            .leads_to("find_user", "email", "$response.body#/email")
            .leads_to("update_user", "email", "$response.body#/email")
            .leads_to("delete_user", "email", "$response.body#/email")
            .leads_to("find_availability", "email", "$response.body#/email")
            .refuses(&[USER_EXISTS]),
        of_user(get("/api/users/{email}", "find_user", "Reads a user."))
            .query::<Formatted>()
            .if_none_match()
            .answers::<User>(200, "The user")
            .sends("ETag", "Its version."),
        of_user(patch("/api/users/{email}", "update_user", "Changes a user by a merge patch (RFC 7396)."))
            .query::<Formatted>()
            .if_match()
            .takes::<UserPatch>(Some(json!({ "preference": "best" })))
            .takes_as::<UserPatch>("application/merge-patch+json", None)
            .answers::<User>(200, "As it is now")
            .sends("ETag", "Its version."),
        of_user(delete("/api/users/{email}", "delete_user", "Deletes a user, and all of theirs."))
            .query::<Formatted>()
            .if_match()
            .answer(204, "Gone"),
    ]
}

fn weeks() -> Vec<ApiOperation> {
    vec![
        of_user(get("/api/users/{email}/availability", "find_availability", "Reads when a user can meet."))
            .query::<Formatted>()
            .if_none_match()
            .answers::<Week>(200, "Their week")
            .sends("ETag", "The version of the user."),
        of_user(put("/api/users/{email}/availability", "replace_availability", "Replaces when a user can meet."))
            .about("A calendar may come instead: a VAVAILABILITY of `AVAILABLE` parts that repeat weekly (RFC 7953).")
            .query::<Formatted>()
            .if_match()
            .takes::<GivenWeek>(Some(json!({ "monday": [9, 10, "13:30-15:00"] })))
            .takes_as::<Text>("text/calendar", None)
            .answers::<Week>(200, "Their week now")
            .sends("ETag", "The version of the user."),
        of_user(get(
            "/api/users/{email}/availability.ics",
            "find_availability_for_calendars",
            "Reads a typical week as a calendar: VAVAILABILITY (RFC 7953).",
        ))
        .if_none_match()
        .answers_as::<Text>(200, "text/calendar", "Their week")
        .sends("ETag", "The version of the user."),
        of_user(get(
            "/api/users/{email}/freebusy.ics",
            "find_free_busy",
            "Reads when a user is busy, as a calendar: VFREEBUSY (RFC 5545).",
        ))
        .about("On the user's own clock; the next 14 days, unless dates are given.")
        .query::<Dates>()
        .if_none_match()
        .answers_as::<Text>(200, "text/calendar", "Why they are not free, and when")
        .sends("ETag", "Of what it says, not of when."),
    ]
}
