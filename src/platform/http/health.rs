//! The health of a role, and the report at `/health`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::join;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::platform::http::extract::query_has;
use crate::platform::request_context::{RequestContext, milliseconds};

/// The path of a role's report without the roles that it calls: the gateway asks each process once.
pub const OWN_HEALTH: &str = "/health?own=true";

/// The health of a role or a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Health)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It works.
    Healthy,
    /// It works without an optional dependency.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// A dependency of a role.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Dependency {
    /// The health.
    pub status: Status,
    /// The response time in milliseconds; that of the slowest replica.
    pub response_time_ms: f64,
    /// How many of the replicas responded, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<String>,
    /// Why it is not healthy, and what helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Dependency {
    /// A healthy dependency inside this process.
    pub fn healthy() -> Dependency {
        Dependency { status: Status::Healthy, response_time_ms: 0.0, replicas: None, cause: None }
    }

    /// A dependency that was called at `begin` and has just responded or failed.
    pub fn measured(status: Status, begin: Instant) -> Dependency {
        Dependency { status, response_time_ms: milliseconds(begin), replicas: None, cause: None }
    }

    /// The same with the cause of its status.
    pub fn with_cause(self, cause: impl Into<String>) -> Dependency {
        Dependency { cause: Some(cause.into()), ..self }
    }
}

/// Dependencies and their names.
pub type Dependencies = Vec<(String, Dependency)>;

/// The report at `/health`.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = HealthReport)]
pub struct Report {
    /// The request's Case-ID.
    pub case_id: String,
    /// The role's name and `-service`.
    pub service: String,
    /// The worst health of the required dependencies.
    pub status: Status,
    /// The dependencies, by name.
    pub dependencies: BTreeMap<String, Dependency>,
}

impl Report {
    /// A report. An optional dependency makes the role degraded at worst.
    pub fn new(role: &str, required: Dependencies, optional: Dependencies) -> Report {
        let worst =
            |list: &[(String, Dependency)]| list.iter().map(|(_, it)| it.status).max().unwrap_or(Status::Healthy);
        let status = worst(&required).max(worst(&optional).min(Status::Degraded));
        let dependencies = required.into_iter().chain(optional).collect();
        Report { case_id: RequestContext::current_id(), service: format!("{role}-service"), status, dependencies }
    }

    /// Why the role is not healthy: the first cause of a dependency.
    pub fn cause(&self) -> Option<String> {
        let mut causes =
            self.dependencies.iter().filter_map(|(name, it)| Some(format!("{name}: {}", it.cause.as_ref()?)));
        causes.next()
    }

    /// The response: 200 while the role works, else 503.
    pub fn answer(&self) -> HttpResponse {
        let status = if self.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        HttpResponse::build(status).json(self)
    }
}

/// The health check of a role in one process. One check runs at a time, for all requests that wait for it.
#[derive(Default)]
pub struct HealthCheck {
    own: KeptReport,
    full: KeptReport,
}

type KeptReport = Mutex<Option<(Instant, Report)>>;

impl HealthCheck {
    /// Responds to `/health`. `own` checks the required and the optional dependencies that are the role's own; `peers` checks the
    /// roles that it calls, unless [`OWN_HEALTH`] was requested.
    pub async fn respond(
        &self,
        req: &HttpRequest,
        role: &str,
        own: impl Future<Output = (Dependencies, Dependencies)>,
        peers: impl Future<Output = Dependencies>,
    ) -> HttpResponse {
        let alone = query_has(req, "own");
        let slot = if alone { &self.own } else { &self.full };
        let check = async {
            let peers = async { if alone { Vec::new() } else { peers.await } };
            let ((mut required, optional), peers) = join(own, peers).await;
            required.extend(peers);
            Report::new(role, required, optional)
        };
        repeat(slot, Duration::ZERO, check).await.answer()
    }

    /// The report that `check` makes, or one that it has made in the time `max_age` before the request.
    pub async fn recent_report(&self, max_age: Duration, check: impl Future<Output = Report>) -> Report {
        repeat(&self.full, max_age, check).await
    }
}

async fn repeat(slot: &KeptReport, max_age: Duration, check: impl Future<Output = Report>) -> Report {
    let arrived = Instant::now();
    let mut last = slot.lock().await;
    let fresh = last.as_ref().filter(|(at, _)| *at + max_age > arrived).map(|(_, report)| report.clone());
    let report = match fresh {
        Some(report) => report,
        None => {
            let report = check.await;
            last.insert((Instant::now(), report)).1.clone()
        }
    };
    Report { case_id: RequestContext::current_id(), ..report }
}
