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
use crate::platform::http::problem::{BAD_GATEWAY, GATEWAY_TIMEOUT, Problem, ProblemType, TOO_LARGE};
use crate::platform::observe::span::{SpanRecord, is_recorded, outgoing, record};
use crate::platform::observe::trace_context::TraceContext;
use crate::platform::request_context::{CASE_ID, PATIENCE, RequestContext, milliseconds};
use crate::platform::rpc::replicas::{InFlightGuard, Replicas};
use crate::platform::rpc::request::{RpcRequest, put};

/// The replicas of a role and the connection pools of one worker thread.
pub struct Upstream {
    pub role: &'static str,
    pub replicas: Arc<Replicas>,
    pub patience: Duration,
    /// The service credential that proves to the callee that a role calls.
    credential: Option<ServiceCredential>,
    /// One pool per replica: in a shared pool, a replica that hangs could use up all connections.
    wires: Rc<RefCell<Vec<Rc<ConnectionPool>>>>,
    config: OnceCell<ServiceConfig>,
}

/// One attempt of a call: its span, its start, its deadline, and the number of earlier attempts.
pub struct Attempt {
    trace: TraceContext,
    pub begin: Instant,
    pub until: Instant,
    pub again: usize,
}

impl Attempt {
    /// An attempt that starts now.
    pub fn begin(again: usize, begin: Instant, until: Instant) -> Attempt {
        Attempt { trace: RequestContext::with(|case| outgoing(&case.trace)), begin, until, again }
    }
}

/// How far a failed request got, and so whether a retry is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retryability {
    /// The request was not sent.
    NeverSent,
    /// The replica closed the connection before it responded.
    MaybeProcessed,
    /// The replica may still be processing the request.
    Unknown,
    /// The request could not be read or written on our side; the replica is not at fault.
    Ours,
}

pub type Outcome = Result<Box<RpcResponse>, (Retryability, Problem)>;

impl Upstream {
    pub fn new(
        role: &'static str,
        replicas: Arc<Replicas>,
        patience: Duration,
        credential: Option<ServiceCredential>,
    ) -> Upstream {
        Upstream { role, replicas, patience, credential, wires: Rc::default(), config: OnceCell::new() }
    }

    /// Time limit of a call that starts now, over all its attempts.
    pub fn wait(&self) -> Duration {
        RequestContext::with(|case| case.patience(self.patience))
    }

    /// Calls a replica and records the outcome. The caller enforces the deadline; see [`Upstream::give_up`].
    pub async fn call(&self, seat: &InFlightGuard, call: &RpcRequest, load: RequestBody<'_>, hop: &Attempt) -> Outcome {
        let outcome = self.exchange(&seat.replica().base, call, load, hop).await;
        self.settle(seat, outcome, call, hop)
    }

    /// Records that the deadline of a call has passed.
    pub fn give_up(&self, seat: &InFlightGuard, call: &RpcRequest, hop: &Attempt) -> Outcome {
        self.settle(seat, Err(SendError::Late), call, hop)
    }

    /// Sends a request to `base` with the fields of every call: Case-ID, authorization, trace, service credential and timeout.
    pub async fn exchange(
        &self,
        base: &str,
        call: &RpcRequest,
        load: RequestBody<'_>,
        hop: &Attempt,
    ) -> Result<Box<RpcResponse>, SendError> {
        let fields = |text: &mut Vec<u8>| {
            text.extend_from_slice(call.fields.text());
            hop.trace.fields().for_each(|(name, value)| put(text, name.as_str(), value));
            if let Some(credential) = &self.credential {
                put(text, CREDENTIAL.as_str(), credential.header().as_bytes());
            }
            // the callee gets less time, so that the problem names the role that hangs and not its caller
            let wait = hop.until.saturating_duration_since(hop.begin).as_millis() * 9 / 10;
            put(text, PATIENCE.as_str(), itoa::Buffer::new().format(wait).as_bytes());
            put(text, CASE_ID.as_str(), RequestContext::with(RequestContext::header).as_bytes());
            let bearer = call.bearer.clone().or_else(|| RequestContext::with(|case| case.authorization().cloned()));
            bearer.iter().for_each(|bearer| put(text, AUTHORIZATION.as_str(), bearer.as_bytes()));
        };
        let (begin, until) = (hop.begin, hop.until);
        self.wire(base).exchange((call.method.as_str(), &call.path), fields, load, begin..until).await
    }

