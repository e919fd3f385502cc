//! Calling another role: in turn over its replicas, with one pool of connections for each, the Case-ID, and a line in the log.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use awc::error::{ConnectError, SendRequestError};
use awc::{Client, ClientResponse, Connector};
use bytes::Bytes;
use futures_util::future::join_all;
use serde::de::DeserializeOwned;

use crate::platform::call::Call;
use crate::platform::case::{CASE_ID, Case, PATIENCE, milliseconds};
use crate::platform::health::{Dependency, Report, Status};
use crate::platform::problem::{BAD_GATEWAY, GATEWAY_TIMEOUT, Problem, TOO_LARGE};
use crate::platform::proxy::content_length;
use crate::platform::replicas::Replicas;
use crate::platform::role::Context;

/// Shorter than a server of ours keeps an idle connection: it never closes one that a request is just put on.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(1);
/// Connections to one replica, from one worker thread.
const CONNECTIONS: usize = 512;
/// Bytes of an answer that is read whole: detail for 10,000 attendees over 62 days fits.
const ANSWER: usize = 64 << 20;
const HEALTH: Duration = Duration::from_secs(1);

/// An answer whose body is still to come.
pub type Answer = ClientResponse<actix_http::BoxedPayloadStream>;

/// A role to call, as one worker thread sees it.
#[derive(Clone)]
pub struct Peer(Rc<Inner>);

struct Inner {
    role: &'static str,
    replicas: Arc<Replicas>,
    patience: Duration,
    upload: Duration,
    /// One for each replica: a pool shared by all would let one hung replica use it up.
    clients: RefCell<Vec<(String, Client)>>,
}

impl Peer {
    /// For one worker thread. A role that nobody says where it is answers 503 to everything.
    pub fn new(context: &Context, role: &'static str) -> Peer {
        let replicas = context.book.find(role).map_or_else(Arc::default, Arc::clone);
        let patience = Duration::from_secs_f64(context.settings.limits.call_seconds);
        let upload = Duration::from_secs(context.settings.limits.body_seconds);
        Peer(Rc::new(Inner { role, replicas, patience, upload, clients: RefCell::default() }))
    }

