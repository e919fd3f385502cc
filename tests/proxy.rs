//! Requests and responses on the other side of the gateway's proxy. The roles are sockets with scripted responses.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use awc::http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::Client;
use crate::support::upstream::{closed_port_url, read_head, serve_connections, start_gateway};

const ANA: &str = "/api/users/ana@example.com";

/// An upstream that sends one response to every request, and records the heads of requests.
fn canned(answer: &'static [u8]) -> (String, Rc<RefCell<Vec<String>>>) {
    let heads = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&heads);
    let base = serve_connections(move |mut stream| {
        let heads = Rc::clone(&kept);
        async move {
            while let Some((head, _)) = read_head(&mut stream).await {
                heads.borrow_mut().push(head);
                if answer.is_empty() || stream.write_all(answer).await.is_err() {
                    return;
                }
                if !answer.windows(7).any(|seven| seven == b"\r\nKept:") {
                    return;
                }
            }
        }
    });
    (base, heads)
}

/// The values of a header in a head.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.filter(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

#[actix_web::test]
async fn only_end_to_end_headers_are_forwarded_in_both_directions() {
    let (base, heads) = canned(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n\
          Proxy-Authenticate: Basic\r\nProxy-Connection: x\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nCase-ID: theirs\r\n\
          X-Public: one\r\nX-Public: two\r\nETag: \"3\"\r\nContent-Type: application/json\r\nKept: yes\r\n\r\n{}",
    );
    let node = start_gateway(&base, &[]);
    let client = node.client("gateway");
    let sent = "Connection: close, X-Private, Authorization, Case-ID, Content-Type, traceparent\r\nX-Private: 1\r\n\
                Authorization: Bearer abc\r\nCase-ID: mine\r\nKeep-Alive: timeout=9\r\nProxy-Authorization: Basic x\r\n\
                Proxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X-End\r\nCID: other\r\nX-Request-ID: other\r\n\
                X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\n\
                X-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Public: one\r\nX-Public: two\r\n\
                If-Match: \"3\"\r\nAccept-Language: fr\r\nX-W2Meet-User: root\r\nX-Internal-Role: user\r\n\
                traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: theirs=1\r\n";
    let line = "/api/users/a%2Fb+c%20@b.co?x=%20+%C3%A9&y=1&&z";
    let head = format!("GET {line} HTTP/1.1\r\nHost: meet.test:99\r\n{sent}\r\n");
    let reply = client.send_bytes(head.as_bytes()).await.expect(200);
    let seen = heads.borrow()[0].clone();
    assert!(seen.starts_with("GET /users/a%2Fb+c%20@b.co?x=%20+%C3%A9&y=1&&z HTTP/1.1\r\n"), "{seen}");
    for gone in [
        "x-private",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "cid",
        "x-request-id",
        "x-forwarded-port",
        "x-forwarded-proto",
        "forwarded",
        "x-w2meet-user",
        "x-internal-role",
    ] {
        assert_eq!(values(&seen, gone), [""; 0], "{gone}: {seen}");
    }
    for (kept, expected) in [
        ("case-id", &["mine"][..]),
        ("authorization", &["Bearer abc"]),
        ("x-public", &["one", "two"]),
        ("if-match", &["\"3\""]),
        ("accept-language", &["fr"]),
        ("x-forwarded-for", &["127.0.0.1"]),
        ("x-real-ip", &["127.0.0.1"]),
        ("x-forwarded-host", &["meet.test:99"]),
        ("host", &[base.trim_start_matches("http://")]),
    ] {
        assert_eq!(values(&seen, kept), expected, "{kept}: {seen}");
    }
    // the same trace, in a step of its own
    let trace = values(&seen, "traceparent").concat();
    assert!(trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && trace.ends_with("-01"), "{seen}");
    assert!(!trace.contains("00f067aa0ba902b7") && values(&seen, "tracestate") == ["theirs=1"], "{seen}");
    for gone in ["x-private", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "upgrade"] {
        assert_eq!(reply.header(gone), None, "{gone}");
    }
    let all =
        |name: &str| reply.headers.iter().filter(|(one, _)| one == name).map(|(_, value)| &**value).collect::<Vec<_>>();
    assert_eq!((all("x-public"), all("etag"), all("case-id")), (vec!["one", "two"], vec!["\"3\""], vec!["mine"]));
    assert_eq!((&*reply.text, all("content-type")), ("{}", vec!["application/json"]));
}

