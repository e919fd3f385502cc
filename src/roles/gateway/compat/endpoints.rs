//! The endpoints of the legacy API.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde_json::json;

use super::requests::{NewReferenceUser, ReferenceTask, ReferenceUserPatch, TwoUsersQuery, UserQuery};
use super::responses::{ReferenceAccepted, ReferenceCommon, ReferenceError, ReferenceSuggestions, ReferenceUser};
use super::{
    Peers, create_task, create_user, delete_user, find_common, find_suggestions, find_user, find_user_by_query,
    replace_user, role_health,
};
use crate::platform::auth::permissions::Access::{Open, SignedIn};
use crate::platform::endpoint::{Endpoint, Tag, delete, get, post, put, tagged};
use crate::platform::http::extract::UserKey;
use crate::platform::http::health::Report;
use crate::platform::http::openapi::ApiOperation;

const REFERENCE: Tag =
    Tag { name: "reference", about: "The paths of an earlier implementation, for its clients. Use the other paths." };

/// The roles that are called decide what the caller may see and change.
pub fn endpoints() -> Vec<Endpoint> {
    let all = [health(), users(), searches()].concat();
    tagged(REFERENCE, all.into_iter().map(Endpoint::deprecated).collect())
}

fn fails(op: ApiOperation, also: &[(StatusCode, &str)]) -> ApiOperation {
    let common = [
        (StatusCode::BAD_REQUEST, "Not valid"),
        (StatusCode::UNAUTHORIZED, "Not signed in"),
        (StatusCode::FORBIDDEN, "Not allowed for this account"),
        (StatusCode::BAD_GATEWAY, "A role failed"),
        (StatusCode::URI_TOO_LONG, "The URL is too long"),
        (StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable"),
    ];
    let all = also.iter().chain(&common);
    all.fold(op.errors_as::<ReferenceError>(), |op, (status, about)| {
        op.answers::<ReferenceError>(status.as_u16(), about)
    })
}

fn of_user(op: ApiOperation, also: &[(StatusCode, &str)]) -> ApiOperation {
    let op = op.path::<UserKey>("user", "The user's address or id.", Some("ana@example.com"));
    fails(op, &[&[(StatusCode::NOT_FOUND, "No user has this address")], also].concat())
}

/// The failures of a request with a body.
const BODY: [(StatusCode, &str); 2] =
    [(StatusCode::PAYLOAD_TOO_LARGE, "Too large"), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not JSON")];
const UNKNOWN: (StatusCode, &str) = (StatusCode::NOT_FOUND, "One user or both are unknown");

fn health() -> Vec<Endpoint> {
    let about: fn(ApiOperation) -> ApiOperation = |op| {
        op.errors_as::<ReferenceError>()
            .answers::<Report>(200, "The role works, perhaps without some parts")
            .answers::<Report>(503, "The role does not work")
    };
    let all = [
        ("/users/health", "find_user_health", "user"),
        ("/availability/health", "find_availability_health", "availability"),
        ("/suggestion/health", "find_suggestion_health", "suggestion"),
        ("/worker/health", "find_worker_health", "worker"),
    ];
    let endpoint = |(path, id, role)| {
        let handler = move |peers: Data<Peers>| role_health(role, peers);
        get(path, Open, handler).describe(id, "Reports the health of a role.", about)
    };
    all.map(endpoint).into()
}

fn users() -> Vec<Endpoint> {
    let read = |op: ApiOperation| of_user(op, &[]).answers::<ReferenceUser>(200, "The user");
    vec![
        post("/users/users", SignedIn, create_user).describe("create_reference_user", "Creates a user.", |op| {
            let new =
                json!({ "email": "noah@example.com", "preferences": "first", "availabilities": { "monday": [9, 10] } });
            fails(op, &BODY)
                .takes::<NewReferenceUser>(Some(new))
                .answers::<ReferenceUser>(200, "The user exists already, with the same values")
                .answers::<ReferenceUser>(201, "The new user")
                .answers::<ReferenceError>(409, "The user exists already, with other values")
        }),
        get("/users/users/{user}", SignedIn, find_user).describe("find_reference_user", "Reads a user.", read),
        put("/users/users/{user}", SignedIn, replace_user).describe(
            "replace_reference_user",
            "Changes the given fields of a user.",
            |op| {
                of_user(op, &BODY)
                    .takes::<ReferenceUserPatch>(Some(json!({ "preferences": "last" })))
                    .answers::<ReferenceUser>(200, "The user after the change")
            },
        ),
        delete("/users/users/{user}", SignedIn, delete_user).describe(
            "delete_reference_user",
            "Deletes a user.",
            |op| of_user(op, &[]).answer(204, "Deleted"),
        ),
        get("/users/users/{user}/availability", SignedIn, find_user).describe(
            "find_reference_availability",
            "Reads a user.",
            read,
        ),
        get("/users/user-avail/cache-aside/{user}", SignedIn, find_user).describe(
            "find_cached_reference_user",
            "Reads a user.",
            read,
        ),
        get("/users/user-avail/cache-aside", SignedIn, find_user_by_query).describe(
            "find_reference_user_by_query",
            "Reads a user.",
            |op| {
                fails(op.query::<UserQuery>(), &[(StatusCode::NOT_FOUND, "No user has this address")])
                    .answers::<ReferenceUser>(200, "The user")
            },
        ),
        // another spelling, which is not described
        get("/users/user-avail/cache_aside/{user}", SignedIn, find_user),
        get("/users/user-avail/cache_aside", SignedIn, find_user_by_query),
    ]
}

fn searches() -> Vec<Endpoint> {
    let common = |op: ApiOperation| {
        fails(op.query::<TwoUsersQuery>(), &[UNKNOWN]).answers::<ReferenceCommon>(200, "The common times")
    };
    let summary = "Finds when two users can meet, in whole hours without time zones.";
    vec![
        get("/availability/availabilities", SignedIn, find_common).describe("find_reference_common", summary, common),
        get("/api/availability/common_availabilities", SignedIn, find_common).describe(
            "find_reference_common_too",
            summary,
            common,
        ),
        get("/suggestion/suggestions", SignedIn, find_suggestions).describe(
            "find_reference_suggestions",
            "Finds the hours in which two users could meet.",
            |op| {
                fails(op.query::<TwoUsersQuery>(), &[UNKNOWN])
                    .answers::<ReferenceSuggestions>(200, "The hours. The list is empty if there is none.")
            },
        ),
        post("/worker/tasks", SignedIn, create_task).describe(
            "create_reference_task",
            "Arranges a meeting of two users.",
            |op| {
                let two = json!({ "userId1": "ana@example.com", "userId2": "emre@example.com" });
                let also = [&[UNKNOWN, (StatusCode::UNPROCESSABLE_ENTITY, "Not valid")][..], &BODY].concat();
                fails(op, &also).takes::<ReferenceTask>(Some(two)).answers::<ReferenceAccepted<'_>>(202, "Accepted")
            },
        ),
    ]
}
