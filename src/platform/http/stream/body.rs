//! The body of a request, with limits on its time, rate and overhead.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::poll_fn;
use tokio::time::Instant;

use super::ConnectionState;
use crate::platform::http::problem::{BAD_REQUEST, Problem, TIMEOUT, TOO_LARGE};

/// Time before the rate is checked, and the interval between later checks.
const GRACE_PERIOD: Duration = Duration::from_secs(2);
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
const MIN_BYTES_PER_SECOND: u64 = 1 << 10;
/// Limit of bytes on the connection: a constant, plus a multiple of the payload.
const FREE_OVERHEAD: u64 = 1 << 20;
const MAX_OVERHEAD_RATIO: u64 = 4;

/// The body of a request in flight. The handler reads it through the request's payload; the server checks the outcome.
pub struct MonitoredBody(Rc<RefCell<Inner>>);

struct Inner {
    payload: Payload,
    connection: Rc<ConnectionState>,
    time_limit: Duration,
    /// The start of reading, and the time of the next check of the rate.
    started: Option<(Instant, Instant)>,
    bytes_read: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Incomplete,
    Complete,
    Slow,
    OverheadExceeded,
    Invalid,
}

impl MonitoredBody {
    /// Replaces the payload of a request by a monitored one; `None` if the request has no body.
    pub fn watch(req: &mut ServiceRequest, time_limit: Duration) -> Option<MonitoredBody> {
        let connection = Rc::clone(req.request().conn_data::<Rc<ConnectionState>>()?);
        let payload = match req.take_payload() {
            Payload::None => return None,
            payload => payload,
        };
        let inner = Inner { payload, connection, time_limit, started: None, bytes_read: 0, state: State::Incomplete };
        let shared = Rc::new(RefCell::new(inner));
        req.set_payload(Payload::Stream { payload: Box::pin(BodyStream(Rc::clone(&shared))) });
        Some(MonitoredBody(shared))
    }

    /// Drains what has arrived and was not read. True if the body is complete; otherwise the connection can serve no further
    /// request. Call this once there is a response.
    pub async fn drain(&self) -> bool {
        let mut waited = false;
        // actix reads the first bytes of a body only after the handler was polled once
        poll_fn(|cx| {
            if self.0.borrow().started.is_none() && !std::mem::replace(&mut waited, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut inner = self.0.borrow_mut();
            let state = inner.state;
            while let Poll::Ready(Some(Ok(_))) = inner.poll_payload(cx) {}
            inner.connection.read_limit.set(u64::MAX);
            let is_complete = inner.state == State::Complete;
            if state == State::Incomplete && !is_complete {
                // the handler did not see the rest, so its fault is not reported
                inner.state = state;
            }
            if !is_complete {
                inner.connection.stop_reading();
                cx.waker().wake_by_ref();
            }
            Poll::Ready(is_complete)
        })
        .await
    }

    /// The fault that the handler met while it read the body.
    pub fn problem(&self) -> Option<Problem> {
        match self.0.borrow().state {
            State::Slow => Some(Problem::new(TIMEOUT, "the body did not arrive in time: send the request again")),
            State::OverheadExceeded => {
                Some(Problem::new(TOO_LARGE, "the framing of the body is far larger than the body"))
            }
            State::Invalid => Some(Problem::new(
                BAD_REQUEST,
                "the body ended early, or its framing is invalid: send a whole body with its length, or in chunks",
            )),
            State::Incomplete | State::Complete => None,
        }
    }
}

/// The payload that the handler reads from.
struct BodyStream(Rc<RefCell<Inner>>);

impl Stream for BodyStream {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_body(cx)
    }
}

impl Inner {
    /// Polls the payload and counts its bytes.
    fn poll_payload(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        match self.state {
            State::Complete => return Poll::Ready(None),
            State::Slow => return Poll::Ready(Some(Err(timed_out()))),
            State::Incomplete | State::OverheadExceeded | State::Invalid => {}
        }
        let polled = Pin::new(&mut self.payload).poll_next(cx);
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => {
                self.bytes_read += bytes.len() as u64;
                self.connection.extend_read_budget(MAX_OVERHEAD_RATIO * bytes.len() as u64);
            }
            Poll::Ready(None) => self.state = State::Complete,
            Poll::Ready(Some(Err(_))) if self.connection.is_over_budget() => {
                self.state = State::OverheadExceeded;
                return Poll::Ready(Some(Err(PayloadError::Overflow)));
            }
            Poll::Ready(Some(Err(_))) => self.state = State::Invalid,
            Poll::Pending => {}
        }
        polled
    }

    /// Polls the payload, and fails when the body is too slow.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        if self.started.is_none() {
            let now = Instant::now();
            self.started = Some((now, now + GRACE_PERIOD.min(self.time_limit)));
            self.connection.set_read_budget(FREE_OVERHEAD);
            self.connection.request_continue();
        }
        let polled = self.poll_payload(cx);
        let Some((started, next_check)) = self.started.as_mut().filter(|_| polled.is_pending()) else { return polled };
        while self.connection.body_timer.borrow_mut().poll(cx, *next_check).is_ready() {
            let elapsed = started.elapsed();
            if elapsed >= self.time_limit || self.bytes_read < MIN_BYTES_PER_SECOND * elapsed.as_secs() {
                self.state = State::Slow;
                return Poll::Ready(Some(Err(timed_out())));
            }
            *next_check = (Instant::now() + CHECK_INTERVAL).min(*started + self.time_limit);
        }
        Poll::Pending
    }
}

fn timed_out() -> PayloadError {
    PayloadError::Io(std::io::ErrorKind::TimedOut.into())
}
