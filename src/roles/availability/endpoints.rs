//! The endpoints of the availability role.

use serde_json::json;

use super::answer::CommonTime;
use super::api::FINDING_TIMES;
use super::api::openapi::{AttendeesInQuery, AvailabilityQuestion, Constraints, Viewed};
use super::free_busy::find_free_busy;
use super::handlers::*;
use crate::platform::auth::permissions::Access::{Open, Owner, Service, SignedIn};
use crate::platform::endpoint::{Endpoint, get, post, tagged};
use crate::platform::http::openapi::schemas::{Dates, Formatted, Text};
use crate::platform::http::problem::UNKNOWN_USER;
use crate::roles::user::api::problems::UNVERIFIED;
use crate::roles::user::api::{USERS, of_user};

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(FINDING_TIMES, public());
    all.extend(tagged(USERS, vec![free_busy()]));
    let detail = post("/internal/availability/detail", Service, find_detail);
    all.extend([get("/health", Open, health), detail.body_limit(|limits| limits.internal_body)]);
    all
}

fn public() -> Vec<Endpoint> {
    vec![
        get("/api/availability", SignedIn, find_common_by_query).body_limit(|limits| limits.list_body).describe(
            "find_common_time",
            "Finds the times when all attendees can meet.",
            |op| {
                op.about("In a typical week, or with `week` or `from` and `to` in a window of dates.")
                    .query::<AttendeesInQuery>()
                    .query::<Constraints>()
                    .query::<Dates>()
                    .query::<Formatted>()
                    .query::<Viewed>()
                    .answers::<CommonTime<'_>>(200, "The common times")
                    .refuses(&[UNVERIFIED, UNKNOWN_USER])
            },
        ),
        post("/api/availability", SignedIn, find_common_by_body)
            .body_limit(|limits| limits.list_body)
            .read_only()
            .describe(
                "find_common_time_of_many",
                "Finds the times when all attendees can meet, for long lists.",
                |op| {
                    let asked =
                        json!({ "attendees": ["ana@example.com", { "email": "priya@example.com", "weight": 2 }] });
                    op.takes::<AvailabilityQuestion>(Some(asked))
                        .answers::<CommonTime<'_>>(200, "The common times")
                        .refuses(&[UNVERIFIED, UNKNOWN_USER])
                },
            ),
    ]
}

fn free_busy() -> Endpoint {
    get("/api/users/{user}/freebusy.ics", Owner, find_free_busy).describe(
        "find_free_busy",
        "Reads when a user is busy, as a calendar: VFREEBUSY (RFC 5545).",
        |op| {
            of_user(op)
                .about("In the user's own time zone; the next 14 days unless dates are given.")
                .query::<Dates>()
                .if_none_match()
                .answers_as::<Text>(200, "text/calendar", "The busy times")
                .sends("ETag", "Changes with the content, not with the time of the request.")
        },
    )
}
