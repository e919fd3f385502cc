//! Retries and hedged requests: which replica is called, and which one after a failure.

use std::pin::pin;
use std::sync::Arc;

use actix_web::body::BoxBody;
use futures_util::future::{Either, select};
use tokio::time::Instant;

use super::http1::{RequestBody, SendError};
use super::upstream::{Attempt, Outcome, is_unavailable};
use super::{Inner, Peer, RpcResponse};
use crate::platform::balancer::{InFlightGuard, NoReplica, Replica};
use crate::platform::http::problem::Problem;
use crate::platform::observe::metrics::{RetryReason, count_retry};
use crate::platform::rpc::request::RpcRequest;

/// Retries after the first attempt, where a request may have been processed.
const MAX_RETRIES: usize = 2;

impl Peer {
    /// Calls a replica, and retries on another one where that is safe. A slow read is hedged: it is also sent to a second
    /// replica, and the first good response wins.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role.
    pub async fn send(&self, request: &RpcRequest) -> Result<Box<RpcResponse>, Problem> {
        let replicas = &self.0.upstream.replicas;
        replicas.budget().deposit();
        let mut now = Instant::now();
        let deadline = now + self.0.upstream.time_limit();
        let mut tried: Vec<Arc<Replica>> = Vec::new();
        let mut slot = self.acquire(&tried, request.idempotent)?;
        loop {
            let (failure, problem) = match self.attempt(&slot, request, Attempt::new(tried.len(), now, deadline)).await
            {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            tried.push(Arc::clone(slot.replica()));
            drop(slot);
            let reason = match failure {
                // a request that was not sent can always be retried
                SendError::NotSent(_) => RetryReason::NotSent,
                SendError::Reset(_) if request.idempotent && tried.len() <= MAX_RETRIES && self.may_retry(&tried) => {
                    RetryReason::Reset
                }
                SendError::Reset(_) | SendError::Timeout | SendError::RequestBody(_) => return Err(problem),
            };
            // a single replica closed an idle connection just now: the next connection is a new one
            let is_alone = tried.len() == 1 && !replicas.has_alternatives();
            let next = match is_alone {
                true => replicas.choose(&[], true),
                false => replicas.choose_or_fallback(&tried, request.idempotent),
            };
            match next {
                Ok(next) => {
                    count_retry(reason);
                    (slot, now) = (next, Instant::now());
                }
                Err(_) => return Err(problem),
            }
        }
    }

    /// Calls once, with a body that can be read only once.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role; 413 when the body exceeds its limit.
    pub async fn send_once(&self, request: &RpcRequest, body: BoxBody) -> Result<Box<RpcResponse>, Problem> {
        let slot = self.acquire(&[], false)?;
        // the client's time to send the body does not count against the role's time to respond
        let (upstream, now) = (&self.0.upstream, Instant::now());
        let attempt = Attempt::new(0, now, now + upstream.timeout + self.0.upload_timeout);
        let outcome = self
            .0
            .deadline_timers
            .timeout_at(attempt.deadline, upstream.call(&slot, request, RequestBody::Streaming(body), &attempt))
            .await;
        outcome.unwrap_or_else(|| upstream.record_timeout(&slot, request, &attempt)).map_err(|(_, problem)| problem)
    }

    /// Acquires a replica that accepts one more request.
    fn acquire(&self, tried: &[Arc<Replica>], idempotent: bool) -> Result<InFlightGuard, Problem> {
        let (upstream, role) = (&self.0.upstream, self.0.upstream.role);
        upstream.replicas.choose_or_fallback(tried, idempotent).map_err(|reason| {
            let detail = match reason {
                NoReplica::NoneReady => format!("this installation runs no {role}"),
                NoReplica::AllBusy => format!("every replica of {role} is busy; try again in a moment"),
            };
            Problem::unavailable(role, detail)
        })
    }

    /// One attempt; a slow read is hedged.
    async fn attempt(&self, slot: &InFlightGuard, request: &RpcRequest, attempt: Attempt) -> Outcome {
        let Inner { upstream, hedge_delay, hedge_timers, deadline_timers, .. } = &*self.0;
        let body = || request.body.as_deref().map_or(RequestBody::Empty, RequestBody::Buffered);
        let mut first = pin!(upstream.call(slot, request, body(), &attempt));
        let mut other = None;
        if request.idempotent && !hedge_delay.is_zero() && upstream.replicas.has_alternatives() {
            if let Some(outcome) =
                hedge_timers.timeout_at((attempt.start + *hedge_delay).min(attempt.deadline), &mut first).await
            {
                return outcome;
            }
            other = self.hedge_target(&[Arc::clone(slot.replica())]);
        }
        let Some(other) = other else {
            return deadline_timers
                .timeout_at(attempt.deadline, first)
                .await
                .unwrap_or_else(|| upstream.record_timeout(slot, request, &attempt));
        };
        count_retry(RetryReason::Slow);
        tracing::debug!(callee = upstream.role, slow = slot.replica().base, "request hedged");
        let second_attempt = Attempt::new(attempt.number + 1, Instant::now(), attempt.deadline);
        // boxed because it is rare and large
        let second = Box::pin(upstream.call(&other, request, body(), &second_attempt));
        // the first response wins, unless it is 502, 503 or 504
        let is_good = |outcome: &Outcome| matches!(outcome, Ok(response) if !is_unavailable(response.status()));
        let either = async {
            match select(first, second).await {
                Either::Left((outcome, _)) if is_good(&outcome) => outcome,
                Either::Left((outcome, second)) => second.await.or(outcome),
                Either::Right((outcome, _)) if is_good(&outcome) => {
                    slot.replica().record_failure();
                    outcome
                }
                Either::Right((outcome, first)) => first.await.or(outcome),
            }
        };
        match deadline_timers.timeout_at(attempt.deadline, either).await {
            Some(outcome) => outcome,
            None => {
                drop(upstream.record_timeout(&other, request, &second_attempt));
                upstream.record_timeout(slot, request, &attempt)
            }
        }
    }

    fn hedge_target(&self, tried: &[Arc<Replica>]) -> Option<InFlightGuard> {
        let replicas = &self.0.upstream.replicas;
        // the budget comes first: `choose` may pick an ejected replica for a probe, which must then be sent
        if !replicas.budget().withdraw() {
            return None;
        }
        // an ejected replica is never a hedge target; one that was not ready may be ready by now
        let unready = || replicas.choose_or_fallback(tried, true).ok().filter(|slot| !slot.replica().is_ejected());
        replicas.choose(tried, true).ok().or_else(unready)
    }

    fn may_retry(&self, tried: &[Arc<Replica>]) -> bool {
        // one idle connection that a single replica closed is no sign of trouble
        tried.len() == 1 && !self.0.upstream.replicas.has_alternatives() || self.0.upstream.replicas.budget().withdraw()
    }
}