#[actix_web::test]
async fn bodies_stream_through_in_both_directions_before_they_have_ended() {
    // the upstream holds its second half back until the client has the first, and the client likewise
    let (half_sent, half_read) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
    let (response, awaited) = (Rc::clone(&half_sent), Rc::clone(&half_read));
    let base = serve_connections(move |mut stream| {
        let (response, awaited) = (Rc::clone(&response), Rc::clone(&awaited));
        async move {
            let Some((_, mut body)) = read_head(&mut stream).await else {
                return;
            };
            while body.len() < 100_000 && stream.read_buf(&mut body).await.is_ok_and(|read| read > 0) {}
            response.notify_one();
            while body.len() < 200_000 && stream.read_buf(&mut body).await.is_ok_and(|read| read > 0) {}
            let good = body.len() == 200_000 && body.iter().all(|byte| *byte == b'r');
            let head = format!("HTTP/1.1 {} OK\r\nContent-Length: 2000000\r\n\r\n", if good { 200 } else { 500 });
            drop(stream.write_all(head.as_bytes()).await);
            drop(stream.write_all(&[b'a'; 1_000_000]).await);
            awaited.notified().await;
            drop(stream.write_all(&[b'b'; 1_000_000]).await);
        }
    });
    let node = start_gateway(&base, &[]);
    let address = node.url("gateway").trim_start_matches("http://").to_owned();
    let talk = async {
        let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
        let head = "POST /api/availability HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("a socket");
        stream.write_all(&[b'r'; 100_000]).await.expect("a socket");
        half_sent.notified().await;
        stream.write_all(&[b'r'; 100_000]).await.expect("a socket");
        let (head, mut body) = read_head(&mut stream).await.expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        while body.len() < 1_000_000 {
            assert_ne!(stream.read_buf(&mut body).await.expect("a socket"), 0, "it ended early");
        }
        half_read.notify_one();
        stream.read_to_end(&mut body).await.expect("a socket");
        body
    };
    let body =
        tokio::time::timeout(Duration::from_secs(10), talk).await.expect("no side waits for the end of the other");
    assert_eq!(body.len(), 2_000_000);
    assert!(body[..1_000_000].iter().all(|byte| *byte == b'a') && body[1_000_000..].iter().all(|byte| *byte == b'b'));
}

