//! Which replica a call goes to, and which other one when that comes to nothing.

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use futures_util::future::{Either, select};
use tokio::time::timeout;

use super::line::{Fate, Outcome};
use super::{Answer, Peer};
use crate::platform::call::Call;
use crate::platform::problem::Problem;
use crate::platform::replicas::{Nobody, Replica, Seat};

/// Tries beside the first, where something may have been sent.
const REPEATS: usize = 2;

impl Peer {
    /// Calls the replica whose turn it is; where that surely did no harm, another one instead. A read that is not answered soon
    /// is asked of another replica, too, and whoever answers first counts.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role.
    pub async fn send(&self, call: &Call) -> Result<Answer, Problem> {
        let replicas = &self.0.line.replicas;
        if !replicas.stay_alone() {
            replicas.budget().earn();
        }
        let mut tried: Vec<Arc<Replica>> = Vec::new();
        let mut seat = self.seat(&tried, call.repeatable)?;
        loop {
            let replica = Arc::clone(seat.replica());
            let (fate, problem) = match self.try_one(seat, call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            tried.push(replica);
            let again = match fate {
                // a replica that is not there costs nothing to ask
                Fate::NeverSent => true,
                Fate::MaybeProcessed => call.repeatable && tried.len() <= REPEATS && self.may_repeat(&tried),
                Fate::Unknown | Fate::Ours => false,
            };
            if !again {
                return Err(problem);
            }
            let next = match fate {
                // alone, it has closed an idle connection at the wrong moment: the next one is fresh
                Fate::MaybeProcessed if tried.len() == 1 && replicas.known().len() == 1 => replicas.choose(&[], true),
                _ => replicas.choose(&tried, call.repeatable),
            };
            match next {
                Ok(next) => seat = next,
                Err(_) => return Err(problem),
            }
        }
    }

    /// Calls once, with a body that can be read only once.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role; 413 when the body ends itself for its size.
    pub async fn send_once<B>(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Answer, Problem>
    where
        B: MessageBody + 'static,
    {
        let line = &self.0.line;
        let seat = self.seat(&[], false)?;
        let begin = Instant::now();
        let request = line.request(&seat.replica().base, method, path, headers);
        // the client's own time to send is not the role's time to answer
        let outcome = request.timeout(line.patience + self.0.upload).send_body(body).await;
        line.settle(&seat, outcome, method, path, begin).map_err(|(_, problem)| problem)
    }

    /// A replica that takes one request more.
    fn seat(&self, tried: &[Arc<Replica>], repeatable: bool) -> Result<Seat, Problem> {
        let (line, role) = (&self.0.line, self.0.line.role);
        line.replicas.choose(tried, repeatable).map_err(|nobody| {
            let detail = match nobody {
                Nobody::Ready if line.replicas.known().is_empty() => format!("this installation runs no {role}"),
                Nobody::Ready => format!("{role} is not there just now"),
                Nobody::Free => format!("{role} has as much to do as it may; try again in a moment"),
            };
            Problem::unavailable(role, detail)
        })
    }

    /// One try; of a read, two at a time when the first takes long.
    async fn try_one(&self, seat: Seat, call: &Call) -> Outcome {
        let (line, hedge) = (&self.0.line, self.0.hedge);
        if !call.repeatable || hedge.is_zero() || line.replicas.known().len() < 2 {
            return line.call(&seat, call).await;
        }
        let mut first = Box::pin(line.call(&seat, call));
        if let Ok(outcome) = timeout(hedge, &mut first).await {
            return outcome;
        }
        let tried = [Arc::clone(seat.replica())];
        let Some(other) = self.another(&tried) else { return first.await };
        tracing::debug!(callee = line.role, slow = tried[0].base, "asked another replica, too");
        let second = Box::pin(line.call(&other, call));
        match select(first, second).await {
            Either::Left((Ok(answer), _)) => Ok(answer),
            Either::Right((Ok(answer), _)) => {
                tried[0].failed();
                Ok(answer)
            }
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
        }
    }

    fn another(&self, tried: &[Arc<Replica>]) -> Option<Seat> {
        let replicas = &self.0.line.replicas;
        // in this order: who is chosen may be on trial, and must be asked then
        if replicas.budget().spend() { replicas.choose(tried, true).ok() } else { None }
    }

    fn may_repeat(&self, tried: &[Arc<Replica>]) -> bool {
        // one idle connection that closed is no trouble yet
        tried.len() == 1 && self.0.line.replicas.known().len() == 1 || self.0.line.replicas.budget().spend()
    }
}
