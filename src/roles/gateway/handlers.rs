//! The handlers of the gateway: forwarding, the welcome text, and the health of all roles.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::{join, join_all};
use jiff::{SignedDuration, Timestamp};

use super::ROLE;
use crate::platform::edge::proxy::{self, RouteOptions};
use crate::platform::http::HttpResult;
use crate::platform::http::health::{Dependencies, HealthCheck, Report};
use crate::platform::http::problem::Problem;
use crate::platform::role::{Context, Role};
use crate::platform::rpc::Peer;

/// How long the report of all roles is repeated: whoever asks often makes no more inner requests than one a second.
const KEPT: Duration = Duration::from_secs(1);

/// The clients of the roles behind the gateway, for one worker thread.
#[derive(Clone)]
pub struct Peers {
    required: Vec<Peer>,
    observed: Vec<Peer>,
}

impl Peers {
    pub fn new(context: &Context) -> Peers {
        let required = ROLE.required_roles(context.roles);
        Peers {
            required: required.iter().map(|role| Peer::new(context, role)).collect(),
            observed: ROLE.observes.iter().map(|role| Peer::new(context, role)).collect(),
        }
    }

    /// The client of a role.
    pub fn find(&self, role: &str) -> Option<Peer> {
        self.required.iter().chain(&self.observed).find(|peer| peer.role() == role).cloned()
    }

    /// The client of a role that the gateway calls.
    pub fn get(&self, role: &str) -> Result<Peer, Problem> {
        self.find(role).ok_or_else(|| Problem::internal(format!("the gateway does not call {role}")))
    }
}

/// The role that a public path is forwarded to.
pub struct Target {
    pub peer: Option<Peer>,
    pub options: RouteOptions,
}

/// Every path of the public API of another role
pub async fn forward(req: HttpRequest, body: Payload, target: Data<Target>, context: Data<Context>) -> HttpResult {
    let path = req.uri().path_and_query().map_or("/", |path| path.as_str());
    let peer =
        target.peer.as_ref().ok_or_else(|| Problem::internal("a route to a role that the gateway does not call"))?;
    // the router decodes %61pi to api; only the literal path is forwarded
    let path = match path.strip_prefix("/api") {
        Some(inner) => inner,
        None if path.starts_with("/.well-known/") => path,
        None => return Err(Problem::of_status(StatusCode::NOT_FOUND)),
    };
    proxy::forward(&req, body, peer, path, target.options, &context.settings).await
}

/// `GET /api/health`
pub async fn health(peers: Data<Peers>, context: Data<Context>, check: Data<HealthCheck>) -> HttpResponse {
    let report = async {
        let required = join_all(peers.required.iter().map(Peer::own_health));
        let observed = join_all(peers.observed.iter().map(Peer::own_health));
        let (mut required, mut observed) = join(required, observed).await;
        spread(&mut required, &mut observed, context.roles);
        Report::new(ROLE.name, required, observed)
    };
    check.recent_report(KEPT, report).await.answer()
}

/// A role is at most as healthy as the roles that it calls: each process was asked for itself alone.
fn spread(required: &mut Dependencies, observed: &mut Dependencies, roles: &[Role]) {
    let service = |role: &str| format!("{role}-service");
    // as many rounds as a chain of calls can be long
    for _ in roles {
        for role in roles {
            let called: Vec<String> = role.calls.iter().map(|called| service(called)).collect();
            let all = required.iter().chain(&*observed);
            let worst = all.filter(|(name, _)| called.contains(name)).max_by_key(|(_, it)| it.status).cloned();
            let own = required.iter_mut().chain(&mut *observed).find(|(name, _)| *name == service(role.name));
            if let (Some((name, called)), Some((_, own))) = (worst, own)
                && called.status > own.status
            {
                own.status = called.status;
                own.cause = own.cause.take().or(Some(format!("it needs {name}")));
            }
        }
    }
}

/// `GET /.well-known/security.txt`: where to report a vulnerability (RFC 9116). It expires a year after the request.
pub async fn security(context: Data<Context>) -> HttpResult {
    let contact = &context.settings.server.security_contact;
    if contact.is_empty() {
        return Err(Problem::of_status(StatusCode::NOT_FOUND));
    }
    let expires = Timestamp::now().saturating_add(SignedDuration::from_hours(365 * 24)).map_err(Problem::internal)?;
    let expires = expires.strftime("%Y-%m-%dT00:00:00Z");
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .body(format!("Contact: {contact}\nExpires: {expires}\nPreferred-Languages: en\n")))
}

/// `GET /`
pub async fn welcome() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(concat!(
        "W2Meet ", env!("CARGO_PKG_VERSION"), ": who can meet when, which slot is best, and why.\n",
        "\n",
        "  POST /api/users                                 {\"name\", \"email\", \"time_zone\", \"availability\": {\"monday\": [9, \"13:30-15:00\"]}}\n",
        "  PUT  /api/users/{user}/availability            a week: hours and HH:MM-HH:MM ranges, by day\n",
        "  GET  /api/availability?attendee=a&attendee=b    when all of them are free, and how many in each hour\n",
        "  GET  /api/suggestions?attendee=a&attendee=b     the best slot, and why\n",
        "  POST /api/meetings                              {\"organizer\", \"attendees\"}: finds the time, and invites\n",
        "  GET  /api/meetings/{id}/events                  its changes, live\n",
        "  POST /api/auth/register                         {\"email\", \"password\"}: an account, where sign-in is required\n",
        "  GET  /api/health                                the health of every role\n",
        "  GET  /docs                                      the documentation; /openapi.json for programs\n",
        "\n",
        "Dates: add week=2026-W48, or from= and to=. Sample users: run `w2meet demo`. Error messages say what to do.\n",
    ))
}