#[actix_web::test]
async fn a_body_is_forwarded_unchanged_and_sent_again_on_a_retry() {
    let (tries, length) = (Rc::new(Cell::new(0)), 60_000);
    let counted = Rc::clone(&tries);
    let base = serve_connections(move |mut stream| {
        let tries = Rc::clone(&counted);
        async move {
            let Some((head, mut body)) = read_head(&mut stream).await else { return };
            let length: usize = values(&head, "content-length").concat().parse().unwrap_or(0);
            while body.len() < length && stream.read_buf(&mut body).await.is_ok_and(|read| read > 0) {}
            tries.set(tries.get() + 1);
            if tries.get() > 1 {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                drop(stream.write_all(head.as_bytes()).await);
                drop(stream.write_all(&body).await);
            }
        }
    });
    let node = start_gateway(&base, &[]);
    let address = node.url("gateway").trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
    let head =
        format!("POST /api/availability HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let sent: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
    stream.write_all(&[head.as_bytes(), &sent].concat()).await.expect("a socket");
    let (head, mut body) = read_head(&mut stream).await.expect("an answer");
    stream.read_to_end(&mut body).await.expect("a socket");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(body == sent, "{} of {length} bytes", body.len());
    assert_eq!(tries.get(), 2);
}

#[actix_web::test]
async fn a_response_of_any_framing_arrives_whole_or_visibly_truncated() {
    for (answer, body) in [
        (&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"[..], "abcde"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 5\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/x\r\nContent-Length: 0\r\n\r\n", ""),
        (b"HTTP/1.0 200 OK\r\n\r\nas long as it lasts", "as long as it lasts"),
    ] {
        let (base, heads) = canned(answer);
        let (_node, client) = gateway_at(&base, &[]);
        let reply = client.get(ANA).await;
        let row = String::from_utf8_lossy(answer);
        assert_eq!((&*reply.text, heads.borrow().len()), (body, 1), "{row}");
        assert!(row.contains(&format!(" {} ", reply.status)), "{row}: {}", reply.status);
        let all = client.send_head("GET", ANA, "").await.text;
        assert_eq!(all, body, "{row}: and not one byte more, which would be read as the next answer");
    }
    // what is cut off after its head was passed on is nothing at all, or shorter than it says
    let (base, _) = canned(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nonly this");
    let cut = gateway_at(&base, &[]).1.send_head("GET", ANA, "").await;
    assert!(cut.status == 0 || cut.header("content-length") == Some("100000"), "{cut:?}");
}

#[actix_web::test]
async fn bytes_after_a_response_are_discarded() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nKept: x\r\nContent-Length: 4\r\n\r\nmineHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nyours"[..],
        b"HTTP/1.1 204 No Content\r\nKept: x\r\nContent-Length: 4\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nyours",
    ] {
        let (base, heads) = canned(answer);
        let (_node, client) = gateway_at(&base, &[]);
        for asked in 1..4 {
            let reply = client.get(ANA).await;
            assert!(["mine", ""].contains(&&*reply.text), "{}", reply.text);
            assert_eq!(heads.borrow().len(), asked);
        }
    }
}

#[actix_web::test]
async fn a_failing_role_is_named_with_a_status_for_the_failure() {
    let patience = &[("W2MEET_LIMITS__CALL_SECONDS", "0.3")];
    for (row, base, kind, tries) in [
        ("nobody listens", (closed_port_url(), Rc::default()), "503 unavailable", 0),
        ("closes without an answer", canned(b""), "502 bad-gateway", 2),
        ("no HTTP", canned(b"220 smtp.example.com ESMTP\r\n\r\n"), "502 bad-gateway", 2),
        ("cut in its head", canned(b"HTTP/1.1 200 OK\r\nContent-Le"), "502 bad-gateway", 2),
        ("cut in a short body", canned(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"), "502 bad-gateway", 1),
    ] {
        let (node, client) = gateway_at(&base.0, patience);
        let get = client.get(ANA).await;
        get.expect_problem(kind, ANA, row);
        assert_eq!(get.json["upstream"], "user", "{row}");
        assert_eq!(get.header("retry-after").is_some(), kind.starts_with("503"), "{row}");
        assert!(base.1.borrow().len() <= tries, "{row}: {:?}", base.1.borrow());
        // what may have been done already is not done again
        base.1.borrow_mut().clear();
        let post = client.post("/api/users", serde_json::json!({})).await;
        post.expect_problem(kind, "/api/users", row);
        assert!(base.1.borrow().len() <= 1, "{row}: {:?}", base.1.borrow());
        assert!(!node.log_text().contains("panicked"), "{row}");
    }
    let silent = serve_connections(|mut stream| async move { while read_head(&mut stream).await.is_some() {} });
    let (_node, client) = gateway_at(&silent, patience);
    for method in [Method::GET, Method::DELETE] {
        let begin = Instant::now();
        let reply = client.send(method.clone(), ANA, &[], None).await;
        reply.expect_problem("504 gateway-timeout", ANA, "never answers");
        assert_eq!(reply.json["upstream"], "user");
        assert!(begin.elapsed() < Duration::from_secs(2), "{method}: {:?}", begin.elapsed());
    }
    // the gateway's own paths need no role
    client.get("/health").await.expect(200);
    client.get("/").await.expect(200);
    client.get("/readyz").await.expect(200);
}

/// A gateway before this upstream, and a client of it.
fn gateway_at(base: &str, more: &[(&str, &str)]) -> (crate::support::cluster::Node, Client) {
    let node = start_gateway(base, more);
    let client = node.client("gateway");
    (node, client)
}
