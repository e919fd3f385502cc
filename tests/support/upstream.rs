//! A gateway on its own, and roles behind it that are only a socket and a script.

use std::future::Future;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::cluster::Node;

/// Serves every connection by `serve`; gives the base URL.
pub fn upstream<F: Future<Output = ()> + 'static>(serve: impl Fn(TcpStream) -> F + 'static) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let listener = TcpListener::from_std(listener).expect("a runtime");
    actix_web::rt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            actix_web::rt::spawn(serve(stream));
        }
    });
    format!("http://{address}")
}

/// The base URL of a port that was free a moment ago: nobody listens there.
pub fn nobody() -> String {
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
pub fn gateway(base: &str, more: &[(&str, &str)]) -> Node {
    let own = [
        ("W2MEET_GATEWAY__LISTEN", "127.0.0.1:0"),
        ("W2MEET_LOG__FORMAT", "json"),
        ("W2MEET_SERVER__WORKERS", "1"),
        // a broker that is away keeps nobody from working
        ("W2MEET_QUEUE__URL", "amqp://127.0.0.1:9"),
        // nothing is asked that a test did not ask for
        ("W2MEET_BALANCE__PROBE_MS", "0"),
        ("W2MEET_BALANCE__HEDGE_MS", "0"),
        ("W2MEET_UPSTREAMS__USER", base),
        ("W2MEET_UPSTREAMS__AVAILABILITY", base),
        ("W2MEET_UPSTREAMS__SUGGESTION", base),
    ];
    let env = own.iter().chain(more);
    let env: Vec<_> = env.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Node::start("gateway", &env)
}
