//! Meetings.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

use super::jobs::{Job, JobKind};
use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{Id, Paged, Text, TimeZone, Window};
use crate::platform::http::openapi::{ApiOperation, Schemas, delete, get, patch, post};
use crate::platform::http::problem::{
    MEETING_OVER, NOT_FOUND, SLOT_TAKEN, TOO_MANY_LETTERS, UNAUTHORIZED, UNKNOWN_MEETING, UNKNOWN_USER, UNVERIFIED,
    VALIDATION,
};
use crate::roles::user::api::jobs::DeliveryOutcome;
use crate::roles::user::api::meetings::{Attendance, Participation, Status};

/// A meeting.
#[derive(ToSchema)]
pub struct Meeting {
    id: Uuid,
    status: Status,
    title: String,
    organizer: Email,
    attendees: Vec<Attendee>,
    duration_minutes: u32,
    pick: Option<Preference>,
    seed: Option<u64>,
    time_zone: TimeZone,
    /// The dates searched, if they were given.
    window: Option<Window>,
    /// On the clock of `time_zone`.
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    /// Why it is as it is.
    reason: Option<String>,
    callback_url: Option<String>,
    /// Which revision the attendees are told (RFC 5545, SEQUENCE).
    sequence: i64,
    /// What it was before.
    history: Vec<Passed>,
    /// Grows with every change; the `ETag`.
    #[schema(minimum = 1)]
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A state that a meeting was in.
#[derive(ToSchema)]
pub struct Passed {
    status: Status,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A meeting that was accepted.
#[derive(ToSchema)]
pub struct AcceptedMeeting {
    #[serde(flatten)]
    meeting: Meeting,
    /// What signs callbacks; told only here.
    #[schema(required = false, nullable = false)]
    callback_secret: Option<String>,
    /// What looks for the time.
    #[schema(required = false, nullable = false)]
    job_id: Option<Uuid>,
}

/// One who is asked to come.
#[derive(ToSchema)]
pub struct Attendee {
    email: Email,
    attendance: Attendance,
    participation: Participation,
}

/// A page of meetings, in the order of creation.
#[derive(ToSchema)]
pub struct Meetings {
    meetings: Vec<Meeting>,
}

/// One who is to be asked.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Invited {
    /// One without whom it cannot be.
    Address(Email),
    /// One of whom more is said.
    Person(InvitedPerson),
}

/// One who is to be asked, and whether it must be.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitedPerson {
    email: Email,
    /// `required` if left out.
    attendance: Option<Attendance>,
}

/// A meeting to be arranged.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMeeting {
    /// Who calls it, and comes too.
    organizer: Email,
    /// Who else is to come.
    #[schema(min_items = 1, max_items = 500)]
    attendees: Vec<Invited>,
    /// `Meeting` if left out; on one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    title: Option<String>,
    /// 60 if left out.
    #[schema(minimum = 15, maximum = 1440, multiple_of = 15)]
    duration_minutes: Option<u64>,
    /// By the attendees' own preferences if left out.
    pick: Option<Preference>,
    /// Makes `random` repeatable.
    #[schema(maximum = 9007199254740991i64)]
    seed: Option<u64>,
    /// Whose dates are meant; the organizer's if left out.
    time_zone: Option<TimeZone>,
    /// The dates searched, as an ISO week; without dates, the next 14 days.
    #[schema(pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-W(0[1-9]|[1-4][0-9]|5[0-2])$")]
    week: Option<String>,
    /// The first date searched; with `to`.
    from: Option<Date>,
    /// The last date searched, at most 62 days in all; with `from`.
    to: Option<Date>,
    /// The time itself, instead of dates.
    start: Option<Timestamp>,
    /// Where to be told what becomes of it: `https:`, on the public internet.
    #[schema(format = "https-url", max_length = 2048)]
    callback_url: Option<String>,
    /// What is to sign callbacks: `whsec_` and the base64 of 24 to 64 bytes.
    #[schema(format = "webhook-secret")]
    callback_secret: Option<String>,
}

/// What of a meeting to change.
pub struct MeetingPatch;

impl ToSchema for MeetingPatch {
    fn schemas(schemas: &mut Schemas) {
        NewMeeting::schemas(schemas);
    }
}

impl PartialSchema for MeetingPatch {
    fn schema() -> RefOr<Schema> {
        let mut patch = NewMeeting::schema();
        if let RefOr::T(Schema::Object(patch)) = &mut patch {
            let about =
                "What to change (RFC 7396); the organizer stays. An empty patch looks again where there was no time.";
            patch.description = Some(about.to_owned());
            patch.required.clear();
        }
        patch
    }
}

/// Every attempt to reach somebody outside, and the jobs that made them.
#[derive(ToSchema)]
pub struct Deliveries {
    deliveries: Vec<Delivery>,
    jobs: Vec<Job>,
}

