//! The client for calls between roles: load balancing, retries, deadlines, the Case-ID, and a log line per call.

mod http1;
pub mod request;
mod retry;
mod upstream;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use bytes::Bytes;
use futures_util::future::join_all;
use serde::de::DeserializeOwned;

use crate::platform::auth::service_credential::ServiceCredential;
use crate::platform::http::health::{Dependency, OWN_HEALTH, Report, Status};
use crate::platform::http::problem::{BAD_GATEWAY, Problem};
use crate::platform::request_context::RequestContext;
use crate::platform::role::{Context, Role, problem_types};
use crate::platform::rpc::request::RpcRequest;
use crate::platform::timer_pool::TimerPool;
use http1::RequestBody;
pub use http1::RpcResponse;
use upstream::{Attempt, Upstream};

/// Limit in bytes of a buffered response. Detail for 10,000 attendees over 62 days fits.
const MAX_RESPONSE_BYTES: usize = 64 << 20;
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// A client of one role, for one worker thread.
#[derive(Clone)]
pub struct Peer(Rc<Inner>);

struct Inner {
    upstream: Upstream,
    /// Every role: their problem types are those that a response may have.
    roles: &'static [Role],
    upload_timeout: Duration,
    /// Delay before a read is also sent to a second replica.
    hedge_delay: Duration,
    hedge_timers: TimerPool,
    deadline_timers: TimerPool,
}

impl Peer {
    /// A client for one worker thread. Calls to a role without a known address fail with 503.
    pub fn new(context: &Context, role: &'static str) -> Peer {
        let replicas = context.book.find(role).map_or_else(Arc::default, Arc::clone);
        let timeout = Duration::from_secs_f64(context.settings.limits.call_seconds);
        let upload_timeout = Duration::from_secs(context.settings.limits.body_seconds);
        let hedge_delay = Duration::from_millis(context.settings.balance.hedge_ms);
        Peer(Rc::new(Inner {
            upstream: Upstream::new(role, replicas, timeout, ServiceCredential::of(&context.settings)),
            roles: context.roles,
            upload_timeout,
            hedge_delay,
            hedge_timers: TimerPool::default(),
            deadline_timers: TimerPool::default(),
        }))
    }

    /// The role that this client calls.
    pub fn role(&self) -> &'static str {
        self.0.upstream.role
    }

    /// Calls the role and parses the JSON of the response.
    ///
    /// # Errors
    /// The role's own problem, unchanged; or 502, 503, 504 naming the role.
    pub async fn call<T: DeserializeOwned>(&self, request: RpcRequest) -> Result<T, Problem> {
        let (status, body) = self.exchange(&request).await?;
        if !status.is_success() {
            return Err(self.problem(status, &body));
        }
        serde_json::from_slice(&body).map_err(|why| self.invalid_response(&why.to_string()))
    }

    /// Calls an endpoint that responds without a body.
    ///
    /// # Errors
    /// As [`Peer::call`].
    pub async fn call_no_content(&self, request: &RpcRequest) -> Result<(), Problem> {
        let (status, body) = self.exchange(request).await?;
        if status.is_success() { Ok(()) } else { Err(self.problem(status, &body)) }
    }

    /// Calls the role and buffers the response, whatever its status.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role.
    pub async fn exchange(&self, request: &RpcRequest) -> Result<(StatusCode, Bytes), Problem> {
        let response = self.send(request).await?;
        let status = response.status();
        response.body(MAX_RESPONSE_BYTES).await.map(|body| (status, body)).map_err(|_| self.truncated())
    }

    /// Calls the role; the body of the response is read by the caller.
    ///
    /// # Errors
    /// As [`Peer::call`].
    pub async fn open(&self, request: &RpcRequest) -> Result<Box<RpcResponse>, Problem> {
        let response = self.send(request).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.body(MAX_RESPONSE_BYTES).await.map_err(|_| self.truncated())?;
        Err(self.problem(status, &body))
    }

    /// The problem for a response whose body ended early.
    pub fn truncated(&self) -> Problem {
        self.0.upstream.failed(BAD_GATEWAY, "closed the connection in the middle of its response")
    }

    /// The role's problem document, or 502 when the response has none.
    fn problem(&self, status: StatusCode, body: &[u8]) -> Problem {
        let result = Problem::read(status, body, problem_types(self.0.roles)).map(|problem| match &problem.upstream {
            None if status.is_server_error() => Problem { upstream: Some(self.0.upstream.role.to_owned()), ..problem },
            _ => problem,
        });
        result.unwrap_or_else(|| self.invalid_response(&format!("{status} without a problem document")))
    }

    fn invalid_response(&self, why: &str) -> Problem {
        tracing::error!(callee = self.0.upstream.role, why, "invalid response");
        self.0.upstream.failed(BAD_GATEWAY, "sent an invalid response")
    }

    /// The health of all replicas: every replica is called at once, without balancing.
    pub async fn health(&self) -> (String, Dependency) {
        self.health_at("/health").await
    }

    /// The health of all replicas, without that of the roles that they call.
    pub async fn own_health(&self) -> (String, Dependency) {
        self.health_at(OWN_HEALTH).await
    }

    async fn health_at(&self, path: &str) -> (String, Dependency) {
        let begin = Instant::now();
        let known = self.0.upstream.replicas.known();
        let calls = known.iter().map(|replica| self.replica_health(&replica.base, path));
        let reports: Vec<(Status, Option<String>)> = join_all(calls).await;
        let statuses: Vec<Status> = reports.iter().map(|(status, _)| *status).collect();
        let cause = reports.into_iter().find_map(|(_, cause)| cause);
        let working = statuses.iter().filter(|status| **status != Status::Unhealthy).count();
        let best = statuses.iter().min().copied().unwrap_or(Status::Unhealthy);
        let worst = statuses.iter().max().copied().unwrap_or(Status::Unhealthy);
        let status = if best == Status::Unhealthy { best } else { worst.min(Status::Degraded) };
        let replicas = (statuses.len() > 1).then(|| format!("{working} of {}", statuses.len()));
        (
            format!("{}-service", self.0.upstream.role),
            Dependency { replicas, cause, ..Dependency::measured(status, begin) },
        )
    }

    async fn replica_health(&self, base: &str, path: &str) -> (Status, Option<String>) {
        let now = tokio::time::Instant::now();
        let attempt = Attempt::new(0, now, now + RequestContext::with(|case| case.time_left(HEALTH_TIMEOUT)));
        let report = async {
            let response =
                self.0.upstream.exchange(base, &RpcRequest::get(path), RequestBody::Empty, &attempt).await.ok()?;
            serde_json::from_slice::<Report>(&response.body(MAX_RESPONSE_BYTES).await.ok()?).ok()
        };
        let report = self.0.deadline_timers.timeout_at(attempt.deadline, report).await.flatten();
        let away = || (Status::Unhealthy, Some("it does not respond".to_owned()));
        report.map_or_else(away, |report| (report.status, report.cause()))
    }
}
