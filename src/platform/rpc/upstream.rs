//! One attempt at one replica: the connection pools, the fields of every call, logging, and what a failure means.

use std::cell::{OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use actix_http::ServiceConfig;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use tokio::time::{Instant, sleep};

use super::http1::{ConnectionPool, KEEP_ALIVE, RequestBody, RpcResponse, SendError};
use crate::platform::auth::service_credential::{CREDENTIAL, ServiceCredential};
use crate::platform::balancer::{InFlightGuard, Replicas};
use crate::platform::case_id::CASE_ID;
use crate::platform::http::problem::{BAD_GATEWAY, GATEWAY_TIMEOUT, Problem, ProblemType, TOO_LARGE};
use crate::platform::observe::span::{SpanRecord, is_recorded, outgoing, record};
use crate::platform::observe::trace_context::TraceContext;
use crate::platform::request_context::{ON_BEHALF_OF, REQUEST_TIMEOUT, RequestContext, milliseconds};
use crate::platform::rpc::request::{RpcRequest, push_field};

/// The replicas of a role and the connection pools of one worker thread.
pub struct Upstream {
    pub role: &'static str,
    pub replicas: Arc<Replicas>,
    pub timeout: Duration,
    /// The service credential that proves to the callee that a role calls.
    credential: Option<ServiceCredential>,
    /// One pool per replica: in a shared pool, a replica that hangs could use up all connections.
    pools: Rc<RefCell<Vec<Rc<ConnectionPool>>>>,
    config: OnceCell<ServiceConfig>,
}

/// One attempt of a call: its span, its start, its deadline, and the number of earlier attempts.
pub struct Attempt {
    trace: TraceContext,
    pub start: Instant,
    pub deadline: Instant,
    pub number: usize,
}

impl Attempt {
    /// An attempt that starts now.
    pub fn new(number: usize, start: Instant, deadline: Instant) -> Attempt {
        Attempt { trace: RequestContext::with(|case| outgoing(&case.trace)), start, deadline, number }
    }
}

/// The response, or the failure and the problem for the caller.
pub type Outcome = Result<Box<RpcResponse>, (SendError, Problem)>;

impl Upstream {
    pub fn new(
        role: &'static str,
        replicas: Arc<Replicas>,
        timeout: Duration,
        credential: Option<ServiceCredential>,
    ) -> Upstream {
        Upstream { role, replicas, timeout, credential, pools: Rc::default(), config: OnceCell::new() }
    }

    /// Time limit of a call that starts now, over all its attempts.
    pub fn time_limit(&self) -> Duration {
        RequestContext::with(|case| case.time_left(self.timeout))
    }

    /// Calls a replica and records the outcome. The caller enforces the deadline; see [`Upstream::record_timeout`].
    pub async fn call(
        &self,
        slot: &InFlightGuard,
        request: &RpcRequest,
        body: RequestBody<'_>,
        attempt: &Attempt,
    ) -> Outcome {
        let outcome = self.exchange(&slot.replica().base, request, body, attempt).await;
        self.record_outcome(slot, outcome, request, attempt)
    }

    /// Records that the deadline of a call has passed.
    pub fn record_timeout(&self, slot: &InFlightGuard, request: &RpcRequest, attempt: &Attempt) -> Outcome {
        self.record_outcome(slot, Err(SendError::Timeout), request, attempt)
    }

    /// Sends a request to `base` with the fields of every call: Case-ID, authorization, trace, service credential and timeout.
    pub async fn exchange(
        &self,
        base: &str,
        request: &RpcRequest,
        body: RequestBody<'_>,
        attempt: &Attempt,
    ) -> Result<Box<RpcResponse>, SendError> {
        let fields = |text: &mut Vec<u8>| {
            text.extend_from_slice(request.headers.as_bytes());
            attempt.trace.fields().for_each(|(name, value)| push_field(text, name.as_str(), value));
            if let Some(credential) = &self.credential {
                push_field(text, CREDENTIAL.as_str(), credential.header().as_bytes());
            }
            // the callee gets less time, so that the problem names the role that hangs and not its caller
            let wait = attempt.deadline.saturating_duration_since(attempt.start).as_millis() * 9 / 10;
            push_field(text, REQUEST_TIMEOUT.as_str(), itoa::Buffer::new().format(wait).as_bytes());
            push_field(text, CASE_ID.as_str(), RequestContext::with(RequestContext::header).as_bytes());
            // a token of the caller's own is never sent on behalf of another
            let (bearer, on_behalf_of) = match &request.bearer {
                Some(bearer) => (Some(bearer.clone()), None),
                None => RequestContext::with(|case| (case.authorization().cloned(), case.on_behalf_of().cloned())),
            };
            bearer.iter().for_each(|bearer| push_field(text, AUTHORIZATION.as_str(), bearer.as_bytes()));
            on_behalf_of.iter().for_each(|user| push_field(text, ON_BEHALF_OF.as_str(), user.as_bytes()));
        };
        let (begin, deadline) = (attempt.start, attempt.deadline);
        self.pool(base).exchange((request.method.as_str(), &request.path), fields, body, begin..deadline).await
    }

    fn pool(&self, base: &str) -> Rc<ConnectionPool> {
        if let Some(pool) = self.pools.borrow().iter().find(|pool| pool.base == base) {
            return Rc::clone(pool);
        }
        let config = self.config.get_or_init(|| {
            actix_rt::spawn(sweep(Rc::downgrade(&self.pools), Arc::clone(&self.replicas)));
            ServiceConfig::default()
        });
        let pool = Rc::new(ConnectionPool::new(base, self.timeout, config.clone()));
        self.pools.borrow_mut().push(Rc::clone(&pool));
        pool
    }

    /// Logs the call, updates the replica's state, and turns a failure into a problem.
    fn record_outcome(
        &self,
        slot: &InFlightGuard,
        outcome: Result<Box<RpcResponse>, SendError>,
        request: &RpcRequest,
        attempt: &Attempt,
    ) -> Outcome {
        let (callee, method) = (self.role, request.method.as_str());
        // the query may contain confidential values
        let path = || request.path.split('?').next().unwrap_or_default();
        let ms = || milliseconds(attempt.start.into_std());
        if is_recorded(&attempt.trace) {
            let result = outcome.as_ref().map(|response| response.status().as_u16()).map_err(ToString::to_string);
            let step =
                SpanRecord::client(method, callee, [&*slot.replica().base, path()].concat(), attempt.number, result);
            let case = RequestContext::current();
            record(case.role, case.id(), &attempt.trace, attempt.start.into_std(), step);
        }
        let failure = match outcome {
            Ok(response) => {
                let status = response.status().as_u16();
                // the callee logs the same at info level
                tracing::debug!(callee, method, path = path(), status, ms = ms(), "call answered");
                match is_unavailable(response.status()) {
                    true => slot.replica().record_failure(),
                    false => slot.replica().record_success(),
                }
                slot.replica().count(if status < 500 { "answered" } else { "failed" });
                return Ok(response);
            }
            Err(failure) => failure,
        };
        tracing::warn!(callee, method, path = path(), error = %failure, ms = ms(), "call failed");
        let (count, problem) = match failure {
            SendError::NotSent(_) => {
                (Some("unsent"), Problem::unavailable(callee, format!("{callee} cannot be reached")))
            }
            SendError::Reset(_) => {
                (Some("broken"), self.failed(BAD_GATEWAY, "closed the connection before it responded"))
            }
            SendError::Timeout => {
                let problem = self.failed(GATEWAY_TIMEOUT, "did not respond in time");
                (Some("late"), Problem { retry_after: Some(1), ..problem })
            }
            SendError::RequestBody(_) => {
                (None, Problem::new(TOO_LARGE, "the body is larger than this path accepts, or ended early"))
            }
        };
        if let Some(count) = count {
            slot.replica().record_failure();
            slot.replica().count(count);
        }
        Err((failure, problem))
    }

    /// A problem that names the role as its cause.
    pub fn failed(&self, kind: &'static ProblemType, what: &str) -> Problem {
        Problem { upstream: Some(self.role.to_owned()), ..Problem::new(kind, format!("{} {what}", self.role)) }
    }
}

/// Whether the status says that the callee is unavailable.
pub fn is_unavailable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502..=504)
}

/// Closes expired idle connections, and pools of replicas that are gone, as long as the client exists.
async fn sweep(pools: Weak<RefCell<Vec<Rc<ConnectionPool>>>>, replicas: Arc<Replicas>) {
    loop {
        sleep(KEEP_ALIVE).await;
        let Some(pools) = pools.upgrade() else { return };
        let (known, now) = (replicas.known(), Instant::now());
        pools.borrow_mut().retain(|pool| known.iter().any(|replica| replica.base == pool.base));
        pools.borrow().iter().for_each(|pool| pool.sweep(now));
    }
}