    /// The role that it calls.
    pub fn role(&self) -> &'static str {
        self.0.role
    }

    /// Calls, and reads the answer's JSON.
    ///
    /// # Errors
    /// The other role's own problem, unchanged; or 502, 503, 504 naming the role.
    pub async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T, Problem> {
        let (status, body) = self.exchange(&call).await?;
        if !status.is_success() {
            return Err(self.problem(status, &body));
        }
        serde_json::from_slice(&body).map_err(|why| self.senseless(&why.to_string()))
    }

    /// Calls something that answers without a body.
    ///
    /// # Errors
    /// As [`Peer::call`].
    pub async fn order(&self, call: &Call) -> Result<(), Problem> {
        let (status, body) = self.exchange(call).await?;
        if status.is_success() { Ok(()) } else { Err(self.problem(status, &body)) }
    }

    /// Calls, and reads the answer whole, whatever its status.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role.
    pub async fn exchange(&self, call: &Call) -> Result<(StatusCode, Bytes), Problem> {
        let mut answer = self.send(call).await?;
        let said = content_length(answer.headers());
        match answer.body().limit(ANSWER).await {
            Ok(body) if said.is_none_or(|length| length == body.len() as u64) => Ok((answer.status(), body)),
            Ok(_) | Err(_) => Err(self.broke_off()),
        }
    }

    /// The role ended its answer before its end.
    pub fn broke_off(&self) -> Problem {
        self.failed(BAD_GATEWAY, "broke off in the middle of its answer")
    }

    /// The problem that the role told, or that it told none.
    fn problem(&self, status: StatusCode, body: &[u8]) -> Problem {
        let told = Problem::read(status, body).map(|problem| match &problem.upstream {
            None if status.is_server_error() => Problem { upstream: Some(self.0.role.to_owned()), ..problem },
            _ => problem,
        });
        told.unwrap_or_else(|| self.senseless(&format!("{status} without a problem document")))
    }

    fn senseless(&self, why: &str) -> Problem {
        tracing::error!(callee = self.0.role, why, "the answer makes no sense");
        self.failed(BAD_GATEWAY, "gave an answer that cannot be read")
    }

    /// Calls the replica whose turn it is; where that surely did no harm, the next one instead.
    ///
    /// # Errors
    /// 502, 503, 504 naming the role.
    pub async fn send(&self, call: &Call) -> Result<Answer, Problem> {
        let (bases, turn) = self.turn()?;
        let count = bases.len();
        let mut tries = 0;
        loop {
            let base = &bases[(turn + tries) % count];
            let request = self.request(base, &call.method, &call.path, &call.headers);
            let begin = Instant::now();
            let outcome = match &call.body {
                Some(body) => request.send_body(body.clone()).await,
                None => request.send().await,
            };
            tries += 1;
            match self.settle(outcome, &call.method, &call.path, begin) {
                Ok(answer) => return Ok(answer),
                Err((Fate::NeverSent, _)) if tries < count => {}
                Err((Fate::MaybeProcessed, _)) if call.repeatable && tries < count.max(2) => {}
                Err((_, problem)) => return Err(problem),
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
        B: actix_web::body::MessageBody + 'static,
    {
        let (bases, turn) = self.turn()?;
        let begin = Instant::now();
        let request = self.request(&bases[turn % bases.len()], method, path, headers);
        // the client's own time to send is not the role's time to answer
        let outcome = request.timeout(self.0.patience + self.0.upload).send_body(body).await;
        self.settle(outcome, method, path, begin).map_err(|(_, problem)| problem)
    }

    /// How all replicas do; asks each, out of turn.
    pub async fn health(&self) -> (String, Dependency) {
        let begin = Instant::now();
        let bases = self.0.replicas.bases();
        let asked = bases.iter().map(|base| self.health_of(base));
        let statuses: Vec<Status> = join_all(asked).await;
        let well = statuses.iter().filter(|status| **status != Status::Unhealthy).count();
        let best = statuses.iter().min().copied().unwrap_or(Status::Unhealthy);
        let worst = statuses.iter().max().copied().unwrap_or(Status::Unhealthy);
        let status = if best == Status::Unhealthy { best } else { worst.min(Status::Degraded) };
        let replicas = (statuses.len() > 1).then(|| format!("{well} of {}", statuses.len()));
        (format!("{}-service", self.0.role), Dependency { replicas, ..Dependency::measured(status, begin) })
    }

    async fn health_of(&self, base: &str) -> Status {
        let wait = Case::with(|case| case.patience(HEALTH));
        let mut request = self.request(base, &Method::GET, "/health", &HeaderMap::new()).timeout(wait);
        request.headers_mut().insert(PATIENCE.clone(), HeaderValue::from((wait.mul_f64(0.8)).as_millis() as u64));
        let Ok(mut answer) = request.send().await else {
            return Status::Unhealthy;
        };
        answer.json::<Report>().await.map_or(Status::Unhealthy, |report| report.status)
    }

    /// The replicas there are now, never none, and the number of the one whose turn it is.
    fn turn(&self) -> Result<(Arc<Vec<String>>, usize), Problem> {
        let bases = self.0.replicas.bases();
        match bases.is_empty() {
            true => Err(Problem::unavailable(self.0.role, format!("this installation runs no {}", self.0.role))),
            false => Ok((bases, self.0.replicas.next_turn())),
        }
    }

    fn request(&self, base: &str, method: &Method, path: &str, headers: &HeaderMap) -> awc::ClientRequest {
        let mut clients = self.0.clients.borrow_mut();
        let at = clients.iter().position(|(known, _)| known == base).unwrap_or_else(|| {
            // replicas come and go; those that are gone take their idle connections along
            let here = self.0.replicas.bases();
            clients.retain(|(known, _)| here.contains(known));
            clients.push((base.to_owned(), self.client()));
            clients.len() - 1
        });
        let client = &clients[at].1;
        let mut request = client.request(method.clone(), [base, path].concat()).no_decompress();
        if !headers.is_empty() {
            *request.headers_mut() = headers.clone();
        }
        // the callee is given less, so that the role that hangs is named by the one who waits for it
        let wait = Case::with(|case| case.patience(self.0.patience));
        request.headers_mut().insert(CASE_ID.clone(), Case::with(Case::header));
        request.headers_mut().insert(PATIENCE.clone(), HeaderValue::from((wait.mul_f64(0.9)).as_millis() as u64));
        request.timeout(wait)
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the clients of all peers are made")]
    fn client(&self) -> Client {
        let connector = Connector::new().limit(CONNECTIONS).conn_keep_alive(KEEP_ALIVE).timeout(CONNECT);
        Client::builder()
            .connector(connector)
            .timeout(self.0.patience)
            .disable_redirects()
            .no_default_headers()
            .finish()
    }

    /// Logs the call, and turns a failure into what the caller is told and whether it may be tried again.
    fn settle(
        &self,
        outcome: Result<Answer, SendRequestError>,
        method: &Method,
        path: &str,
        begin: Instant,
    ) -> Result<Answer, (Fate, Problem)> {
        let (callee, ms, method) = (self.0.role, milliseconds(begin), method.as_str());
        // a query may hold what only its sender may know
        let path = path.split('?').next().unwrap_or_default();
        let error = match outcome {
            Ok(answer) => {
                tracing::info!(callee, method, path, status = answer.status().as_u16(), ms, "call answered");
                return Ok(answer);
            }
            Err(error) => error,
        };
        tracing::warn!(callee, method, path, error = %error, ms, "call failed");
        Err(match error {
            SendRequestError::Connect(ConnectError::Disconnected | ConnectError::Io(_)) if is_late(&error) => {
                (Fate::MaybeProcessed, self.failed(BAD_GATEWAY, "closed the connection before it answered"))
            }
            SendRequestError::Connect(_) => {
                (Fate::NeverSent, Problem::unavailable(self.0.role, format!("{} is not there just now", self.0.role)))
            }
            SendRequestError::Timeout => (
                Fate::Unknown,
                Problem { retry_after: Some(1), ..self.failed(GATEWAY_TIMEOUT, "did not answer in time") },
            ),
            SendRequestError::Body(_) => {
                (Fate::Unknown, Problem::new(TOO_LARGE, "the body is larger than this path takes, or ended early"))
            }
            _ => (Fate::MaybeProcessed, self.failed(BAD_GATEWAY, "broke off before it answered")),
        })
    }

    fn failed(&self, kind: &'static crate::platform::problem::Kind, what: &str) -> Problem {
        Problem { upstream: Some(self.0.role.to_owned()), ..Problem::new(kind, format!("{} {what}", self.0.role)) }
    }
}

/// What may have happened to a call that failed.
enum Fate {
    /// Nobody has seen it.
    NeverSent,
    /// The other side was gone before it answered.
    MaybeProcessed,
    /// It may still be at it.
    Unknown,
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