    fn wire(&self, base: &str) -> Rc<ConnectionPool> {
        if let Some(wire) = self.wires.borrow().iter().find(|wire| wire.base == base) {
            return Rc::clone(wire);
        }
        let config = self.config.get_or_init(|| {
            actix_rt::spawn(sweep(Rc::downgrade(&self.wires), Arc::clone(&self.replicas)));
            ServiceConfig::default()
        });
        let wire = Rc::new(ConnectionPool::new(base, self.patience, config.clone()));
        self.wires.borrow_mut().push(Rc::clone(&wire));
        wire
    }

    /// Logs the call, updates the replica's state, and turns a failure into a problem.
    fn settle(
        &self,
        seat: &InFlightGuard,
        outcome: Result<Box<RpcResponse>, SendError>,
        call: &RpcRequest,
        hop: &Attempt,
    ) -> Outcome {
        let (callee, method) = (self.role, call.method.as_str());
        // the query may contain confidential values
        let path = || call.path.split('?').next().unwrap_or_default();
        let ms = || milliseconds(hop.begin.into_std());
        if is_recorded(&hop.trace) {
            let told = outcome.as_ref().map(|answer| answer.status().as_u16()).map_err(ToString::to_string);
            let step = SpanRecord::client(method, callee, [&*seat.replica().base, path()].concat(), hop.again, told);
            let case = RequestContext::current();
            record(case.role, case.id(), &hop.trace, hop.begin.into_std(), step);
        }
        let failure = match outcome {
            Ok(answer) => {
                let status = answer.status().as_u16();
                // the callee logs the same at info level
                tracing::debug!(callee, method, path = path(), status, ms = ms(), "call answered");
                match is_away(answer.status()) {
                    true => seat.replica().failed(),
                    false => seat.replica().succeeded(),
                }
                seat.replica().count(if status < 500 { "answered" } else { "failed" });
                return Ok(answer);
            }
            Err(failure) => failure,
        };
        tracing::warn!(callee, method, path = path(), error = %failure, ms = ms(), "call failed");
        let (fate, problem) = self.told(&failure);
        if fate != Retryability::Ours {
            seat.replica().failed();
        }
        match fate {
            Retryability::NeverSent => seat.replica().count("unsent"),
            Retryability::MaybeProcessed => seat.replica().count("broken"),
            Retryability::Unknown => seat.replica().count("late"),
            Retryability::Ours => {}
        }
        Err((fate, problem))
    }

    fn told(&self, failure: &SendError) -> (Retryability, Problem) {
        match failure {
            SendError::Unsent(_) => (
                Retryability::NeverSent,
                Problem::unavailable(self.role, format!("{} is not there just now", self.role)),
            ),
            SendError::Broken(_) => {
                (Retryability::MaybeProcessed, self.failed(BAD_GATEWAY, "closed the connection before it answered"))
            }
            SendError::Late => (
                Retryability::Unknown,
                Problem { retry_after: Some(1), ..self.failed(GATEWAY_TIMEOUT, "did not answer in time") },
            ),
            SendError::RequestBody(_) => {
                (Retryability::Ours, Problem::new(TOO_LARGE, "the body is larger than this path takes, or ended early"))
            }
        }
    }

    /// A problem that names the role as its cause.
    pub fn failed(&self, kind: &'static ProblemType, what: &str) -> Problem {
        Problem { upstream: Some(self.role.to_owned()), ..Problem::new(kind, format!("{} {what}", self.role)) }
    }
}

/// Whether the status says that the callee is unavailable.
pub fn is_away(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502..=504)
}

/// Closes expired idle connections, and pools of replicas that are gone, as long as the client exists.
async fn sweep(wires: Weak<RefCell<Vec<Rc<ConnectionPool>>>>, replicas: Arc<Replicas>) {
    loop {
        sleep(KEEP_ALIVE).await;
        let Some(wires) = wires.upgrade() else { return };
        let (known, now) = (replicas.known(), Instant::now());
        wires.borrow_mut().retain(|wire| known.iter().any(|replica| replica.base == wire.base));
        wires.borrow().iter().for_each(|wire| wire.sweep(now));
    }
}
