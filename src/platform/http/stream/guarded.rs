//! The TCP stream of one connection with timeouts: for heads, for slow readers, for idle connections, and for the close.

use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_rt::net::TcpStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep};

use super::open_connections::OpenConnection;
use super::{ConnectionState, HEAD_TIMEOUT, Phase};
use crate::platform::limiter::KeyedPermit;
use crate::platform::timer_pool::Timer;

/// A client that accepts fewer bytes than this within this time, while a response waits for it, is disconnected.
const STALL_INTERVAL: Duration = Duration::from_secs(14);
const MIN_STALLED_BYTES: usize = 14 << 10;
/// TCP_USER_TIMEOUT: the kernel gives up unacknowledged data after this.
const USER_TIMEOUT: Duration = Duration::from_secs(25);
/// Limits of the lingering close: time, and bytes read and discarded after the final response. Without it, a client that is
/// still sending gets a reset and may never see the response.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_DISCARDED: usize = 16 << 20;
/// An idle connection is closed after one to two times this. Our own clients close theirs earlier, never under a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Bytes of a request line. actix refuses longer ones without a response; the edge filter refuses shorter ones with a problem.
const MAX_REQUEST_LINE: usize = 64 << 10;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const NOT_IMPLEMENTED: &[u8] = b"HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const URI_TOO_LONG: &[u8] = b"HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Steps of closing a connection.
enum Closing {
    Responding(&'static [u8]),
    ShuttingDown,
    /// The deadline, and the bytes discarded so far.
    Lingering(Instant, usize),
}

/// The stream. [`ConnectionState`] is what its requests share with it.
pub struct GuardedStream {
    io: TcpStream,
    state: Rc<ConnectionState>,
    head_timer: Timer,
    write_timer: Timer,
    /// Reset when it fires, and not for every request.
    idle_timer: Option<Pin<Box<Sleep>>>,
    /// When the client began to stall a response, and the bytes that it has accepted since.
    stalled: Option<(Instant, usize)>,
    interim: &'static [u8],
    closing: Option<Closing>,
    /// Bytes of the request line so far.
    request_line: usize,
    has_method: bool,
    /// Whether the client closed the connection or was lost.
    peer_closed: bool,
    _held: (OpenConnection, Option<KeyedPermit<IpAddr>>),
}

impl GuardedStream {
    /// Wraps a connection that was just accepted.
    pub fn new(io: TcpStream, open: OpenConnection, permit: Option<KeyedPermit<IpAddr>>) -> GuardedStream {
        let socket = SockRef::from(&io);
        // setting an option fails only on a dead socket; the next read reports that
        drop(socket.set_tcp_nodelay(true));
        drop(socket.set_tcp_user_timeout(Some(USER_TIMEOUT)));
        GuardedStream {
            io,
            state: Rc::new(ConnectionState::new()),
            head_timer: Timer::default(),
            write_timer: Timer::default(),
            idle_timer: None,
            stalled: None,
            interim: b"",
            closing: None,
            request_line: 0,
            has_method: false,
            peer_closed: false,
            _held: (open, permit),
        }
    }

    /// The state that is put into the data of the connection's requests.
    pub fn state(&self) -> Rc<ConnectionState> {
        Rc::clone(&self.state)
    }

    /// Whether the head that is arriving has exceeded its timeout.
    fn is_head_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Phase::Head(since) = self.state.phase.get() else { return false };
        let since = since.unwrap_or_else(Instant::now);
        self.state.phase.set(Phase::Head(Some(since)));
        self.head_timer.poll(cx, since + HEAD_TIMEOUT).is_ready()
    }

    /// Whether the connection has been idle for too long.
    fn is_idle_expired(&mut self, cx: &mut Context<'_>) -> bool {
        if self.idle_timer.as_ref().is_some_and(|timer| !timer.is_elapsed()) {
            return false;
        }
        let was_idle = !self.state.was_active.replace(false) && matches!(self.state.phase.get(), Phase::Idle);
        if self.idle_timer.is_some() && was_idle {
            return true;
        }
        let timer = self.idle_timer.insert(Box::pin(sleep(KEEP_ALIVE)));
        // one poll registers the waker; unconstrained, because the task may have used up its cooperative budget
        pin!(unconstrained(timer.as_mut())).poll(cx).is_ready()
    }

    /// Inspects bytes that were just read.
    fn inspect(&mut self, bytes: &[u8]) {
        let state = &self.state;
        state.record_read(bytes);
        self.peer_closed = bytes.is_empty();
        if state.is_over_budget() {
            state.read_closed.set(true);
        }
        match state.phase.get() {
            Phase::Busy => return,
            Phase::Idle => {
                state.phase.set(Phase::Head(None));
                (self.request_line, self.has_method) = (0, false);
            }
            Phase::Head(_) => {}
        }
        if self.request_line < MAX_REQUEST_LINE {
            self.has_method = self.has_method || bytes.contains(&b' ');
            self.request_line = match bytes.contains(&b'\n') {
                true => usize::MAX,
                false => self.request_line + bytes.len(),
            };
            if self.has_method && bytes.ends_with(b"\r\n\r\n") {
                // the head is complete and needs no timeout; actix refuses and closes what is malformed
                state.phase.set(Phase::Busy);
            }
            if (MAX_REQUEST_LINE..usize::MAX).contains(&self.request_line) {
                self.close_with(if self.has_method { URI_TOO_LONG } else { NOT_IMPLEMENTED });
            }
        }
    }

