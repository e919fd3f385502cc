//! What a role says of itself: `/livez`, `/readyz`, and the report of its `/health`.

use std::collections::BTreeMap;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::platform::http::problem::Problem;
use crate::platform::observe::metrics::resource;
use crate::platform::request_context::{RequestContext, milliseconds};
use crate::platform::role::{Context, Phase};

/// How well something does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Health)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All of it.
    Healthy,
    /// It works without something.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// Something that a role stands on.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Dependency {
    /// How well it does.
    pub status: Status,
    /// How long it took to say so, in milliseconds; the slowest replica's.
    pub response_time_ms: f64,
    /// How many replicas of how many answered, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<String>,
}

impl Dependency {
    /// Something inside this process.
    pub fn healthy() -> Dependency {
        Dependency { status: Status::Healthy, response_time_ms: 0.0, replicas: None }
    }
    /// Something that was asked at `begin` and has just answered, or failed to.
    pub fn measured(status: Status, begin: Instant) -> Dependency {
        Dependency { status, response_time_ms: milliseconds(begin), replicas: None }
    }
}

/// The answer of a role's `/health`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = HealthReport)]
pub struct Report {
    /// The request's Case-ID.
    pub case_id: String,
    /// The role's name and `-service`.
    pub service: String,
    /// The worst of what it cannot work without.
    pub status: Status,
    /// What it stands on.
    pub dependencies: BTreeMap<String, Dependency>,
}

impl Report {
    /// Sums up what a role stands on. What it can do without makes it degraded at worst.
    pub fn new(role: &str, needs: Vec<(String, Dependency)>, likes: Vec<(String, Dependency)>) -> Report {
        let worst =
            |list: &[(String, Dependency)]| list.iter().map(|(_, it)| it.status).max().unwrap_or(Status::Healthy);
        let status = worst(&needs).max(worst(&likes).min(Status::Degraded));
        let dependencies = needs.into_iter().chain(likes).collect();
        Report { case_id: RequestContext::current_id(), service: format!("{role}-service"), status, dependencies }
    }

    /// 200 while it works, else 503.
    pub fn answer(&self) -> HttpResponse {
        let status = if self.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        HttpResponse::build(status).json(self)
    }
}

/// The probes that every role answers.
pub fn probes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/livez").get(async || "ok\n"));
    cfg.service(resource("/readyz").get(ready));
}

async fn ready(context: web::Data<Context>) -> Result<&'static str, Problem> {
    let name = context.role.name;
    match context.lifecycle.stage() {
        Phase::Ready => Ok("ok\n"),
        Phase::Starting => {
            Err(Problem::unavailable(name, "starting: connecting to the database and bringing its schema up to date"))
        }
        Phase::Draining => Err(Problem::unavailable(name, "stopping: finishing what is in flight")),
    }
}
