//! A client's connection, below HTTP: what it may cost us. The HTTP library minds the head of a connection's first request and
//! nothing else, so the clocks, the counts and the slow end of a connection are here, in the stream that it reads from.

mod body;
mod guarded;
mod serve;

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::platform::timer_pool::Timer;
pub use body::MonitoredBody;
pub use guarded::GuardedStream;
pub use serve::{ServerOptions, serve};

/// Time for a head: from the connection's beginning, or from the first byte of a later request.
const HEAD: Duration = Duration::from_secs(5);

/// Where a connection is between two requests.
#[derive(Clone, Copy)]
enum Phase {
    /// Nothing has come since the last request.
    Idle,
    /// A head is on its way; since then, if anybody has had to wait for the rest of it.
    Head(Option<Instant>),
    /// A request is worked on, or its answer is on its way.
    Busy,
}

/// What a connection and its requests tell each other; each request finds it among its connection's data.
pub struct ConnectionState {
    phase: Cell<Phase>,
    /// A request has ended, or something was written, since the clock for idle connections was wound.
    used: Cell<bool>,
    /// Bytes read so far, and where reading ends.
    read: Cell<u64>,
    most: Cell<u64>,
    /// Nothing more is read: for the HTTP library the client has ended.
    deaf: Cell<bool>,
    /// What is said when the connection is closed, where no request could be answered.
    farewell: Cell<&'static [u8]>,
    /// The answer after which the connection is closed is given; what was sent behind its request is not read.
    closing: Cell<bool>,
    hung_up: Cell<bool>,
    /// A request was dropped before it had an answer.
    unanswered: Cell<bool>,
    /// The client waits to be told that its body is wanted; and it is.
    expecting: Cell<bool>,
    wanted: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    /// Of one body after the other.
    bodies: RefCell<Timer>,
}

impl ConnectionState {
    fn new() -> ConnectionState {
        ConnectionState {
            phase: Cell::new(Phase::Head(Some(Instant::now()))),
            used: Cell::new(false),
            read: Cell::new(0),
            most: Cell::new(u64::MAX),
            deaf: Cell::new(false),
            farewell: Cell::new(b""),
            closing: Cell::new(false),
            hung_up: Cell::new(false),
            unanswered: Cell::new(false),
            expecting: Cell::new(false),
            wanted: Cell::new(false),
            reader: RefCell::default(),
            bodies: RefCell::default(),
        }
    }

    /// Reads nothing more: the rest of a body that nobody wants is no request.
    fn stop_reading(&self) {
        self.deaf.set(true);
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }

    /// The client sends its body only when told to.
    pub fn expect(&self, expecting: bool) {
        self.expecting.set(expecting);
        self.wanted.set(false);
    }

    /// Somebody reads the body.
    fn want(&self) {
        self.wanted.set(self.expecting.replace(false));
    }

    /// Allows so many bytes from now on.
    fn allow(&self, bytes: u64) {
        self.most.set(self.read.get().saturating_add(bytes));
    }

    fn allow_more(&self, bytes: u64) {
        self.most.set(self.most.get().saturating_add(bytes));
    }

    fn is_spent(&self) -> bool {
        self.read.get() > self.most.get()
    }

    /// Whether somebody may still be sending who is to hear the last word.
    fn is_cut_off(&self) -> bool {
        let in_a_head = matches!(self.phase.get(), Phase::Head(_));
        self.deaf.get() || in_a_head && self.read.get() > 0
    }
}

/// A request that is worked on, until it is dropped with the last byte of its answer.
pub struct InFlightRequest {
    line: Rc<ConnectionState>,
    answered: bool,
}

impl InFlightRequest {
    /// A request has come on this connection, whole but for its body. What comes behind the last one waits for ever, which is
    /// until the last answer is out.
    pub async fn begin(line: Rc<ConnectionState>) -> InFlightRequest {
        if line.closing.get() {
            line.hung_up.set(true);
            std::future::pending::<()>().await;
        }
        line.phase.set(Phase::Busy);
        InFlightRequest { line, answered: false }
    }

    /// It is answered; this may be the last answer on its connection.
    fn answered(mut self, last: bool) -> InFlightRequest {
        self.answered = true;
        self.line.closing.set(self.line.closing.get() || last);
        self
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.line.phase.set(Phase::Idle);
        self.line.used.set(true);
        self.line.unanswered.set(!self.answered);
    }
}

pin_project! {
    /// An answer's body, and the request that it ends.
    pub struct TrackedBody<B> {
        #[pin]
        body: B,
        request: Option<InFlightRequest>,
    }
}

impl<B> TrackedBody<B> {
    /// This body ends that request, and if it is the `last`, the connection.
    pub fn new(body: B, request: Option<InFlightRequest>, last: bool) -> TrackedBody<B> {
        TrackedBody { body, request: request.map(|request| request.answered(last)) }
    }
}

impl<B: MessageBody> MessageBody for TrackedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(cx)
    }
}
