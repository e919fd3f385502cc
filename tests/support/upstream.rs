//! A gateway alone, and scripted sockets as the roles behind it.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::cluster::Node;

/// Serves every connection by `serve`; gives the base URL.
pub fn serve_connections<F: Future<Output = ()> + 'static>(serve: impl Fn(TcpStream) -> F + 'static) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    // as many may knock at once as at a role's own door
    SockRef::from(&listener).listen(4096).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let listener = TcpListener::from_std(listener).expect("a runtime");
    actix_web::rt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            actix_web::rt::spawn(serve(stream));
        }
    });
    format!("http://{address}")
}

/// The base URL of a port without a listener: it was free a moment ago.
pub fn closed_port_url() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

/// Reads the head of a request, in lower case; what came after it is the beginning of the body.
pub async fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Some((String::from_utf8_lossy(&read).into_owned(), body));
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// A gateway in a process of its own; all its roles are at this base URL.
pub fn start_gateway(base: &str, more: &[(&str, &str)]) -> Node {
    let own = [
        ("W2MEET_GATEWAY__LISTEN", "127.0.0.1:0"),
        ("W2MEET_LOG__FORMAT", "json"),
        ("W2MEET_SERVER__WORKERS", "1"),
        // an unavailable broker must not stop the gateway
        ("W2MEET_QUEUE__URL", "amqp://127.0.0.1:9"),
        // nothing is asked that a test did not ask for
        ("W2MEET_BALANCE__PROBE_MS", "0"),
        ("W2MEET_BALANCE__HEDGE_MS", "0"),
        ("W2MEET_UPSTREAMS__USER", base),
        ("W2MEET_UPSTREAMS__RESERVATION", base),
        ("W2MEET_UPSTREAMS__AVAILABILITY", base),
        ("W2MEET_UPSTREAMS__SUGGESTION", base),
    ];
    let env = own.iter().chain(more);
    let env: Vec<_> = env.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Node::start("gateway", &env)
}

/// A role that writes down what it is sent, each whole request as `METHOD path body`, and answers all of it with its path.
#[derive(Clone, Default)]
pub struct Recorder(Rc<RefCell<Vec<String>>>);

impl Recorder {
    /// One that listens, and its base URL.
    pub fn start() -> (Recorder, String) {
        let recorder = Recorder::default();
        let kept = recorder.clone();
        let base = serve_connections(move |mut stream| {
            let kept = kept.clone();
            async move {
                let mut rest = Vec::new();
                while let Some(seen) = read_request(&mut stream, &mut rest).await {
                    let path = seen.split(' ').nth(1).unwrap_or_default().to_owned();
                    kept.0.borrow_mut().push(seen);
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        });
        (recorder, base)
    }

    /// What has come since this was last asked.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Reads one request to its end, strictly; what is broken off is none.
async fn read_request(stream: &mut TcpStream, rest: &mut Vec<u8>) -> Option<String> {
    let end = loop {
        if let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(rest).await.ok()? == 0 {
            return (!rest.is_empty())
                .then(|| format!("half a head: {}", String::from_utf8_lossy(&std::mem::take(rest))));
        }
    };
    let head = String::from_utf8_lossy(&rest.drain(..end).collect::<Vec<u8>>()).into_owned();
    let field = |name: &str| {
        let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    let line = head.split("\r\n").next().unwrap_or_default();
    let line = line.strip_suffix(" HTTP/1.1").unwrap_or(line);
    let (lengths, codings) = (field("content-length"), field("transfer-encoding"));
    let mut body = Vec::new();
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => return Some(line.to_owned()),
        ([length], []) => {
            let length: usize = length.parse().ok()?;
            while rest.len() < length {
                if stream.read_buf(rest).await.ok()? == 0 {
                    return None;
                }
            }
            body.extend(rest.drain(..length));
        }
        ([], [coding]) if coding == "chunked" => loop {
            let line = loop {
                if let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
                    break rest.drain(..end + 2).collect::<Vec<u8>>();
                }
                if stream.read_buf(rest).await.ok()? == 0 {
                    return None;
                }
            };
            let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).expect("a chunk's size");
            while rest.len() < size + 2 {
                if stream.read_buf(rest).await.ok()? == 0 {
                    return None;
                }
            }
            body.extend(rest.drain(..size));
            rest.drain(..2);
            if size == 0 {
                break;
            }
        },
        _ => return Some(format!("framed in two ways: {head}")),
    }
    Some(format!("{line} {}", String::from_utf8_lossy(&body)).trim_end().to_owned())
}
