//! The client for calls between roles: load balancing, retries, deadlines, the Case-ID, and a log line per call.

mod http1;
pub mod replicas;
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
use crate::platform::http::health::{Dependency, Report, Status};
use crate::platform::http::problem::{BAD_GATEWAY, Problem};
use crate::platform::request_context::RequestContext;
use crate::platform::role::Context;
use crate::platform::rpc::request::RpcRequest;
use crate::platform::timer_pool::TimerPool;
use http1::RequestBody;
pub use http1::RpcResponse;
use upstream::{Attempt, Upstream};

/// Limit in bytes of a buffered response. Detail for 10,000 attendees over 62 days fits.
const ANSWER: usize = 64 << 20;
const HEALTH: Duration = Duration::from_secs(1);

/// A client of one role, for one worker thread.
#[derive(Clone)]
pub struct Peer(Rc<Inner>);

struct Inner {
    line: Upstream,
    upload: Duration,
    /// Delay before a read is also sent to a second replica.
    hedge: Duration,
    hedges: TimerPool,
    deadlines: TimerPool,
}

impl Peer {
    /// A client for one worker thread. Calls to a role without a known address fail with 503.
    pub fn new(context: &Context, role: &'static str) -> Peer {
        let replicas = context.book.find(role).map_or_else(Arc::default, Arc::clone);
        let patience = Duration::from_secs_f64(context.settings.limits.call_seconds);
        let upload = Duration::from_secs(context.settings.limits.body_seconds);
        let hedge = Duration::from_millis(context.settings.balance.hedge_ms);
        Peer(Rc::new(Inner {
            line: Upstream::new(role, replicas, patience, ServiceCredential::of(&context.settings)),
            upload,
            hedge,
            hedges: TimerPool::default(),
            deadlines: TimerPool::default(),
        }))
    }

    /// The role that this client calls.
    pub fn role(&self) -> &'static str {
        self.0.line.role
    }

    /// Calls the role and parses the JSON of the response.
    ///
    /// # Errors
    /// The role's own problem, unchanged; or 502, 503, 504 naming the role.
    pub async fn call<T: DeserializeOwned>(&self, call: RpcRequest) -> Result<T, Problem> {
        let (status, body) = self.exchange(&call).await?;
        if !status.is_success() {
            return Err(self.problem(status, &body));
        }
        serde_json::from_slice(&body).map_err(|why| self.senseless(&why.to_string()))
    }

    /// Calls an endpoint that responds without a body.
    ///
    /// # Errors
    /// As [`Peer::call`].
    pub async fn order(&self, call: &RpcRequest) -> Result<(), Problem> {
        let (status, body) = self.exchange(call).await?;
        if status.is_success() { Ok(()) } else { Err(self.problem(status, &body)) }
    }

    /// Calls the role and buffers the response, whatever its status.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role.
    pub async fn exchange(&self, call: &RpcRequest) -> Result<(StatusCode, Bytes), Problem> {
        let answer = self.send(call).await?;
        let status = answer.status();
        answer.body(ANSWER).await.map(|body| (status, body)).map_err(|_| self.broke_off())
    }

    /// The problem for a response whose body ended early.
    pub fn broke_off(&self) -> Problem {
        self.0.line.failed(BAD_GATEWAY, "broke off in the middle of its answer")
    }

    /// The role's problem document, or 502 when the response has none.
    fn problem(&self, status: StatusCode, body: &[u8]) -> Problem {
        let told = Problem::read(status, body).map(|problem| match &problem.upstream {
            None if status.is_server_error() => Problem { upstream: Some(self.0.line.role.to_owned()), ..problem },
            _ => problem,
        });
        told.unwrap_or_else(|| self.senseless(&format!("{status} without a problem document")))
    }

    fn senseless(&self, why: &str) -> Problem {
        tracing::error!(callee = self.0.line.role, why, "the answer makes no sense");
        self.0.line.failed(BAD_GATEWAY, "gave an answer that cannot be read")
    }

    /// The health of all replicas: every replica is asked at once, outside the balancing.
    pub async fn health(&self) -> (String, Dependency) {
        let begin = Instant::now();
        let known = self.0.line.replicas.known();
        let asked = known.iter().map(|replica| self.health_of(&replica.base));
        let statuses: Vec<Status> = join_all(asked).await;
        let well = statuses.iter().filter(|status| **status != Status::Unhealthy).count();
        let best = statuses.iter().min().copied().unwrap_or(Status::Unhealthy);
        let worst = statuses.iter().max().copied().unwrap_or(Status::Unhealthy);
        let status = if best == Status::Unhealthy { best } else { worst.min(Status::Degraded) };
        let replicas = (statuses.len() > 1).then(|| format!("{well} of {}", statuses.len()));
        (format!("{}-service", self.0.line.role), Dependency { replicas, ..Dependency::measured(status, begin) })
    }

    async fn health_of(&self, base: &str) -> Status {
        let now = tokio::time::Instant::now();
        let hop = Attempt::begin(0, now, now + RequestContext::with(|case| case.patience(HEALTH)));
        let report = async {
            let answer =
                self.0.line.exchange(base, &RpcRequest::get("/health"), RequestBody::Nothing, &hop).await.ok()?;
            serde_json::from_slice::<Report>(&answer.body(ANSWER).await.ok()?).ok()
        };
        let report = self.0.deadlines.limit(hop.until, report).await.flatten();
        report.map_or(Status::Unhealthy, |report| report.status)
    }
}
