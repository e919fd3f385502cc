//! The server side of a connection, below HTTP. actix limits the time of the first head of a connection and nothing else, so
//! the other timeouts, byte counts and the lingering close are in the stream that actix reads from.

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

/// Timeout of a head: from the start of the connection, or from the first byte of a later request.
const HEAD: Duration = Duration::from_secs(5);

/// The state of a connection between and during requests.
#[derive(Clone, Copy)]
enum Phase {
    /// No byte has arrived since the last request.
    Idle,
    /// A head is arriving. The instant is set once a read has had to wait for the rest of it.
    Head(Option<Instant>),
    /// A request is being handled, or its response is being sent.
    Busy,
}

/// The state that a connection shares with its requests. A request finds it in its connection data.
pub struct ConnectionState {
    phase: Cell<Phase>,
    /// Whether a request ended or bytes were written since the idle timer was set.
    used: Cell<bool>,
    /// Bytes read so far, and the number at which reading ends.
    read: Cell<u64>,
    most: Cell<u64>,
    /// Whether reading has ended: actix sees the end of the stream.
    deaf: Cell<bool>,
    /// Response that is sent on closing, where no request could be answered.
    farewell: Cell<&'static [u8]>,
    /// Whether the final response has begun. Requests that were pipelined behind its request are not processed.
    closing: Cell<bool>,
    hung_up: Cell<bool>,
    /// Whether a request was dropped before it had a response.
    unanswered: Cell<bool>,
    /// Whether the client waits for `100 Continue`, and whether it must be sent.
    expecting: Cell<bool>,
    wanted: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    /// The timer of request bodies, one after the other.
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

    /// Ends reading: the rest of an unread body must not be parsed as a request.
    fn stop_reading(&self) {
        self.deaf.set(true);
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }

    /// Notes whether the client sends its body only after `100 Continue`.
    pub fn expect(&self, expecting: bool) {
        self.expecting.set(expecting);
        self.wanted.set(false);
    }

    /// Requests `100 Continue`, because a handler reads the body.
    fn want(&self) {
        self.wanted.set(self.expecting.replace(false));
    }

    /// Allows this many bytes from now on.
    fn allow(&self, bytes: u64) {
        self.most.set(self.read.get().saturating_add(bytes));
    }

    fn allow_more(&self, bytes: u64) {
        self.most.set(self.most.get().saturating_add(bytes));
    }

    fn is_spent(&self) -> bool {
        self.read.get() > self.most.get()
    }

    /// Whether the client may still be sending, and so needs a lingering close.
    fn is_cut_off(&self) -> bool {
        let in_a_head = matches!(self.phase.get(), Phase::Head(_));
        self.deaf.get() || in_a_head && self.read.get() > 0
    }
}

/// A request in flight, until it is dropped with the last byte of its response.
pub struct InFlightRequest {
    line: Rc<ConnectionState>,
    answered: bool,
}

impl InFlightRequest {
    /// Starts a request whose head has arrived. A request that was pipelined behind the final response is never processed: it
    /// is parked until the connection closes.
    pub async fn begin(line: Rc<ConnectionState>) -> InFlightRequest {
        if line.closing.get() {
            line.hung_up.set(true);
            std::future::pending::<()>().await;
        }
        line.phase.set(Phase::Busy);
        InFlightRequest { line, answered: false }
    }

    /// Notes that the response has begun, and whether it is the final one of the connection.
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
    /// The body of a response; dropping it ends the request.
    pub struct TrackedBody<B> {
        #[pin]
        body: B,
        request: Option<InFlightRequest>,
    }
}

impl<B> TrackedBody<B> {
    /// Ends this request with the body, and with the `last` body the connection.
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
