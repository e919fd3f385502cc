//! The gateway's own endpoints. The public endpoints of other roles are in the tables of those roles.

use super::jobs::openapi::{JobListQuery, JobReport, Jobs};
use super::{compat, docs, export, handlers, jobs, sse};
use crate::platform::auth::permissions::Access::{Admin, Attendee, Capability, Open, Person};
use crate::platform::endpoint::{Endpoint, Tag, get, post, tagged};
use crate::platform::http::health::Report;
use crate::platform::http::openapi::ApiOperation;
use crate::platform::http::openapi::schemas::{Id, Json, Paged, Text};
use crate::platform::http::openapi::text;
use crate::platform::http::problem::{JOB_NOT_YOURS, NOT_FOUND, UNAUTHORIZED, UNKNOWN_JOB, UNKNOWN_USER};
use crate::platform::probes::THIS_SERVER;
use crate::roles::reservation::api::meetings::MEETINGS;
use crate::roles::reservation::api::problems::UNKNOWN_MEETING;
use crate::roles::user::api::ACCOUNTS;
use crate::roles::user::api::openapi::jobs::Job;

const JOBS: Tag = Tag { name: "jobs", about: "Background jobs." };

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(THIS_SERVER, installation());
    all.extend(tagged(MEETINGS, vec![meeting_events()]));
    all.extend(tagged(JOBS, job_endpoints()));
    all.extend(tagged(ACCOUNTS, vec![account_export()]));
    all.extend(compat::endpoints());
    all
}

fn plain_text(op: ApiOperation) -> ApiOperation {
    op.answers_as::<Text>(200, "text/plain", "A short text").never_fails()
}

fn installation() -> Vec<Endpoint> {
    vec![
        get("/", Open, handlers::welcome).describe("welcome", "Introduces the API in a few lines.", plain_text),
        get("/health", Open, async || "ok").describe(
            "find_gateway_health",
            "Says that the gateway is running.",
            plain_text,
        ),
        get("/api/health", Open, handlers::health).describe("find_health", "Reports the health of every role.", |op| {
            op.answers::<Report>(200, "The installation works, perhaps without some parts")
                .answers::<Report>(503, "The installation does not work")
                .never_fails()
        }),
        get("/.well-known/security.txt", Open, handlers::security).describe(
            "find_contact",
            "Says where to report a vulnerability (RFC 9116).",
            |op| plain_text(op).refuses(&[NOT_FOUND]),
        ),
        get("/openapi.json", Open, docs::find_description).describe("find_description", "This document.", |op| {
            op.answers::<Json>(200, "OpenAPI 3.1").if_none_match().never_fails()
        }),
        get("/docs", Open, docs::find_page).describe("find_docs", "This document as a web page.", |op| {
            op.answers_as::<Text>(200, "text/html", "The page").never_fails().if_none_match()
        }),
    ]
}

fn account_export() -> Endpoint {
    get("/api/auth/export", Person, export::export_account).describe(
        "export_account",
        "Reads all data of the account.",
        |op| {
            op.answers::<Json>(200, "One document")
                .sends("Content-Disposition", "The name of the file.")
                .refuses(&[UNKNOWN_USER])
        },
    )
}

fn meeting_events() -> Endpoint {
    get("/api/meetings/{id}/events", Attendee, sse::stream_meeting).describe(
        "stream_meeting",
        "Streams a meeting and its changes.",
        |op| {
            op.about("Server-sent events: the data of each event is the meeting, and its id the version. The stream does not end.")
                .path::<Id>("id", "The id of the meeting.", None)
                .header("Last-Event-ID", "The version that the client has already.", text())
                .streams(200, "text/event-stream", "The events")
                .refuses(&[NOT_FOUND, UNKNOWN_MEETING])
        },
    )
}

fn of_job(op: ApiOperation) -> ApiOperation {
    op.path::<Id>("id", "The id of the job.", None).refuses(&[NOT_FOUND, UNKNOWN_JOB])
}

fn job_endpoints() -> Vec<Endpoint> {
    vec![
        get("/api/jobs", Admin, jobs::list_jobs).describe("list_jobs", "Lists jobs, in the order of creation.", |op| {
            op.query::<JobListQuery>()
                .query::<Paged>()
                .answers::<Jobs>(200, "A page")
                .sends("Link", "The next page, as `rel=\"next\"`; absent on the last page.")
        }),
        get("/api/jobs/{id}", Admin, jobs::find_job)
            .describe("find_job", "Reads a job.", |op| of_job(op).answers::<Job>(200, "The job")),
        post("/api/jobs/{id}/retry", Admin, jobs::retry_job).describe(
            "retry_job",
            "Queues a job again that is dead or waits for its next attempt.",
            |op| of_job(op).answers::<Job>(202, "The job is queued").refuses(&[JOB_NOT_YOURS]),
        ),
        post("/api/callbacks/jobs/{id}", Capability, jobs::finish_job).describe(
            "finish_job",
            "Takes the report of a worker, authorized by the token of the job.",
            |op| of_job(op).takes::<JobReport>(None).answer(204, "Recorded").refuses(&[UNAUTHORIZED, JOB_NOT_YOURS]),
        ),
    ]
}
