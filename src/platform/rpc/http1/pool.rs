//! HTTP/1.1 to one replica, from one thread: its idle connections, and one exchange on one of them.
//!
//! This is done with the codec that awc is built on, and not with awc itself: awc 3.11 makes a clock, which is a task and a timer,
//! for every single request (docs/ARCHITECTURE.md).

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use actix_http::{ConnectionType, ServiceConfig};
use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use url::Url;

use super::connection::{Connection, RequestBody, SendError};
use super::response::RpcResponse;
use crate::platform::timer_pool::TimerPool;

/// Shorter than a server of ours keeps an idle connection: it never closes one that a request is just put on.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(1);
/// Buffers that are kept for those who come next.
const SPARE: usize = 16;

/// The way to one replica.
pub struct ConnectionPool {
    /// Its base URL.
    pub base: String,
    /// Host and port.
    host: String,
    /// Before every path; mostly empty.
    prefix: String,
    /// How long an answer's body may stand still.
    pub patience: Duration,
    pub timers: TimerPool,
    config: ServiceConfig,
    idle: RefCell<Vec<Idle>>,
    spare: RefCell<Vec<Buffers>>,
}

/// A connection that waits to be used; it holds no memory of ours.
struct Idle {
    io: TcpStream,
    /// When its last exchange began.
    used: Instant,
}

/// Room to read and write in, for one exchange after the other.
#[derive(Default)]
struct Buffers {
    read: BytesMut,
    write: Vec<u8>,
}

impl ConnectionPool {
    /// To the replica with this base URL.
    pub fn new(base: &str, patience: Duration, config: ServiceConfig) -> ConnectionPool {
        let url = Url::parse(base).ok();
        let place = url.as_ref().and_then(|url| url.host_str().zip(url.port_or_known_default()));
        let host = place.map(|(host, port)| format!("{host}:{port}")).unwrap_or_default();
        let prefix = url.as_ref().map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        let (timers, idle, spare) = (TimerPool::default(), RefCell::default(), RefCell::default());
        ConnectionPool { base: base.to_owned(), host, prefix, patience, timers, config, idle, spare }
    }

    /// Sends a request and reads the head of its answer. `fields` writes the header fields, each with its line's end, but for those
    /// that say where the request goes and where it ends. `time` is when it begins, and until when it all may take.
    ///
    /// # Errors
    /// [`SendError`], but never that it is late: who calls waits as long as it likes.
    pub async fn exchange(
        self: Rc<ConnectionPool>,
        (method, path): (&str, &str),
        fields: impl FnOnce(&mut Vec<u8>),
        load: RequestBody<'_>,
        time: Range<Instant>,
    ) -> Result<Box<RpcResponse>, SendError> {
        if !path.bytes().all(|byte| byte > b' ' && byte != 0x7f) {
            return Err(SendError::RequestBody("the path holds what no path may".to_owned()));
        }
        let mut connection = self.connect(time.start).await?;
        for part in [method, " ", &self.prefix, path, " HTTP/1.1\r\nhost: ", &self.host, "\r\n"] {
            connection.write.extend_from_slice(part.as_bytes());
        }
        fields(&mut connection.write);
        let broken = match connection.send(load).await {
            Ok(()) => None,
            Err(broken @ SendError::Broken(_)) => Some(broken),
            Err(failure) => return Err(failure),
        };
        // who closes before all was sent may have said why
        match (connection.receive_head(&self.config).await, broken) {
            (Ok((mut head, codec)), broken) => {
                if broken.is_some() {
                    head.set_connection_type(ConnectionType::Close);
                }
                Ok(RpcResponse::new(self, connection, head, codec, time.end))
            }
            (Err(_), Some(broken)) => Err(broken),
            (Err(why), None) => Err(why),
        }
    }

    /// The connection that was used last, for those before it may become too old; or a new one.
    async fn connect(&self, now: Instant) -> Result<Connection, SendError> {
        loop {
            let Some(idle) = self.idle.borrow_mut().pop() else { break };
            if idle.is_usable(now) {
                return Ok(self.begin(idle.io, now));
            }
        }
        // seldom, and large: it would make every exchange that much larger
        Ok(self.begin(Box::pin(self.open()).await.map_err(SendError::Unsent)?, now))
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let io = timeout(CONNECT, TcpStream::connect(&self.host)).await??;
        io.set_nodelay(true)?;
        Ok(io)
    }

    fn begin(&self, io: TcpStream, used: Instant) -> Connection {
        let Buffers { read, mut write } = self.spare.borrow_mut().pop().unwrap_or_default();
        write.clear();
        Connection { io, read, write, used }
    }

    /// Takes back a connection whose exchange is over.
    pub fn keep(&self, connection: Connection) {
        let Connection { io, read, write, used } = connection;
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE {
            spare.push(Buffers { read, write });
        }
        self.idle.borrow_mut().push(Idle { io, used });
    }

    /// Closes connections that nobody has used for long.
    pub fn sweep(&self, now: Instant) {
        self.idle.borrow_mut().retain(|connection| !connection.is_old(now));
    }
}

impl Idle {
    /// Whether it may be closed at the other side before a request is there.
    fn is_old(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) > KEEP_ALIVE
    }

    /// Whether it is quiet: there is nothing to read, not even its end.
    fn is_usable(&self, now: Instant) -> bool {
        let quiet = matches!(self.io.try_read(&mut [0]), Err(why) if why.kind() == ErrorKind::WouldBlock);
        quiet && !self.is_old(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_http::ServiceConfig;

    use super::ConnectionPool;

    #[actix_rt::test]
    async fn a_base_url_says_where_to_connect_and_what_stands_before_each_path() {
        for (base, host, prefix) in [
            ("http://127.0.0.1:8081", "127.0.0.1:8081", ""),
            ("http://user", "user:80", ""),
            ("http://10.0.0.5:80/inner/", "10.0.0.5:80", "/inner"),
            ("http://[::1]:8081", "[::1]:8081", ""),
        ] {
            let wire = ConnectionPool::new(base, Duration::ZERO, ServiceConfig::default());
            assert_eq!((&*wire.host, &*wire.prefix), (host, prefix), "{base}");
        }
    }
}
