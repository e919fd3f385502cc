//! Rate limits: a client that exceeds its limit learns when to retry, and other clients are not affected.

use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::access::{REQUIRED, SERVICE, register};
use crate::support::upstream::{Recorder, start_gateway};
use crate::support::{Client, Cluster, Node, Reply, eventually};

/// A gateway with rate limits, behind a trusted proxy, so that a test can choose the client's address.
fn limited(more: &[(&str, &str)]) -> Node {
    let (_, base) = Recorder::start();
    let own = [
        ("W2MEET_AUTH__MODE", "required"),
        ("W2MEET_AUTH__SERVICE_SECRET", SERVICE),
        ("W2MEET_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    start_gateway(&base, &[&own, more].concat())
}

async fn ask(client: &Client, address: &str) -> Reply {
    client.send(Method::GET, "/", &[("x-forwarded-for", address)], None).await
}

/// The members of a `RateLimit` field, after its name.
fn standing(reply: &Reply, name: &str) -> (u64, u64) {
    let text = reply.header("ratelimit").expect("a RateLimit field");
    let rest = text.strip_prefix(&format!("\"{name}\";r=")).unwrap_or_else(|| panic!("{text}"));
    let (left, seconds) = rest.split_once(";t=").expect("two members");
    (left.parse().expect("a number"), seconds.parse().expect("a number"))
}

#[actix_web::test]
async fn exactly_the_allowed_requests_pass_and_responses_count_down() {
    let node = limited(&[("W2MEET_LIMITS__PER_ADDRESS", "12")]);
    let client = node.client("gateway");
    let begin = Instant::now();
    for number in 1..=12 {
        let reply = ask(&client, "203.0.113.1").await.expect(200);
        assert_eq!(reply.header("ratelimit-policy"), Some("\"default\";q=12;w=60"));
        let (left, seconds) = standing(&reply, "default");
        assert!(left == 12 - number && seconds <= 5 * number, "{number}: {left} left, {seconds} s");
    }
    for _ in 0..8 {
        let reply = ask(&client, "203.0.113.1").await;
        reply.expect_problem("429 rate-limited", "/", "one more");
        assert_eq!(reply.json["violated-policies"], json!(["default"]));
        let wait: u64 = reply.header("retry-after").and_then(|text| text.parse().ok()).expect("Retry-After");
        let (left, seconds) = standing(&reply, "default");
        assert!((1..=5).contains(&wait) && left == 0 && wait >= seconds, "{wait} s, {left} left, {seconds} s");
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "before the first of them came back");
    for (address, status) in
        [("203.0.113.2", 200), ("203.0.113.1, 203.0.113.3", 200), ("::ffff:203.0.113.1", 429), ("2001:db8::1", 200)]
    {
        assert_eq!(ask(&client, address).await.status, status, "{address}");
    }
    for host in 2..=12 {
        ask(&client, &format!("2001:db8::{host}")).await.expect(200);
    }
    assert_eq!(ask(&client, "2001:db8:0:0:ffff::1").await.status, 429, "a /64 is one client");
    assert_eq!(ask(&client, "2001:db8:0:1::1").await.status, 200);
    for _ in 0..20 {
        client.send(Method::GET, "/livez", &[("x-forwarded-for", "203.0.113.1")], None).await.expect(200);
    }
}

#[actix_web::test]
async fn a_client_that_waits_for_retry_after_is_accepted() {
    let node = limited(&[("W2MEET_LIMITS__PER_ADDRESS", "40")]);
    let client = node.client("gateway");
    let clients = (0..100).map(async |number: u32| {
        let address = format!("198.51.100.{number}");
        let refused = loop {
            let reply = ask(&client, &address).await;
            if reply.status == 429 {
                break reply;
            }
        };
        let wait = refused.header("retry-after").and_then(|text| text.parse().ok()).expect("Retry-After");
        tokio::time::sleep(Duration::from_secs(wait)).await;
        ask(&client, &address).await.status
    });
    assert_eq!(join_all(clients).await, [200; 100]);
}

#[actix_web::test]
async fn accounts_are_counted_over_all_addresses_and_sign_in_is_counted_separately() {
    let more = [REQUIRED, &[("W2MEET_LIMITS__PER_ACCOUNT", "6"), ("W2MEET_LIMITS__SIGN_IN", "8")]].concat();
    let cluster = Cluster::all_with(&more).await;
    let (ana, ben) = (register(&cluster, "ana@example.com").await, register(&cluster, "ben@example.com").await);
    for number in 1..=6 {
        let reply = ana.get("/api/auth/me").await.expect(200);
        assert_eq!(standing(&reply, "account").0, 6 - number);
    }
    let refused = ana.get("/api/auth/me").await;
    refused.expect_problem("429 rate-limited", "/api/auth/me", "one more");
    assert_eq!(refused.json["violated-policies"], json!(["account"]));
    ben.get("/api/auth/me").await.expect(200);

    let guess = async || {
        let body = json!({ "email": "cleo@example.com", "password": "not the right one at all" });
        cluster.post("/api/auth/login", body).await
    };
    // two of eight went into registering
    for _ in 0..6 {
        let reply = guess().await;
        assert!([401, 429].contains(&reply.status) && reply.json["type"] != "/problems/rate-limited", "{}", reply.text);
    }
    let refused = guess().await;
    refused.expect_problem("429 rate-limited", "/api/auth/login", "one more");
    assert_eq!(refused.json["violated-policies"], json!(["sign-in"]));
    assert_eq!(refused.header("ratelimit-policy"), Some("\"sign-in\";q=8;w=60"));
    ben.get("/api/auth/me").await.expect(200);
}

#[actix_web::test]
async fn open_access_has_no_rate_limit_by_account() {
    let (_, base) = Recorder::start();
    let node =
        start_gateway(&base, &[("W2MEET_LIMITS__PER_ADDRESS", "1"), ("W2MEET_SERVER__CONNECTIONS_PER_ADDRESS", "1")]);
    let client = node.client("gateway");
    let replies = join_all((0..20).map(|_| client.get("/"))).await;
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.header("ratelimit").is_none()));
}

#[actix_web::test]
async fn one_address_has_a_limit_of_connections() {
    let (_, base) = Recorder::start();
    let required = [("W2MEET_AUTH__MODE", "required"), ("W2MEET_AUTH__SERVICE_SECRET", SERVICE)];
    let node = start_gateway(&base, &[&required[..], &[("W2MEET_SERVER__CONNECTIONS_PER_ADDRESS", "5")]].concat());
    let address = node.url("gateway").replace("http://", "");
    let open = async || {
        let mut stream = TcpStream::connect(&address).await.expect("the gateway listens");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("a socket");
        let mut heard = vec![0; 4096];
        let read = stream.read(&mut heard).await.unwrap_or(0);
        (String::from_utf8_lossy(&heard[..read]).into_owned(), stream)
    };
    let mut held = Vec::new();
    for number in 0..5 {
        let (heard, stream) = open().await;
        assert!(heard.starts_with("HTTP/1.1 200"), "{number}: {heard}");
        held.push(stream);
    }
    let (heard, _stream) = open().await;
    assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 429"), "{heard}");
    held.pop();
    eventually("its place is free again", async || open().await.0.starts_with("HTTP/1.1 200").then_some(())).await;
}
