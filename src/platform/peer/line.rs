//! One try at one replica: its pool of connections, what every call carries, the line in the log, what a failure means.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderValue};
use awc::error::{ConnectError, SendRequestError};
use awc::{Client, ClientRequest, Connector};
use bytes::Bytes;

use super::Answer;
use crate::platform::call::Call;
use crate::platform::case::{CASE_ID, Case, PATIENCE, milliseconds};
use crate::platform::problem::{BAD_GATEWAY, GATEWAY_TIMEOUT, Kind, Problem, TOO_LARGE};
use crate::platform::replicas::{Replicas, Seat};

/// Shorter than a server of ours keeps an idle connection: it never closes one that a request is just put on.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(1);
/// Connections to one replica, from one worker thread.
const CONNECTIONS: usize = 512;

/// The connections of one worker thread to the replicas of a role.
pub struct Line {
    pub role: &'static str,
    pub replicas: Arc<Replicas>,
    pub patience: Duration,
    /// One for each replica: a pool shared by all would let one hung replica use it up.
    clients: RefCell<Vec<(String, Client)>>,
}

/// What may have happened to a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nobody has seen it.
    NeverSent,
    /// The other side was gone before it answered.
    MaybeProcessed,
    /// It may still be at it.
    Unknown,
    /// It could not be sent, and that is not the replica's fault.
    Ours,
}

pub type Outcome = Result<Answer, (Fate, Problem)>;

impl Line {
    pub fn new(role: &'static str, replicas: Arc<Replicas>, patience: Duration) -> Line {
        Line { role, replicas, patience, clients: RefCell::default() }
    }

    /// Calls the replica that has the seat.
    pub async fn call(&self, seat: &Seat, call: &Call) -> Outcome {
        let request = self.request(&seat.replica().base, &call.method, &call.path, &call.headers);
        let begin = Instant::now();
        let outcome = match &call.body {
            Some(body) => request.send_body(Bytes::clone(body)).await,
            None => request.send().await,
        };
        self.settle(seat, outcome, &call.method, &call.path, begin)
    }

    /// A request with what every call carries: the case, and how long we wait.
    pub fn request(&self, base: &str, method: &Method, path: &str, headers: &HeaderMap) -> ClientRequest {
        let mut clients = self.clients.borrow_mut();
        let at = clients.iter().position(|(known, _)| known == base).unwrap_or_else(|| {
            // replicas come and go; those that are gone take their idle connections along
            let here = self.replicas.known();
            clients.retain(|(known, _)| here.iter().any(|replica| replica.base == *known));
            clients.push((base.to_owned(), self.client()));
            clients.len() - 1
        });
        let client = &clients[at].1;
        let mut request = client.request(method.clone(), [base, path].concat()).no_decompress();
        if !headers.is_empty() {
            *request.headers_mut() = headers.clone();
        }
        // the callee is given less, so that the role that hangs is named by the one who waits for it
        let wait = Case::with(|case| case.patience(self.patience));
        request.headers_mut().insert(CASE_ID.clone(), Case::with(Case::header));
        request.headers_mut().insert(PATIENCE.clone(), HeaderValue::from((wait.mul_f64(0.9)).as_millis() as u64));
        request.timeout(wait)
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the clients of all peers are made")]
    fn client(&self) -> Client {
        let connector = Connector::new().limit(CONNECTIONS).conn_keep_alive(KEEP_ALIVE).timeout(CONNECT);
        Client::builder().connector(connector).timeout(self.patience).disable_redirects().no_default_headers().finish()
    }

    /// Logs the call, tells the replica's record how it went, and turns a failure into what the caller is told.
    pub fn settle(
        &self,
        seat: &Seat,
        outcome: Result<Answer, SendRequestError>,
        method: &Method,
        path: &str,
        begin: Instant,
    ) -> Outcome {
        let (callee, ms, method) = (self.role, milliseconds(begin), method.as_str());
        // a query may hold what only its sender may know
        let path = path.split('?').next().unwrap_or_default();
        let error = match outcome {
            Ok(answer) => {
                let status = answer.status().as_u16();
                tracing::info!(callee, method, path, status, ms, "call answered");
                match status {
                    502..=504 => seat.replica().failed(),
                    _ => seat.replica().succeeded(),
                }
                return Ok(answer);
            }
            Err(error) => error,
        };
        tracing::warn!(callee, method, path, error = %error, ms, "call failed");
        let (fate, problem) = self.told(&error);
        if fate != Fate::Ours {
            seat.replica().failed();
        }
        Err((fate, problem))
    }

    fn told(&self, error: &SendRequestError) -> (Fate, Problem) {
        match error {
            SendRequestError::Connect(ConnectError::Disconnected | ConnectError::Io(_)) if is_late(error) => {
                (Fate::MaybeProcessed, self.failed(BAD_GATEWAY, "closed the connection before it answered"))
            }
            SendRequestError::Connect(_) => {
                (Fate::NeverSent, Problem::unavailable(self.role, format!("{} is not there just now", self.role)))
            }
            SendRequestError::Timeout => (
                Fate::Unknown,
                Problem { retry_after: Some(1), ..self.failed(GATEWAY_TIMEOUT, "did not answer in time") },
            ),
            SendRequestError::Body(_) => {
                (Fate::Ours, Problem::new(TOO_LARGE, "the body is larger than this path takes, or ended early"))
            }
            _ => (Fate::MaybeProcessed, self.failed(BAD_GATEWAY, "broke off before it answered")),
        }
    }

    /// A problem that the role has.
    pub fn failed(&self, kind: &'static Kind, what: &str) -> Problem {
        Problem { upstream: Some(self.role.to_owned()), ..Problem::new(kind, format!("{} {what}", self.role)) }
    }
}

/// Whether the connection was there and went: a refused one never was.
fn is_late(error: &SendRequestError) -> bool {
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) => true,
        SendRequestError::Connect(ConnectError::Io(io)) => {
            use std::io::ErrorKind as K;
            matches!(io.kind(), K::ConnectionReset | K::BrokenPipe | K::UnexpectedEof | K::ConnectionAborted)
        }
        _ => false,
    }
}
