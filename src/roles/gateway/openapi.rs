//! The description of the whole public API: what the roles say of their paths, and the gateway's own.

use utoipa::PartialSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::LicenseBuilder;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder};

use crate::config::AuthMode;
use crate::platform::auth::permissions::{Match, RULES, Rule, Table};
use crate::platform::http::health::Report;
use crate::platform::http::openapi::schemas::{Fault, Id, Json, Problem, Text};
use crate::platform::http::openapi::{ApiOperation, get, refusal, text};
use crate::platform::http::problem::{KINDS, NOT_FOUND, UNAVAILABLE, UNKNOWN_MEETING};
use crate::roles::{availability, suggestion, user};

/// A group of paths, and what it is about.
type Tag = (&'static str, &'static str);

const TAGS: [Tag; 7] = [
    ("finding times", "When a group can meet, and which slot is best."),
    ("meetings", "Finding the time, inviting, telling."),
    ("accounts", "Signing in, where callers must."),
    ("users", "Who there is, and when they can meet."),
    ("calendars", "A user's calendars from elsewhere."),
    ("jobs", "What happens in the background."),
    ("this server", "How it does, and what it is."),
];

/// The document for this mode of access; `guests` are paths that only this role knows, who may take them, and how readers find
/// them.
pub fn document(mode: AuthMode, (tag, guests): (Tag, Vec<ApiOperation>), rules: &'static [Rule]) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new();
    let table = Table::new(RULES.iter().chain(rules), "");
    for mut op in ops().into_iter().chain(guests) {
        if mode != AuthMode::Open {
            op = op.limited();
        }
        // where access is open, nobody is asked, but about their own account
        if mode != AuthMode::Open || op.path.starts_with("/api/auth/") {
            op = match table.find(op.verb, op.path) {
                Match::Rule(who, _) => op.for_whom(who),
                _ => op,
            };
        }
        components = components.schemas_from_iter(std::mem::take(&mut op.schemas));
        paths = paths.path(op.path, utoipa::openapi::PathItem::new(op.method.clone(), op.build()));
    }
    for kind in KINDS {
        components = components.response(kind.slug, refusal(&[kind]));
    }
    let case = text().pattern(Some("^[A-Za-z0-9._~-]{1,64}$"));
    let case = HeaderBuilder::new().schema(Some(case)).description(Some("Stands in every log line of the request."));
    let about = "An access token of `/api/auth/login`, or an API key.";
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about));
    let header = |about| HeaderBuilder::new().schema(Some(text())).description(Some(about)).build();
    let components = components
        .header("Case-ID", case.build())
        .header("RateLimit", header("What is left of the limit that is nearest, and when it is whole again."))
        .header("RateLimit-Policy", header("The limits: how many, in how many seconds."))
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .schema("Problem", Problem::schema())
        .schema("Fault", Fault::schema());
    let described = |(name, about): Tag| TagBuilder::new().name(name).description(Some(about)).build();
    let about = "Who can meet when, which slot is best, and why. Every answer carries `Case-ID`; unknown fields are refused; \
                 HEAD is answered wherever GET is.";
    let info = InfoBuilder::new().title("W2Meet").version(env!("CARGO_PKG_VERSION")).description(Some(about));
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    OpenApiBuilder::new()
        .info(info.license(Some(license)).build())
        .tags(Some(TAGS.into_iter().chain([tag]).map(described)))
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

/// Every operation but the guests'.
pub fn ops() -> Vec<ApiOperation> {
    let mut all: Vec<ApiOperation> = user::api::openapi::paths();
    all.extend(availability::api::openapi::paths());
    all.extend(suggestion::api::openapi::paths());
    all.extend(own().into_iter().map(|op| op.tagged("this server")));
    all.push(events());
    all
}

fn events() -> ApiOperation {
    get("/api/meetings/{id}/events", "stream_meeting", "Streams a meeting as it is, and as it changes.")
        .tagged("meetings")
        .about("Server-sent events: the data of each is the meeting, and its id the version. It does not end.")
        .path::<Id>("id", "Which.", None)
        .header("Last-Event-ID", "The version that you have already.", text())
        .streams(200, "text/event-stream", "What becomes of it")
        .refuses(&[NOT_FOUND, UNKNOWN_MEETING])
}

fn own() -> Vec<ApiOperation> {
    let small = |op: ApiOperation, kind: &str, about: &str| op.answers_as::<Text>(200, kind, about).never_fails();
    vec![
        small(get("/", "welcome", "Says what this is, and what to try."), "text/plain", "A few lines"),
        small(get("/health", "find_gateway_health", "Says that the gateway is there."), "text/plain", "It is"),
        get("/api/health", "find_health", "Says how every role does.")
            .answers::<Report>(200, "It works, if perhaps without something")
            .answers::<Report>(503, "It does not")
            .never_fails(),
        small(get("/livez", "find_liveness", "Says that the process turns."), "text/plain", "It does"),
        small(
            get("/readyz", "find_readiness", "Says whether it is neither starting nor stopping."),
            "text/plain",
            "So it is",
        )
        .refuses(&[UNAVAILABLE]),
        small(
            get("/.well-known/security.txt", "find_contact", "Says where to report a weakness (RFC 9116)."),
            "text/plain",
            "Where",
        )
        .refuses(&[NOT_FOUND]),
        get("/openapi.json", "find_description", "This document.")
            .answers::<Json>(200, "OpenAPI 3.1")
            .if_none_match()
            .never_fails(),
        small(get("/docs", "find_docs", "This document, for people."), "text/html", "A page").if_none_match(),
    ]
}