/// An attempt to reach somebody outside.
#[derive(ToSchema)]
pub struct Delivery {
    id: Uuid,
    job_id: Uuid,
    kind: JobKind,
    /// A mailbox or a URL.
    target: String,
    attempt: i32,
    outcome: DeliveryOutcome,
    /// What was answered.
    detail: String,
    at: Timestamp,
}

/// Whether somebody comes.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    email: Email,
    participation: ReplyWord,
    /// As the link in the invitation has it.
    key: Option<String>,
}

/// What somebody says.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum ReplyWord {
    /// Yes.
    Accepted,
    /// Perhaps.
    Tentative,
    /// No.
    Declined,
}

/// Which meetings are listed.
#[derive(IntoParams)]
pub struct Whose {
    /// Only those that this user is asked to come to.
    pub attendee: Option<Email>,
}

/// What a link in an invitation says.
#[derive(IntoParams)]
pub struct Link {
    /// Who answers.
    pub email: Email,
    /// Proof of that.
    pub key: Option<String>,
    /// The answer that is made ready.
    #[param(inline)]
    pub answer: Option<ReplyWord>,
}

fn of_meeting(op: ApiOperation) -> ApiOperation {
    op.path::<Id>("id", "Which.", None).refuses(&[NOT_FOUND, UNKNOWN_MEETING])
}

pub fn paths() -> Vec<ApiOperation> {
    let new = json!({
        "organizer": "ana@example.com", "attendees": ["emre@example.com", { "email": "priya@example.com", "attendance": "optional" }],
        "title": "Plan",
    });
    let accepted = post("/api/meetings", "create_meeting", "Has a meeting arranged: a time found, and letters sent.")
        .about("It is answered at once; the rest happens in the background.")
        .once()
        .takes::<NewMeeting>(Some(new))
        .answers::<AcceptedMeeting>(202, "Accepted")
        .sends("Location", "The path of the meeting.")
        .sends("ETag", "Its version.")
        .sends("Retry-After", "Seconds after which to look.")
        .refuses(&[UNVERIFIED, TOO_MANY_LETTERS]);
    let each = ["find_meeting", "change_meeting", "cancel_meeting", "list_deliveries"];
    let accepted = each.iter().fold(accepted, |op, id| op.leads_to(id, "id", "$response.body#/id"));
    let accepted = accepted.leads_to("find_job", "id", "$response.body#/job_id").refuses(&[UNKNOWN_USER]);
    vec![
        get("/api/meetings", "list_meetings", "Lists meetings, in the order of creation.")
            .query::<Whose>()
            .query::<Paged>()
            .answers::<Meetings>(200, "A page")
            .sends("Link", "The next page, as `rel=\"next\"`; left out on the last."),
        accepted,
        of_meeting(get("/api/meetings/{id}", "find_meeting", "Reads a meeting."))
            .answers::<Meeting>(200, "The meeting")
            .sends("ETag", "Its version."),
        of_meeting(patch("/api/meetings/{id}", "change_meeting", "Changes a meeting by a merge patch (RFC 7396)."))
            .if_match()
            .takes::<MeetingPatch>(Some(json!({ "title": "Plan B" })))
            .takes_as::<MeetingPatch>("application/merge-patch+json", None)
            .answers::<Meeting>(200, "As it is now")
            .sends("ETag", "Its version.")
            .refuses(&[UNKNOWN_USER, SLOT_TAKEN, MEETING_OVER, TOO_MANY_LETTERS]),
        of_meeting(delete("/api/meetings/{id}", "cancel_meeting", "Calls a meeting off; it stays to be read."))
            .if_match()
            .answer(204, "Called off"),
        of_meeting(get("/api/meetings/{id}/deliveries", "list_deliveries", "Lists every attempt to reach somebody."))
            .answers::<Deliveries>(200, "All of them"),
        of_meeting(get("/api/meetings/{id}/invite.ics", "download_invitation", "Reads a meeting as a calendar."))
            .answers_as::<Text>(200, "text/calendar", "The meeting; while it has no time, there is none")
            .sends("Content-Disposition", "The name of a file."),
        of_meeting(get(
            "/api/meetings/{id}/participation",
            "ask_participation",
            "Shows the page behind an invitation.",
        ))
        .query::<Link>()
        .answers_as::<Text>(200, "text/html", "The page")
        .refuses(&[UNAUTHORIZED]),
        of_meeting(post("/api/meetings/{id}/participation", "answer_participation", "Says whether somebody comes."))
            .takes::<Reply>(Some(json!({ "email": "emre@example.com", "participation": "accepted" })))
            .takes_as::<Reply>("application/x-www-form-urlencoded", None)
            .answers::<Meeting>(200, "The meeting now, or to a form the page")
            .also_answers::<Text>("text/html")
            .refuses(&[UNAUTHORIZED, SLOT_TAKEN, MEETING_OVER, VALIDATION]),
    ]
}
