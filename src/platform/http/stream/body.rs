//! The body of a request, limited in time, pace and overhead.

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

/// Time before the pace counts, and the interval at which it is checked afterwards.
const GRACE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(1);
/// Minimum pace in bytes per second.
const PACE: u64 = 1 << 10;
/// Limit of bytes on the wire: a constant, plus a multiple of the payload.
const FREE: u64 = 1 << 20;
const TIMES: u64 = 4;

/// The body of a request in flight. The handler reads it through the request's payload; the server checks the outcome.
pub struct MonitoredBody(Rc<RefCell<Inner>>);

struct Inner {
    payload: Payload,
    line: Rc<ConnectionState>,
    within: Duration,
    /// The start of reading, and the time of the next check of the pace.
    begun: Option<(Instant, Instant)>,
    read: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Coming,
    Whole,
    Slow,
    Costly,
    Broken,
}

impl MonitoredBody {
    /// Replaces the payload of a request by a monitored one; `None` if the request has no body.
    pub fn watch(req: &mut ServiceRequest, within: Duration) -> Option<MonitoredBody> {
        let line = Rc::clone(req.request().conn_data::<Rc<ConnectionState>>()?);
        let payload = match req.take_payload() {
            Payload::None => return None,
            payload => payload,
        };
        let inner = Inner { payload, line, within, begun: None, read: 0, state: State::Coming };
        let shared = Rc::new(RefCell::new(inner));
        req.set_payload(Payload::Stream { payload: Box::pin(Arriving(Rc::clone(&shared))) });
        Some(MonitoredBody(shared))
    }

    /// Drains what has arrived and was not read. True if the body is complete; otherwise the connection can serve no further
    /// request. Call this once there is a response.
    pub async fn settle(&self) -> bool {
        let mut waited = false;
        // actix reads the first bytes of a body only after the handler was polled once
        poll_fn(|cx| {
            if self.0.borrow().begun.is_none() && !std::mem::replace(&mut waited, true) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut inner = self.0.borrow_mut();
            let state = inner.state;
            while let Poll::Ready(Some(Ok(_))) = inner.take(cx) {}
            inner.line.most.set(u64::MAX);
            let whole = inner.state == State::Whole;
            if state == State::Coming && !whole {
                // the handler did not see the rest, so its fault is not reported
                inner.state = state;
            }
            if !whole {
                inner.line.stop_reading();
                cx.waker().wake_by_ref();
            }
            Poll::Ready(whole)
        })
        .await
    }

    /// The fault that the handler met while it read the body.
    pub fn problem(&self) -> Option<Problem> {
        match self.0.borrow().state {
            State::Slow => Some(Problem::new(TIMEOUT, "the body did not arrive in time")),
            State::Costly => Some(Problem::new(TOO_LARGE, "there is far more around the body than in it")),
            State::Broken => Some(Problem::new(BAD_REQUEST, "the body ended early or is not framed right")),
            State::Coming | State::Whole => None,
        }
    }
}

/// The payload that the handler reads from.
struct Arriving(Rc<RefCell<Inner>>);

impl Stream for Arriving {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().read(cx)
    }
}

impl Inner {
    /// Polls the payload and counts its bytes.
    fn take(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        match self.state {
            State::Whole => return Poll::Ready(None),
            State::Slow => return Poll::Ready(Some(Err(late()))),
            State::Coming | State::Costly | State::Broken => {}
        }
        let polled = Pin::new(&mut self.payload).poll_next(cx);
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => {
                self.read += bytes.len() as u64;
                self.line.allow_more(TIMES * bytes.len() as u64);
            }
            Poll::Ready(None) => self.state = State::Whole,
            Poll::Ready(Some(Err(_))) if self.line.is_spent() => {
                self.state = State::Costly;
                return Poll::Ready(Some(Err(PayloadError::Overflow)));
            }
            Poll::Ready(Some(Err(_))) => self.state = State::Broken,
            Poll::Pending => {}
        }
        polled
    }

    /// Polls the payload, and fails when the body is too slow.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        if self.begun.is_none() {
            let now = Instant::now();
            self.begun = Some((now, now + GRACE.min(self.within)));
            self.line.allow(FREE);
            self.line.want();
        }
        let taken = self.take(cx);
        let Some((begun, look)) = self.begun.as_mut().filter(|_| taken.is_pending()) else { return taken };
        while self.line.bodies.borrow_mut().poll(cx, *look).is_ready() {
            let waited = begun.elapsed();
            if waited >= self.within || self.read < PACE * waited.as_secs() {
                self.state = State::Slow;
                return Poll::Ready(Some(Err(late())));
            }
            *look = (Instant::now() + LOOK).min(*begun + self.within);
        }
        Poll::Pending
    }
}

fn late() -> PayloadError {
    PayloadError::Io(std::io::ErrorKind::TimedOut.into())
}
