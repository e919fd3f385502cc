//! The endpoints of users and their weeks.

use serde_json::json;

use super::export::export;
use super::handlers::*;
use super::model::{PublicUser as User, PublicUsers as Users};
use super::standards::*;
use crate::platform::auth::permissions::Access::{Admin, Invited, Owner, Person};
use crate::platform::endpoint::{Endpoint, delete, get, patch, post, put, tagged};
use crate::platform::http::openapi::schemas::{Formatted, GivenWeek, Paged, Text, Week};
use crate::roles::user::api::openapi::{NewUser, UserPatch, UserProfile};
use crate::roles::user::api::problems::USER_EXISTS;
use crate::roles::user::api::{USERS, of_user};

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(USERS, [users(), one_user(), weeks()].concat());
    all.extend([
        get("/internal/export", Person, export),
        post("/internal/users/lookup", Invited, lookup_users).body_limit(|limits| limits.internal_body).read_only(),
        post("/internal/people", Invited, find_people).body_limit(|limits| limits.internal_body).read_only(),
    ]);
    all
}

fn users() -> Vec<Endpoint> {
    vec![
        get("/api/users", Admin, list_users).describe(
            "list_users",
            "Lists all users, in the order of creation.",
            |op| {
                op.query::<Paged>()
                    .query::<Formatted>()
                    .answers::<Users>(200, "A page")
                    .sends("Link", "The next page, as `rel=\"next\"`; absent on the last page.")
            },
        ),
        post("/api/users", Admin, create_user).idempotent().describe("create_user", "Creates a user.", |op| {
            let new = json!({
                "name": "Mia", "email": "mia@example.com", "time_zone": "Europe/Lisbon",
                "availability": { "monday": [9, 10, "13:30-15:00"] }, "if_needed": { "friday": ["09:00-12:00"] },
            });
            op.query::<Formatted>()
                .takes::<NewUser>(Some(new))
                .answers::<User>(201, "The new user")
                .sends("Location", "The path of the user.")
                .sends("ETag", "The version.")
                .leads_to("find_user", "user", "$response.body#/email")
                .leads_to("update_user", "user", "$response.body#/email")
                .leads_to("delete_user", "user", "$response.body#/email")
                .leads_to("find_availability", "user", "$response.body#/email")
                .refuses(&[USER_EXISTS])
        }),
    ]
}

fn one_user() -> Vec<Endpoint> {
    vec![
        get("/api/users/{user}", Owner, find_user).describe("find_user", "Reads a user.", |op| {
            of_user(op)
                .query::<Formatted>()
                .if_none_match()
                .answers::<User>(200, "The user")
                .sends("ETag", "The version.")
        }),
        patch("/api/users/{user}", Owner, update_user).describe(
            "update_user",
            "Changes a user by a merge patch (RFC 7396).",
            |op| {
                of_user(op)
                    .query::<Formatted>()
                    .if_match()
                    .takes::<UserPatch>(Some(json!({ "preference": "best" })))
                    .takes_as::<UserPatch>("application/merge-patch+json", None)
                    .answers::<User>(200, "The user after the change")
                    .sends("ETag", "The version.")
            },
        ),
        put("/api/users/{user}", Owner, replace_user).describe(
            "replace_user",
            "Replaces a user's profile. What is left out gets its default.",
            |op| {
                let profile =
                    json!({ "name": "Mia", "time_zone": "Europe/Lisbon", "availability": { "monday": [9, 10] } });
                of_user(op)
                    .query::<Formatted>()
                    .if_match()
                    .takes::<UserProfile>(Some(profile))
                    .answers::<User>(200, "The user after the change")
                    .sends("ETag", "The version.")
            },
        ),
        delete("/api/users/{user}", Owner, delete_user).describe(
            "delete_user",
            "Deletes a user and all of the user's data.",
            |op| of_user(op).query::<Formatted>().if_match().answer(204, "Deleted"),
        ),
    ]
}

fn weeks() -> Vec<Endpoint> {
    vec![
        get("/api/users/{user}/availability", Owner, find_availability).describe(
            "find_availability",
            "Reads when a user can meet.",
            |op| {
                of_user(op)
                    .query::<Formatted>()
                    .if_none_match()
                    .answers::<Week>(200, "The typical week")
                    .sends("ETag", "The version of the user.")
            },
        ),
        put("/api/users/{user}/availability", Owner, replace_availability)
            .or_when(is_calendar, replace_availability_by_calendar)
            .describe("replace_availability", "Replaces when a user can meet.", |op| {
                of_user(op)
                    .about("The body may be a calendar: a VAVAILABILITY of `AVAILABLE` parts that repeat weekly (RFC 7953).")
                    .query::<Formatted>()
                    .if_match()
                    .takes::<GivenWeek>(Some(json!({ "monday": [9, 10, "13:30-15:00"] })))
                    .takes_as::<Text>("text/calendar", None)
                    .answers::<Week>(200, "The week after the change")
                    .sends("ETag", "The version of the user.")
            }),
        get("/api/users/{user}/availability.ics", Owner, find_availability_for_calendars).describe(
            "find_availability_for_calendars",
            "Reads a typical week as a calendar: VAVAILABILITY (RFC 7953).",
            |op| {
                of_user(op)
                    .if_none_match()
                    .answers_as::<Text>(200, "text/calendar", "The typical week")
                    .sends("ETag", "The version of the user.")
            },
        ),
    ]
}
