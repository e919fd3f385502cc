//! The health of a role, and the report at `/health`.

use std::collections::BTreeMap;
use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::platform::request_context::{RequestContext, milliseconds};

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
}

impl Dependency {
    /// A healthy dependency inside this process.
    pub fn healthy() -> Dependency {
        Dependency { status: Status::Healthy, response_time_ms: 0.0, replicas: None }
    }
    /// A dependency that was called at `begin` and has just responded or failed.
    pub fn measured(status: Status, begin: Instant) -> Dependency {
        Dependency { status, response_time_ms: milliseconds(begin), replicas: None }
    }
}

/// The report at `/health`.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
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
    pub fn new(role: &str, required: Vec<(String, Dependency)>, optional: Vec<(String, Dependency)>) -> Report {
        let worst =
            |list: &[(String, Dependency)]| list.iter().map(|(_, it)| it.status).max().unwrap_or(Status::Healthy);
        let status = worst(&required).max(worst(&optional).min(Status::Degraded));
        let dependencies = required.into_iter().chain(optional).collect();
        Report { case_id: RequestContext::current_id(), service: format!("{role}-service"), status, dependencies }
    }

    /// The response: 200 while the role works, else 503.
    pub fn answer(&self) -> HttpResponse {
        let status = if self.status == Status::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        HttpResponse::build(status).json(self)
    }
}
