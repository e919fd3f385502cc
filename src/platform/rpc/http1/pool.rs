//! The connections of one thread to one replica: the idle ones, and one exchange on one of them.

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

/// Shorter than the server's keep-alive, so that the server never closes a connection just as a request is written to it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Number of buffers that are kept for later exchanges.
const MAX_SPARE: usize = 16;

/// The connection pool of one replica.
pub struct ConnectionPool {
    /// The base URL of the replica.
    pub base: String,
    /// Host and port.
    host: String,
    /// Path prefix of the base URL; usually empty.
    prefix: String,
    /// Longest pause between two chunks of a response body.
    pub chunk_timeout: Duration,
    pub timers: TimerPool,
    config: ServiceConfig,
    idle: RefCell<Vec<Idle>>,
    spare: RefCell<Vec<Buffers>>,
}

/// An idle connection. It owns no buffers.
struct Idle {
    io: TcpStream,
    /// Start of its last exchange.
    started: Instant,
}

/// Buffers of one exchange, reused by later exchanges.
#[derive(Default)]
struct Buffers {
    read: BytesMut,
    write: Vec<u8>,
}

impl ConnectionPool {
    /// A pool for the replica with this base URL.
    pub fn new(base: &str, chunk_timeout: Duration, config: ServiceConfig) -> ConnectionPool {
        let url = Url::parse(base).ok();
        let address = url.as_ref().and_then(|url| url.host_str().zip(url.port_or_known_default()));
        let host = address.map(|(host, port)| format!("{host}:{port}")).unwrap_or_default();
        let prefix = url.as_ref().map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        let (timers, idle, spare) = (TimerPool::default(), RefCell::default(), RefCell::default());
        ConnectionPool { base: base.to_owned(), host, prefix, chunk_timeout, timers, config, idle, spare }
    }

    /// Sends a request and reads the head of the response. `fields` writes the header fields, each with its line end, except
    /// Host and the framing fields. `time` is the start and the deadline of the exchange.
    ///
    /// # Errors
    /// [`SendError`], but never `Timeout`: the caller enforces the deadline.
    pub async fn exchange(
        self: Rc<ConnectionPool>,
        (method, path): (&str, &str),
        fields: impl FnOnce(&mut Vec<u8>),
        body: RequestBody<'_>,
        time: Range<Instant>,
    ) -> Result<Box<RpcResponse>, SendError> {
        if !path.bytes().all(|byte| byte > b' ' && byte != 0x7f) {
            return Err(SendError::RequestBody("the path contains a space or a control character".to_owned()));
        }
        let mut connection = self.connect(time.start).await?;
        for part in [method, " ", &self.prefix, path, " HTTP/1.1\r\nhost: ", &self.host, "\r\n"] {
            connection.write.extend_from_slice(part.as_bytes());
        }
        fields(&mut connection.write);
        let broken = match connection.send(body).await {
            Ok(()) => None,
            Err(broken @ SendError::Reset(_)) => Some(broken),
            Err(failure) => return Err(failure),
        };
        // a replica that closes before the whole request was sent may have responded already
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

    /// The most recently used idle connection, because older ones may expire; otherwise a new one.
    async fn connect(&self, now: Instant) -> Result<Connection, SendError> {
        loop {
            let Some(idle) = self.idle.borrow_mut().pop() else { break };
            if idle.is_usable(now) {
                return Ok(self.begin(idle.io, now));
            }
        }
        // boxed because it is rare and large: inline it would enlarge the future of every exchange
        Ok(self.begin(Box::pin(self.open()).await.map_err(SendError::NotSent)?, now))
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let io = timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.host)).await??;
        io.set_nodelay(true)?;
        Ok(io)
    }

    fn begin(&self, io: TcpStream, started: Instant) -> Connection {
        let Buffers { read, mut write } = self.spare.borrow_mut().pop().unwrap_or_default();
        write.clear();
        Connection { io, read, write, started }
    }

    /// Takes back a connection after its exchange.
    pub fn put_back(&self, connection: Connection) {
        let Connection { io, read, write, started } = connection;
        let mut spare = self.spare.borrow_mut();
        if spare.len() < MAX_SPARE {
            spare.push(Buffers { read, write });
        }
        self.idle.borrow_mut().push(Idle { io, started });
    }

    /// Closes connections that were idle for longer than the keep-alive.
    pub fn sweep(&self, now: Instant) {
        self.idle.borrow_mut().retain(|connection| !connection.is_expired(now));
    }
}

impl Idle {
    /// Whether the replica may close it before a request arrives.
    fn is_expired(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.started) > KEEP_ALIVE
    }

    /// Whether it has nothing to read, not even the end of the stream.
    fn is_usable(&self, now: Instant) -> bool {
        let has_no_input = matches!(self.io.try_read(&mut [0]), Err(why) if why.kind() == ErrorKind::WouldBlock);
        has_no_input && !self.is_expired(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_http::ServiceConfig;

    use super::ConnectionPool;

    #[actix_rt::test]
    async fn a_base_url_has_a_host_and_a_path_prefix() {
        for (base, host, prefix) in [
            ("http://127.0.0.1:8081", "127.0.0.1:8081", ""),
            ("http://user", "user:80", ""),
            ("http://10.0.0.5:80/inner/", "10.0.0.5:80", "/inner"),
            ("http://[::1]:8081", "[::1]:8081", ""),
        ] {
            let pool = ConnectionPool::new(base, Duration::ZERO, ServiceConfig::default());
            assert_eq!((&*pool.host, &*pool.prefix), (host, prefix), "{base}");
        }
    }
}