    fn close_with(&mut self, final_response: &'static [u8]) {
        self.state.final_response.set(final_response);
        self.state.read_closed.set(true);
    }

    /// Reads and discards bytes during the lingering close.
    fn linger(&mut self, cx: &mut Context<'_>, until: Instant, mut discarded: usize) -> Poll<()> {
        let mut bytes = [0; 16 << 10];
        while discarded < MAX_DISCARDED {
            let mut buf = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => discarded += buf.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        self.closing = Some(Closing::Lingering(until, discarded));
        self.write_timer.poll(cx, until)
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.state.read_closed.get() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                self.inspect(&buf.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.peer_closed = true;
                Poll::Ready(Err(error))
            }
            Poll::Pending if self.is_head_late(cx) => {
                self.close_with(REQUEST_TIMEOUT);
                Poll::Ready(Ok(()))
            }
            Poll::Pending if self.is_idle_expired(cx) => {
                self.state.read_closed.set(true);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                let mut waker = self.state.read_waker.borrow_mut();
                if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.state.was_active.set(true);
        match Pin::new(&mut this.io).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) if count < bytes.len() => {
                let (_, accepted) = this.stalled.get_or_insert_with(|| (Instant::now(), 0));
                *accepted += count;
                Poll::Ready(Ok(count))
            }
            Poll::Pending => {
                let (since, accepted) = *this.stalled.get_or_insert_with(|| (Instant::now(), 0));
                if this.write_timer.poll(cx, since + STALL_INTERVAL).is_ready() {
                    if accepted < MIN_STALLED_BYTES {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    let now = Instant::now();
                    this.stalled = Some((now, 0));
                    return this.write_timer.poll(cx, now + STALL_INTERVAL).map(|()| Ok(0));
                }
                Poll::Pending
            }
            done => {
                this.stalled = None;
                done
            }
        }
    }

    /// Everything was written, so `100 Continue` cannot land inside a response.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state.continue_requested.replace(false) {
            self.interim = CONTINUE;
        }
        while !self.interim.is_empty() {
            let this = &mut *self;
            let count = ready!(Pin::new(&mut this.io).poll_write(cx, this.interim))?;
            this.interim = &this.interim[count..];
        }
        if self.state.aborted.get() {
            self.state.read_closed.set(true);
            ready!(self.poll_shutdown(cx))?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let this = &mut *self;
            match this.closing.take() {
                None if !this.state.needs_lingering_close() => return Pin::new(&mut this.io).poll_shutdown(cx),
                None => this.closing = Some(Closing::Responding(this.state.final_response.replace(b""))),
                Some(Closing::Responding(rest)) if !rest.is_empty() => {
                    match Pin::new(&mut this.io).poll_write(cx, rest)? {
                        Poll::Ready(count) => this.closing = Some(Closing::Responding(&rest[count..])),
                        Poll::Pending => this.closing = Some(Closing::ShuttingDown),
                    }
                }
                Some(Closing::Responding(_) | Closing::ShuttingDown) => {
                    drop(Pin::new(&mut this.io).poll_shutdown(cx));
                    this.closing = Some(Closing::Lingering(Instant::now() + LINGER_TIMEOUT, 0));
                }
                Some(Closing::Lingering(until, discarded)) => return this.linger(cx, until, discarded).map(Ok),
            }
        }
    }
}

impl Drop for GuardedStream {
    /// actix drops a connection silently when a chunk is malformed; the client gets 400 here.
    fn drop(&mut self) {
        if self.state.has_no_response.get() && !self.peer_closed {
            drop(self.io.try_write(BAD_REQUEST));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{Duration, pause, sleep, timeout};

    use super::{GuardedStream, KEEP_ALIVE};
    use crate::platform::http::stream::{InFlightRequest, OpenConnections};

    async fn connected_pair() -> std::io::Result<(GuardedStream, TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let open = std::sync::Arc::<OpenConnections>::default().open();
        Ok((GuardedStream::new(listener.accept().await?.0, open, None), client))
    }

    /// Reads a request and takes this long to handle it.
    async fn serve_one(stream: &mut GuardedStream, client: &mut TcpStream, time: Duration) -> std::io::Result<()> {
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
        assert_ne!(stream.read(&mut [0; 64]).await?, 0);
        let _request = InFlightRequest::begin(stream.state(), None).await;
        sleep(time).await;
        Ok(())
    }

    #[actix_rt::test]
    async fn an_idle_connection_is_closed_after_the_keep_alive() -> std::io::Result<()> {
        let (mut stream, mut client) = connected_pair().await?;
        pause();
        for time in [Duration::ZERO, KEEP_ALIVE * 3, KEEP_ALIVE / 2] {
            serve_one(&mut stream, &mut client, time).await?;
            assert!(timeout(KEEP_ALIVE - Duration::from_secs(1), stream.read(&mut [0; 8])).await.is_err(), "{time:?}");
        }
        assert_eq!(timeout(Duration::from_secs(2), stream.read(&mut [0; 8])).await??, 0, "its end");
        Ok(())
    }
}
