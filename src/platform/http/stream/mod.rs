//! The server side of a connection, below HTTP. actix limits the time of the first head of a connection and nothing else, so
//! the other timeouts, byte counts and the lingering close are in the stream that actix reads from.

mod body;
mod empty_line;
mod guarded;
mod open_connections;
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
use empty_line::EmptyLineCounter;
pub use guarded::GuardedStream;
pub use open_connections::OpenConnections;
pub use serve::{ServerOptions, serve};

/// Timeout of a head: from the start of the connection, or from the first byte of a later request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

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
    was_active: Cell<bool>,
    /// Bytes read so far, and the number at which reading ends.
    bytes_read: Cell<u64>,
    read_limit: Cell<u64>,
    /// Bytes read since the last empty line, which ends a head; and the length of the body of the current request.
    bytes_behind_head: Cell<u64>,
    empty_lines: RefCell<EmptyLineCounter>,
    body_length: Cell<u64>,
    /// Whether reading has ended: actix sees the end of the stream.
    read_closed: Cell<bool>,
    /// The response that is sent on closing when no request could be parsed.
    final_response: Cell<&'static [u8]>,
    /// Whether the final response has begun. Requests that were pipelined behind its request are not processed.
    closing: Cell<bool>,
    /// Whether the connection must close at once, because a request was pipelined behind the final response.
    aborted: Cell<bool>,
    /// Whether a request was dropped before it had a response.
    has_no_response: Cell<bool>,
    /// Whether the client waits for `100 Continue`, and whether it must be sent.
    expects_continue: Cell<bool>,
    continue_requested: Cell<bool>,
    read_waker: RefCell<Option<Waker>>,
    /// The timer of the current request body.
    body_timer: RefCell<Timer>,
}

impl ConnectionState {
    fn new() -> ConnectionState {
        ConnectionState {
            phase: Cell::new(Phase::Head(Some(Instant::now()))),
            was_active: Cell::new(false),
            bytes_read: Cell::new(0),
            read_limit: Cell::new(u64::MAX),
            bytes_behind_head: Cell::new(0),
            empty_lines: RefCell::default(),
            body_length: Cell::new(0),
            read_closed: Cell::new(false),
            final_response: Cell::new(b""),
            closing: Cell::new(false),
            aborted: Cell::new(false),
            has_no_response: Cell::new(false),
            expects_continue: Cell::new(false),
            continue_requested: Cell::new(false),
            read_waker: RefCell::default(),
            body_timer: RefCell::default(),
        }
    }

    fn record_read(&self, bytes: &[u8]) {
        self.bytes_read.set(self.bytes_read.get() + bytes.len() as u64);
        self.bytes_behind_head.set(self.empty_lines.borrow_mut().count(bytes));
    }

    /// Ends reading: the rest of an unread body must not be parsed as a request.
    fn stop_reading(&self) {
        self.read_closed.set(true);
        if let Some(waker) = self.read_waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Records whether the client sends its body only after `100 Continue`.
    pub fn set_expectation(&self, expects_continue: bool) {
        self.expects_continue.set(expects_continue);
        self.continue_requested.set(false);
    }

    /// Requests `100 Continue`, because a handler reads the body.
    fn request_continue(&self) {
        self.continue_requested.set(self.expects_continue.replace(false));
    }

    /// Allows this many bytes from now on.
    fn set_read_budget(&self, bytes: u64) {
        self.read_limit.set(self.bytes_read.get().saturating_add(bytes));
    }

    fn extend_read_budget(&self, bytes: u64) {
        self.read_limit.set(self.read_limit.get().saturating_add(bytes));
    }

    fn is_over_budget(&self) -> bool {
        self.bytes_read.get() > self.read_limit.get()
    }

    /// Whether a part of a head has arrived behind the current request. More than a line end, which some clients send behind a
    /// body.
    fn has_partial_head(&self) -> bool {
        self.bytes_behind_head.get() > self.body_length.get().saturating_add(2)
    }

    /// Whether the client may still be sending, and so needs a lingering close.
    fn needs_lingering_close(&self) -> bool {
        let in_a_head = matches!(self.phase.get(), Phase::Head(_));
        self.read_closed.get() || in_a_head && self.bytes_read.get() > 0
    }
}

/// A request in flight, until it is dropped with the last byte of its response.
pub struct InFlightRequest {
    connection: Rc<ConnectionState>,
    has_response: bool,
}

impl InFlightRequest {
    /// Starts a request whose head has arrived, with a body of this length if it is declared. A request that was pipelined behind the final response is never processed: it
    /// is parked until the connection closes.
    pub async fn begin(connection: Rc<ConnectionState>, body_length: Option<u64>) -> InFlightRequest {
        if connection.closing.get() {
            connection.aborted.set(true);
            std::future::pending::<()>().await;
        }
        connection.phase.set(Phase::Busy);
        connection.body_length.set(body_length.unwrap_or_default());
        InFlightRequest { connection, has_response: false }
    }

    /// Records that the response has begun, and whether it is the final one of the connection.
    fn begin_response(mut self, is_last: bool) -> InFlightRequest {
        self.has_response = true;
        self.connection.closing.set(self.connection.closing.get() || is_last);
        self
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        let waits = self.connection.has_partial_head();
        self.connection.phase.set(if waits { Phase::Head(Some(Instant::now())) } else { Phase::Idle });
        self.connection.was_active.set(true);
        self.connection.has_no_response.set(!self.has_response);
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
    /// Ends the request when the body ends, and the connection too if `is_last`.
    pub fn new(body: B, request: Option<InFlightRequest>, is_last: bool) -> TrackedBody<B> {
        TrackedBody { body, request: request.map(|request| request.begin_response(is_last)) }
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
