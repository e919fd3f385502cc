//! The TCP stream of one connection with timeouts: for heads, for slow readers, for idle connections, and for the close.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_rt::net::TcpStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep};

use super::{ConnectionState, HEAD, Phase};
use crate::platform::http::connection_limiter::ConnectionPermit;
use crate::platform::timer_pool::Timer;

/// A client that takes fewer bytes than this within this time, while a response waits for it, is disconnected.
const SLOW: Duration = Duration::from_secs(14);
const LEAST: usize = 14 << 10;
/// TCP_USER_TIMEOUT: the kernel gives up unacknowledged data after this.
const UNTAKEN: Duration = Duration::from_secs(25);
/// Limits of the lingering close: time, and bytes read and discarded after the final response. Without it, a client that is
/// still sending gets a reset and may never see the response.
const LINGER: Duration = Duration::from_secs(2);
const DROPPED: usize = 16 << 20;
/// An idle connection is closed after one to two times this. Our own clients close theirs earlier, never under a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Bytes of a request line. actix refuses longer ones without a response. Lines that are too long for the API, but shorter than
/// this, are refused by the edge filter with a problem.
const LONGEST_LINE: usize = 64 << 10;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const MALFORMED: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const NO_METHOD: &[u8] = b"HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const TOO_LONG: &[u8] = b"HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Steps of closing a connection.
enum Closing {
    Farewell(&'static [u8]),
    Ending,
    /// The deadline, and the bytes discarded so far.
    Lingering(Instant, usize),
}

/// The stream. [`ConnectionState`] is what its requests share with it.
pub struct GuardedStream {
    io: TcpStream,
    line: Rc<ConnectionState>,
    reading: Timer,
    writing: Timer,
    /// Reset when it fires, and not for every request.
    idling: Option<Pin<Box<Sleep>>>,
    /// Since when the client stalls a response, and the bytes that it has taken since.
    stuck: Option<(Instant, usize)>,
    interim: &'static [u8],
    closing: Option<Closing>,
    /// Bytes of the request line so far.
    first_line: usize,
    has_method: bool,
    /// Whether the client closed the connection or was lost.
    gone: bool,
    _place: Option<ConnectionPermit>,
}

impl GuardedStream {
    /// Wraps a connection that was just accepted.
    pub fn new(io: TcpStream, place: Option<ConnectionPermit>) -> GuardedStream {
        let socket = SockRef::from(&io);
        // setting an option fails only on a dead socket; the next read reports that
        drop(socket.set_tcp_nodelay(true));
        drop(socket.set_tcp_user_timeout(Some(UNTAKEN)));
        GuardedStream {
            io,
            line: Rc::new(ConnectionState::new()),
            reading: Timer::default(),
            writing: Timer::default(),
            idling: None,
            stuck: None,
            interim: b"",
            closing: None,
            first_line: 0,
            has_method: false,
            gone: false,
            _place: place,
        }
    }

    /// The state that is put into the data of the connection's requests.
    pub fn line(&self) -> Rc<ConnectionState> {
        Rc::clone(&self.line)
    }

    /// Whether the head that is arriving has exceeded its timeout.
    fn head_is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Phase::Head(since) = self.line.phase.get() else { return false };
        let since = since.unwrap_or_else(Instant::now);
        self.line.phase.set(Phase::Head(Some(since)));
        self.reading.poll(cx, since + HEAD).is_ready()
    }

    /// Whether the connection has been idle for too long.
    fn is_forgotten(&mut self, cx: &mut Context<'_>) -> bool {
        if self.idling.as_ref().is_some_and(|clock| !clock.is_elapsed()) {
            return false;
        }
        let unused = !self.line.used.replace(false) && matches!(self.line.phase.get(), Phase::Idle);
        if self.idling.is_some() && unused {
            return true;
        }
        let clock = self.idling.insert(Box::pin(sleep(KEEP_ALIVE)));
        // one poll registers the waker; unconstrained, because the task may have used up its cooperative budget
        pin!(unconstrained(clock.as_mut())).poll(cx).is_ready()
    }

    /// Inspects bytes that were just read.
    fn look(&mut self, bytes: &[u8]) {
        let line = &self.line;
        line.read.set(line.read.get() + bytes.len() as u64);
        self.gone = bytes.is_empty();
        if line.is_spent() {
            line.deaf.set(true);
        }
        match line.phase.get() {
            Phase::Busy => return,
            Phase::Idle => {
                line.phase.set(Phase::Head(None));
                (self.first_line, self.has_method) = (0, false);
            }
            Phase::Head(_) => {}
        }
        if self.first_line < LONGEST_LINE {
            self.has_method = self.has_method || bytes.contains(&b' ');
            self.first_line = match bytes.contains(&b'\n') {
                true => usize::MAX,
                false => self.first_line + bytes.len(),
            };
            if self.has_method && bytes.ends_with(b"\r\n\r\n") {
                // the head is complete and needs no timeout; actix refuses and closes what is malformed
                line.phase.set(Phase::Busy);
            }
            if (LONGEST_LINE..usize::MAX).contains(&self.first_line) {
                self.end_by(if self.has_method { TOO_LONG } else { NO_METHOD });
            }
        }
    }

