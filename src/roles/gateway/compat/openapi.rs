//! The reference's paths, in OpenAPI.

#![expect(dead_code, reason = "types of the API, which are read and written by hand")]

use jiff::Timestamp;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::health::Report;
use crate::platform::http::openapi::schemas::{ChangedWeek, GivenWeek, Week};
use crate::platform::http::openapi::{ApiOperation, delete, get, post, put};

/// How readers find them.
const TAG: (&str, &str) = ("reference", "The paths of an earlier implementation, for its clients. Take the others.");

/// A user, as the reference has it.
#[derive(ToSchema)]
pub struct ReferenceUser {
    email: Email,
    /// Hours that are wholly free.
    availabilities: Week,
    preferences: Preference,
    created_at: Timestamp,
}

/// A user to be made, as the reference has it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReferenceUser {
    email: Email,
    /// The local part of the address if left out.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    preferences: Option<Preference>,
    availabilities: Option<GivenWeek>,
}

/// What of a user to replace, as the reference has it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceUserPatch {
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    preferences: Option<Preference>,
    availabilities: Option<ChangedWeek>,
}

/// Who is looked up.
#[derive(IntoParams)]
#[into_params(rename_all = "lowercase")]
pub struct One {
    #[param(example = "ana@example.com")]
    user1email: Email,
}

/// Two who want to meet.
#[derive(IntoParams)]
#[into_params(rename_all = "camelCase")]
pub struct Two {
    #[param(example = "ana@example.com")]
    user_id1: Email,
    #[param(example = "emre@example.com")]
    user_id2: Email,
    #[param(inline)]
    preference: Option<Preference>,
}

/// When two can meet.
#[derive(ToSchema)]
pub struct ReferenceCommon {
    /// Hours that are wholly free.
    common_availabilities: Week,
    user1preference: Preference,
    user2preference: Preference,
}

/// Hours in which two could meet.
#[derive(ToSchema)]
pub struct ReferenceSuggestions {
    case_id: String,
    suggestions: Vec<ReferenceSlot>,
}

/// An hour.
#[derive(ToSchema)]
pub struct ReferenceSlot {
    day: String,
    /// The hours at which it begins and ends.
    #[schema(min_items = 2, max_items = 2)]
    slot: Vec<u32>,
}

/// Two who are to meet.
#[derive(ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReferenceTask {
    user_id1: Email,
    user_id2: Email,
    preference: Option<Preference>,
}

/// A meeting that was accepted.
#[derive(ToSchema)]
pub struct ReferenceAccepted {
    case_id: String,
    status: String,
    job_id: String,
    queue: String,
    meeting_id: String,
}

/// An error.
#[derive(ToSchema)]
pub struct ReferenceError {
    case_id: String,
    detail: Vec<ReferenceFault>,
}

/// One fault.
#[derive(ToSchema)]
pub struct ReferenceFault {
    /// Steps that lead to it: names, and places in lists.
    #[schema(value_type = Vec<ReferenceStep>)]
    loc: Vec<ReferenceStep>,
    msg: String,
    r#type: String,
}

/// A step towards a fault.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum ReferenceStep {
    /// A member.
    Name(String),
    /// An item.
    Place(u64),
}

fn refuses(op: ApiOperation, also: &[(u16, &str)]) -> ApiOperation {
    let common = [
        (400, "Not valid"),
        (401, "Not signed in"),
        (403, "Not for this account"),
        (502, "A role failed"),
        (503, "Not just now"),
    ];
    also.iter()
        .chain(&common)
        .fold(op.without_problems(), |op, (status, about)| op.answers::<ReferenceError>(*status, about))
}

fn of_user(op: ApiOperation, also: &[(u16, &str)]) -> ApiOperation {
    let op = op.path::<Email>("email", "Whose.", Some("ana@example.com"));
    refuses(op, &[&[(404, "Nobody has this address")], also].concat())
}

/// How readers find them, and all of them.
pub fn described() -> ((&'static str, &'static str), Vec<ApiOperation>) {
    let health = |path, id| {
        let op = get(path, id, "Says how a role does.").without_problems();
        op.answers::<Report>(200, "It works, if perhaps without something").answers::<Report>(503, "It does not")
    };
    let body = [(413, "Too large"), (415, "No JSON")];
    let created =
        json!({ "email": "noah@example.com", "preferences": "first", "availabilities": { "monday": [9, 10] } });
    let two = json!({ "userId1": "ana@example.com", "userId2": "emre@example.com" });
    let nobody = (404, "One or both are not known");
    let mut ops = vec![
        health("/users/health", "find_user_health"),
        health("/availability/health", "find_availability_health"),
        health("/suggestion/health", "find_suggestion_health"),
        health("/worker/health", "find_worker_health"),
        refuses(post("/users/users", "create_reference_user", "Makes a user."), &body)
            .takes::<NewReferenceUser>(Some(created))
            .answers::<ReferenceUser>(200, "It was there, just so")
            .answers::<ReferenceUser>(201, "Made")
            .answers::<ReferenceError>(409, "It was there, otherwise"),
        of_user(get("/users/users/{email}", "find_reference_user", "Reads a user; also with a slash at the end."), &[])
            .answers::<ReferenceUser>(200, "The user"),
        of_user(put("/users/users/{email}", "replace_reference_user", "Changes what is named of a user."), &body)
            .takes::<ReferenceUserPatch>(Some(json!({ "preferences": "last" })))
            .answers::<ReferenceUser>(200, "As it is now"),
        of_user(delete("/users/users/{email}", "delete_reference_user", "Deletes a user."), &[]).answer(204, "Gone"),
    ];
    for (path, id) in [
        ("/users/users/{email}/availability", "find_reference_availability"),
        ("/users/user-avail/cache-aside/{email}", "find_cached_reference_user"),
    ] {
        ops.push(of_user(get(path, id, "Reads a user."), &[]).answers::<ReferenceUser>(200, "The user"));
    }
    let queried = get("/users/user-avail/cache-aside", "find_reference_user_by_query", "Reads a user.").query::<One>();
    ops.push(refuses(queried, &[(404, "Nobody has this address")]).answers::<ReferenceUser>(200, "The user"));
    for (path, id) in [
        ("/availability/availabilities", "find_reference_common"),
        ("/api/availability/common_availabilities", "find_reference_common_too"),
    ] {
        let op = get(path, id, "Says when two can meet, in whole hours without zones.").query::<Two>();
        ops.push(refuses(op, &[nobody]).answers::<ReferenceCommon>(200, "When they can"));
    }
    let suggestions =
        get("/suggestion/suggestions", "find_reference_suggestions", "Says at which hours two could meet.");
    ops.push(
        refuses(suggestions.query::<Two>(), &[nobody]).answers::<ReferenceSuggestions>(200, "Hours, if there are any"),
    );
    let task = post("/worker/tasks", "create_reference_task", "Has a meeting of two arranged.");
    let task = refuses(task, &[&[nobody, (422, "Not valid")][..], &body].concat()).takes::<ReferenceTask>(Some(two));
    ops.push(task.answers::<ReferenceAccepted>(202, "Accepted"));
    (TAG, ops.into_iter().map(|op| op.deprecated().tagged(TAG.0)).collect())
}
