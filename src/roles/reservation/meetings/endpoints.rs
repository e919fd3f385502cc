//! The endpoints of meetings.

use serde_json::json;

use super::handlers::*;
use super::participation;
use crate::platform::auth::permissions::Access::{Attendee, Capability, Invited, Organizer, Service, SignedIn};
use crate::platform::endpoint::{Endpoint, delete, get, patch, post, tagged};
use crate::platform::http::openapi::ApiOperation;
use crate::platform::http::openapi::schemas::{Id, Paged, Text};
use crate::platform::http::problem::{NOT_FOUND, UNAUTHORIZED, UNKNOWN_USER, VALIDATION};
use crate::roles::reservation::api::meetings::MEETINGS;
use crate::roles::reservation::api::openapi::{Link, MeetingPatch, NewMeeting, Reply, Whose};
use crate::roles::reservation::api::problems::{MEETING_OVER, SLOT_TAKEN, UNKNOWN_MEETING};
use crate::roles::reservation::api::views::{AcceptedMeeting, Deliveries, MeetingView, Meetings};
use crate::roles::user::api::problems::{TOO_MANY_LETTERS, UNVERIFIED};

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(MEETINGS, [meetings(), invitations()].concat());
    all.extend([
        post("/internal/meetings", SignedIn, record_meeting).body_limit(|limits| limits.internal_body),
        get("/internal/meetings/{id}", Service, find_any_meeting),
        post("/internal/answers", SignedIn, find_stored_response).read_only(),
    ]);
    all
}

fn of_meeting(op: ApiOperation) -> ApiOperation {
    op.path::<Id>("id", "The id of the meeting.", None).refuses(&[NOT_FOUND, UNKNOWN_MEETING])
}

fn create(op: ApiOperation) -> ApiOperation {
    let new = json!({
        "organizer": "ana@example.com", "title": "Plan",
        "attendees": ["emre@example.com", { "email": "priya@example.com", "attendance": "optional" }],
    });
    let op = op
        .about("The response comes at once; a background job does the rest.")
        .takes::<NewMeeting>(Some(new))
        .answers::<AcceptedMeeting<'_>>(202, "Accepted")
        .sends("Location", "The path of the meeting.")
        .sends("ETag", "The version.")
        .sends("Retry-After", "Seconds until the meeting may have a time.");
    let each = ["find_meeting", "change_meeting", "cancel_meeting", "list_deliveries"];
    let op = each.iter().fold(op, |op, id| op.leads_to(id, "id", "$response.body#/id"));
    op.leads_to("find_job", "id", "$response.body#/job_id").refuses(&[UNVERIFIED, TOO_MANY_LETTERS, UNKNOWN_USER])
}

fn meetings() -> Vec<Endpoint> {
    vec![
        get("/api/meetings", SignedIn, list_meetings).describe(
            "list_meetings",
            "Lists meetings, in the order of creation.",
            |op| {
                op.query::<Whose>()
                    .query::<Paged>()
                    .answers::<Meetings<'_>>(200, "A page")
                    .sends("Link", "The next page, as `rel=\"next\"`; absent on the last page.")
            },
        ),
        post("/api/meetings", SignedIn, create_meeting).idempotent().describe(
            "create_meeting",
            "Arranges a meeting: finds a time and sends the invitations.",
            create,
        ),
        get("/api/meetings/{id}", Attendee, find_meeting).describe("find_meeting", "Reads a meeting.", |op| {
            of_meeting(op).answers::<MeetingView<'_>>(200, "The meeting").sends("ETag", "The version.")
        }),
        patch("/api/meetings/{id}", Organizer, change_meeting).describe(
            "change_meeting",
            "Changes a meeting by a merge patch (RFC 7396).",
            |op| {
                of_meeting(op)
                    .if_match()
                    .takes::<MeetingPatch>(Some(json!({ "title": "Plan B" })))
                    .takes_as::<MeetingPatch>("application/merge-patch+json", None)
                    .answers::<MeetingView<'_>>(200, "The meeting after the change")
                    .sends("ETag", "The version.")
                    .refuses(&[UNKNOWN_USER, SLOT_TAKEN, MEETING_OVER, TOO_MANY_LETTERS])
            },
        ),
        delete("/api/meetings/{id}", Organizer, cancel_meeting).describe(
            "cancel_meeting",
            "Cancels a meeting. It can still be read.",
            |op| of_meeting(op).if_match().answer(204, "Cancelled"),
        ),
        get("/api/meetings/{id}/deliveries", Organizer, list_deliveries).describe(
            "list_deliveries",
            "Lists every attempt to deliver an invitation or a callback.",
            |op| of_meeting(op).answers::<Deliveries<'_>>(200, "All attempts"),
        ),
    ]
}

fn invitations() -> Vec<Endpoint> {
    vec![
        get("/api/meetings/{id}/invite.ics", Attendee, download_invitation).describe(
            "download_invitation",
            "Reads a meeting as a calendar.",
            |op| {
                of_meeting(op)
                    .answers_as::<Text>(200, "text/calendar", "The meeting. There is none while it has no time.")
                    .sends("Content-Disposition", "The name of the file.")
            },
        ),
        get("/api/meetings/{id}/participation", Capability, participation::ask).describe(
            "ask_participation",
            "Shows the page behind the link of an invitation.",
            |op| {
                of_meeting(op).query::<Link>().answers_as::<Text>(200, "text/html", "The page").refuses(&[UNAUTHORIZED])
            },
        ),
        post("/api/meetings/{id}/participation", Invited, participation::answer).describe(
            "answer_participation",
            "Replies to an invitation.",
            |op| {
                of_meeting(op)
                    .takes::<Reply>(Some(json!({ "email": "emre@example.com", "participation": "accepted" })))
                    .takes_as::<Reply>("application/x-www-form-urlencoded", None)
                    .answers::<MeetingView<'_>>(
                        200,
                        "The meeting after the reply, or a page for a client that has sent a form",
                    )
                    .also_answers::<Text>("text/html")
                    .refuses(&[UNAUTHORIZED, SLOT_TAKEN, MEETING_OVER, VALIDATION])
            },
        ),
    ]
}