    fn end_by(&mut self, farewell: &'static [u8]) {
        self.line.farewell.set(farewell);
        self.line.deaf.set(true);
    }

    /// Reads and discards bytes during the lingering close.
    fn linger(&mut self, cx: &mut Context<'_>, until: Instant, mut dropped: usize) -> Poll<()> {
        let mut bytes = [0; 16 << 10];
        while dropped < DROPPED {
            let mut buf = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => dropped += buf.filled().len(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        self.closing = Some(Closing::Lingering(until, dropped));
        self.writing.poll(cx, until)
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.line.deaf.get() {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                self.look(&buf.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.gone = true;
                Poll::Ready(Err(error))
            }
            Poll::Pending if self.head_is_late(cx) => {
                self.end_by(TIMEOUT);
                Poll::Ready(Ok(()))
            }
            Poll::Pending if self.is_forgotten(cx) => {
                self.line.deaf.set(true);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                let mut reader = self.line.reader.borrow_mut();
                if !reader.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    *reader = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.line.used.set(true);
        match Pin::new(&mut this.io).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) if count < bytes.len() => {
                let (_, taken) = this.stuck.get_or_insert_with(|| (Instant::now(), 0));
                *taken += count;
                Poll::Ready(Ok(count))
            }
            Poll::Pending => {
                let (since, taken) = *this.stuck.get_or_insert_with(|| (Instant::now(), 0));
                if this.writing.poll(cx, since + SLOW).is_ready() {
                    if taken < LEAST {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    let now = Instant::now();
                    this.stuck = Some((now, 0));
                    return this.writing.poll(cx, now + SLOW).map(|()| Ok(0));
                }
                Poll::Pending
            }
            done => {
                this.stuck = None;
                done
            }
        }
    }

    /// Everything was written, so `100 Continue` cannot land inside a response.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.wanted.replace(false) {
            self.interim = CONTINUE;
        }
        while !self.interim.is_empty() {
            let this = &mut *self;
            let count = ready!(Pin::new(&mut this.io).poll_write(cx, this.interim))?;
            this.interim = &this.interim[count..];
        }
        if self.line.hung_up.get() {
            self.line.deaf.set(true);
            ready!(self.poll_shutdown(cx))?;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let this = &mut *self;
            match this.closing.take() {
                None if !this.line.is_cut_off() => return Pin::new(&mut this.io).poll_shutdown(cx),
                None => {
                    this.closing = Some(Closing::Farewell(this.line.farewell.replace(b"")));
                }
                Some(Closing::Farewell(rest)) if !rest.is_empty() => {
                    match Pin::new(&mut this.io).poll_write(cx, rest)? {
                        Poll::Ready(count) => this.closing = Some(Closing::Farewell(&rest[count..])),
                        Poll::Pending => this.closing = Some(Closing::Ending),
                    }
                }
                Some(Closing::Farewell(_) | Closing::Ending) => {
                    drop(Pin::new(&mut this.io).poll_shutdown(cx));
                    this.closing = Some(Closing::Lingering(Instant::now() + LINGER, 0));
                }
                Some(Closing::Lingering(until, dropped)) => return this.linger(cx, until, dropped).map(Ok),
            }
        }
    }
}

impl Drop for GuardedStream {
    /// actix drops a connection silently when a chunk is malformed; the client gets 400 here.
    fn drop(&mut self) {
        if self.line.unanswered.get() && !self.gone {
            drop(self.io.try_write(MALFORMED));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::{Duration, pause, sleep, timeout};

    use super::{GuardedStream, KEEP_ALIVE};
    use crate::platform::http::stream::InFlightRequest;

    async fn connected() -> std::io::Result<(GuardedStream, TcpStream)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        Ok((GuardedStream::new(listener.accept().await?.0, None), client))
    }

    /// Reads a request and takes this long to handle it.
    async fn answer(wire: &mut GuardedStream, client: &mut TcpStream, takes: Duration) -> std::io::Result<()> {
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
        assert_ne!(wire.read(&mut [0; 64]).await?, 0);
        let _request = InFlightRequest::begin(wire.line()).await;
        sleep(takes).await;
        Ok(())
    }

    #[actix_rt::test]
    async fn a_connection_is_closed_when_nothing_was_asked_for_long_and_not_before() -> std::io::Result<()> {
        let (mut wire, mut client) = connected().await?;
        pause();
        for takes in [Duration::ZERO, KEEP_ALIVE * 3, KEEP_ALIVE / 2] {
            answer(&mut wire, &mut client, takes).await?;
            assert!(timeout(KEEP_ALIVE - Duration::from_secs(1), wire.read(&mut [0; 8])).await.is_err(), "{takes:?}");
        }
        assert_eq!(timeout(Duration::from_secs(2), wire.read(&mut [0; 8])).await??, 0, "its end");
        Ok(())
    }
}
