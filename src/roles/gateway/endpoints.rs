//! The gateway's own endpoints. The public endpoints of other roles are in the tables of those roles.

use super::{compat, docs, handlers, sse};
use crate::platform::auth::permissions::Access::{Attendee, Open};
use crate::platform::endpoint::{Endpoint, get, tagged};
use crate::platform::http::health::Report;
use crate::platform::http::openapi::ApiOperation;
use crate::platform::http::openapi::schemas::{Id, Json, Text};
use crate::platform::http::openapi::text;
use crate::platform::http::problem::{NOT_FOUND, UNKNOWN_MEETING};
use crate::platform::probes::THIS_SERVER;
use crate::roles::user::api::meetings::MEETINGS;

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(THIS_SERVER, installation());
    all.extend(tagged(MEETINGS, vec![meeting_events()]));
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
