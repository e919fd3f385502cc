//! `Expect: 100-continue`: the gateway requests a body only if a handler reads it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::raw_http::parse_replies;
use crate::support::upstream::{Recorder, start_gateway};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Reads until a response is complete, interim or final.
async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let whole = async {
        while heard != CONTINUE && parse_replies(&heard).is_empty() {
            assert_ne!(stream.read_buf(&mut heard).await.expect("a socket"), 0, "closed");
        }
    };
    timeout(Duration::from_secs(5), whole).await.expect("an answer in time");
    heard
}

#[actix_web::test]
async fn a_body_is_requested_when_its_handler_reads_it() {
    let (recorder, base) = Recorder::start();
    let node = start_gateway(&base, &[]);
    let address = node.url("gateway").replace("http://", "");
    let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
    for (length, round) in [(2, "a short body"), (100_000, "a long one"), (5, "on the same connection")] {
        let head =
            format!("POST /api/users HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("a socket");
        assert_eq!(String::from_utf8_lossy(&read(&mut stream).await), String::from_utf8_lossy(CONTINUE), "{round}");
        stream.write_all(&vec![b'x'; length]).await.expect("a socket");
        let answer = parse_replies(&read(&mut stream).await);
        assert_eq!(answer.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200], "{round}");
        assert_eq!(recorder.take(), [format!("POST /users {}", "x".repeat(length))], "{round}");
    }
}

#[actix_web::test]
async fn a_body_that_no_handler_reads_is_not_requested() {
    let (recorder, base) = Recorder::start();
    let node = start_gateway(&base, &[]);
    let client = node.client("gateway");
    for (target, fields, kind, path) in [
        ("POST /api/users", "Content-Length: 300000\r\n", "413 too-large", "/api/users"),
        ("POST /nowhere", "Content-Length: 2\r\n", "404 not-found", "/nowhere"),
        ("POST /api/users", "Content-Length: 2\r\nContent-Encoding: gzip\r\n", "415 unsupported-media", "/api/users"),
        ("POST /api/users", "Content-Length: 2\r\nExpect: more\r\n", "417 expectation-failed", "/api/users"),
    ] {
        let head = format!("{target} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n{fields}\r\n");
        let reply = client.send_bytes(head.as_bytes()).await;
        reply.expect_problem(kind, path, fields);
        assert_eq!(reply.header("connection"), Some("close"), "{fields}: the body may come or not");
    }
    assert_eq!(recorder.take(), [""; 0]);
}
