//! Retries and hedged requests: which replica is called, and which one after a failure.

use std::pin::pin;
use std::sync::Arc;

use actix_web::body::BoxBody;
use futures_util::future::{Either, select};
use tokio::time::Instant;

use super::http1::RequestBody;
use super::upstream::{Attempt, Outcome, Retryability, is_away};
use super::{Inner, Peer, RpcResponse};
use crate::platform::http::problem::Problem;
use crate::platform::observe::metrics::{RetryReason, count_retry};
use crate::platform::rpc::replicas::{InFlightGuard, NoReplica, Replica};
use crate::platform::rpc::request::RpcRequest;

/// Retries after the first attempt, where a request may have been processed.
const REPEATS: usize = 2;

impl Peer {
    /// Calls a replica, and retries on another one where that is safe. A slow read is hedged: it is also sent to a second
    /// replica, and the first good response wins.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role.
    pub async fn send(&self, call: &RpcRequest) -> Result<Box<RpcResponse>, Problem> {
        let replicas = &self.0.line.replicas;
        replicas.budget().earn();
        let mut now = Instant::now();
        let until = now + self.0.line.wait();
        let mut tried: Vec<Arc<Replica>> = Vec::new();
        let mut seat = self.seat(&tried, call.repeatable)?;
        loop {
            let (fate, problem) = match self.try_one(&seat, call, Attempt::begin(tried.len(), now, until)).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            tried.push(Arc::clone(seat.replica()));
            drop(seat);
            let again = match fate {
                // a request that was not sent can always be retried
                Retryability::NeverSent => true,
                Retryability::MaybeProcessed => call.repeatable && tried.len() <= REPEATS && self.may_repeat(&tried),
                Retryability::Unknown | Retryability::Ours => false,
            };
            if !again {
                return Err(problem);
            }
            // a single replica closed an idle connection just now: the next connection is a new one
            let is_alone = tried.len() == 1 && !replicas.are_several();
            let next = match is_alone {
                true => replicas.choose(&[], true),
                false => replicas.choose_anybody(&tried, call.repeatable),
            };
            match next {
                Ok(next) => {
                    let was_sent = fate != Retryability::NeverSent;
                    count_retry(if was_sent { RetryReason::Reset } else { RetryReason::NotSent });
                    (seat, now) = (next, Instant::now());
                }
                Err(_) => return Err(problem),
            }
        }
    }

    /// Calls once, with a body that can be read only once.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role; 413 when the body exceeds its limit.
    pub async fn send_once(&self, call: &RpcRequest, body: BoxBody) -> Result<Box<RpcResponse>, Problem> {
        let seat = self.seat(&[], false)?;
        // the client's time to send the body does not count against the role's time to respond
        let (line, now) = (&self.0.line, Instant::now());
        let hop = Attempt::begin(0, now, now + line.patience + self.0.upload);
        let outcome = self.0.deadlines.limit(hop.until, line.call(&seat, call, RequestBody::Stream(body), &hop)).await;
        outcome.unwrap_or_else(|| line.give_up(&seat, call, &hop)).map_err(|(_, problem)| problem)
    }

    /// Acquires a replica that accepts one more request.
    fn seat(&self, tried: &[Arc<Replica>], repeatable: bool) -> Result<InFlightGuard, Problem> {
        let (line, role) = (&self.0.line, self.0.line.role);
        line.replicas.choose_anybody(tried, repeatable).map_err(|nobody| {
            let detail = match nobody {
                NoReplica::Ready if line.replicas.known().is_empty() => format!("this installation runs no {role}"),
                NoReplica::Ready => format!("{role} is not there just now"),
                NoReplica::Free => format!("{role} has as much to do as it may; try again in a moment"),
            };
            Problem::unavailable(role, detail)
        })
    }

    /// One attempt; a slow read is hedged.
    async fn try_one(&self, seat: &InFlightGuard, call: &RpcRequest, hop: Attempt) -> Outcome {
        let Inner { line, hedge, hedges, deadlines, .. } = &*self.0;
        let load = || call.body.as_deref().map_or(RequestBody::Nothing, RequestBody::Whole);
        let mut first = pin!(line.call(seat, call, load(), &hop));
        let mut other = None;
        if call.repeatable && !hedge.is_zero() && line.replicas.are_several() {
            if let Some(outcome) = hedges.limit((hop.begin + *hedge).min(hop.until), &mut first).await {
                return outcome;
            }
            other = self.another(&[Arc::clone(seat.replica())]);
        }
        let Some(other) = other else {
            return deadlines.limit(hop.until, first).await.unwrap_or_else(|| line.give_up(seat, call, &hop));
        };
        count_retry(RetryReason::Slow);
        tracing::debug!(callee = line.role, slow = seat.replica().base, "asked another replica, too");
        let again = Attempt::begin(hop.again + 1, Instant::now(), hop.until);
        // boxed because it is rare and large
        let second = Box::pin(line.call(&other, call, load(), &again));
        // the first response wins, unless it is 502, 503 or 504
        let is_good = |outcome: &Outcome| matches!(outcome, Ok(answer) if !is_away(answer.status()));
        let either = async {
            match select(first, second).await {
                Either::Left((outcome, _)) if is_good(&outcome) => outcome,
                Either::Left((outcome, second)) => second.await.or(outcome),
                Either::Right((outcome, _)) if is_good(&outcome) => {
                    seat.replica().failed();
                    outcome
                }
                Either::Right((outcome, first)) => first.await.or(outcome),
            }
        };
        match deadlines.limit(hop.until, either).await {
            Some(outcome) => outcome,
            None => {
                drop(line.give_up(&other, call, &again));
                line.give_up(seat, call, &hop)
            }
        }
    }

    fn another(&self, tried: &[Arc<Replica>]) -> Option<InFlightGuard> {
        let replicas = &self.0.line.replicas;
        // the budget comes first: `choose` may pick an ejected replica for a probe, which must then be sent
        if !replicas.budget().spend() {
            return None;
        }
        // an ejected replica is never a hedge target; one that was not ready may be ready by now
        let unready = || replicas.choose_anybody(tried, true).ok().filter(|seat| !seat.replica().is_resting());
        replicas.choose(tried, true).ok().or_else(unready)
    }

    fn may_repeat(&self, tried: &[Arc<Replica>]) -> bool {
        // one idle connection that a single replica closed is no sign of trouble
        tried.len() == 1 && !self.0.line.replicas.are_several() || self.0.line.replicas.budget().spend()
    }
}
