//! Callbacks as their receivers see them: signed, sent once, never to a forbidden address, and with a time limit.

use std::cell::{Cell, RefCell};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use w2meet::config::{Webhooks, load_from};
use w2meet::platform::outbound::{Delivery, DeliveryResult, Resolver, Secret, WebhookClient, signature};

use crate::callback_urls::{message, sender, settings};
use crate::support::shell::TextFile;
use crate::support::upstream::{closed_port_url, read_head, serve_connections};

const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

/// Settings of an installation whose receivers are on this machine.
pub fn here() -> Webhooks {
    settings(true, &["127.0.0.1"])
}

pub fn loopback(_: &str) -> Vec<IpAddr> {
    vec![LOOPBACK.into()]
}

/// A request as the receiver read it.
#[derive(Clone, Default)]
struct Seen {
    head: String,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).unwrap_or_default()
    }
}

/// Reads a request whole.
async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let (head, mut body) = read_head(stream).await?;
    let mut seen = Seen { head, body: String::new() };
    let length: usize = seen.header("content-length").parse().ok()?;
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    seen.body = String::from_utf8(body).ok()?;
    Some(seen)
}

/// A receiver that answers everything so; what it saw is in the list.
fn receiver(answer: impl Into<String>) -> (String, Rc<RefCell<Vec<Seen>>>) {
    let seen: Rc<RefCell<Vec<Seen>>> = Rc::default();
    let (list, answer) = (Rc::clone(&seen), Rc::new(answer.into()));
    let base = serve_connections(move |mut stream| {
        let (list, answer) = (Rc::clone(&list), Rc::clone(&answer));
        async move {
            if let Some(request) = read_request(&mut stream).await {
                list.borrow_mut().push(request);
                stream.write_all(answer.as_bytes()).await.ok();
            }
        }
    });
    (base, seen)
}

async fn send(sender: &WebhookClient, url: &str) -> DeliveryResult {
    sender.send(&message(url, &[Secret::generate()])).await
}

#[actix_web::test]
async fn a_receiver_can_verify_the_sender() {
    let (base, seen) = receiver("HTTP/1.1 204 No Content\r\n\r\n");
    let secrets = [Secret::generate(), Secret::generate()];
    let url = format!("{base}/hook?key=1");
    let before = jiff::Timestamp::now().as_second();
    let answer = sender(&here(), loopback).send(&message(&url, &secrets)).await;
    assert_eq!(answer, DeliveryResult::Delivered { status: 204 });
    let seen = seen.borrow()[0].clone();
    assert!(seen.head.starts_with("POST /hook?key=1 HTTP/1.1\r\n"), "{}", seen.head);
    let timestamp: i64 = seen.header("webhook-timestamp").parse().expect("seconds");
    assert!((before..before + 5).contains(&timestamp), "{timestamp}");
    assert_eq!(seen.header("webhook-id"), "msg_1");
    assert_eq!(seen.header("case-id"), "case-1");
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("user-agent"), concat!("W2Meet/", env!("CARGO_PKG_VERSION")));
    assert_eq!(seen.header("webhook-signature"), signature::sign(&secrets, "msg_1", timestamp, seen.body.as_bytes()));
    assert_eq!(seen.header("webhook-signature").split(' ').count(), 2);
}

#[actix_web::test]
async fn a_name_that_moves_to_this_machine_is_not_followed() {
    let connections = Rc::new(Cell::new(0));
    let count = Rc::clone(&connections);
    let base = serve_connections(move |_| {
        count.set(count.get() + 1);
        async {}
    });
    let port = base.rsplit(':').next().expect("a port").to_owned();
    let asked = Rc::new(Cell::new(0));
    let times = Rc::clone(&asked);
    // 198.18.0.0/15 is allowed here in the place of a public address: with one's own networks, any port will do
    let sender = sender(&settings(true, &["198.18.0.0/15"]), move |_| {
        times.set(times.get() + 1);
        vec![LOOPBACK.into()]
    });
    let url = format!("http://hook.example:{port}/");
    for attempt in 1..=3 {
        let answer = send(&sender, &url).await;
        assert!(matches!(answer, DeliveryResult::Failed { status: None, .. }), "{answer:?}");
        assert_eq!(asked.get(), attempt, "each attempt asks anew");
    }
    // the listener is alive, and would have counted
    let direct = TcpStream::connect(base.trim_start_matches("http://")).await;
    drop(direct.expect("a connection"));
    crate::support::eventually("the direct connection is counted", async || (connections.get() > 0).then_some(()))
        .await;
    assert_eq!(connections.get(), 1);
}

#[actix_web::test]
async fn a_name_that_moves_between_two_attempts_is_blocked_at_the_second() {
    let requests = Rc::new(Cell::new(0));
    let count = Rc::clone(&requests);
    // it would keep the connection for the next request
    let base = serve_connections(move |mut stream| {
        let count = Rc::clone(&count);
        async move {
            while read_request(&mut stream).await.is_some() {
                count.set(count.get() + 1);
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok")
                    .await
                    .ok();
            }
        }
    });
    let moved = Rc::new(Cell::new(false));
    let now = Rc::clone(&moved);
    let sender = sender(&here(), move |_| vec![if now.get() { [127, 0, 0, 2] } else { LOOPBACK }.into()]);
    let url = base.replace("127.0.0.1", "hook.example");
    assert_eq!(send(&sender, &url).await, DeliveryResult::Delivered { status: 200 });
    moved.set(true);
    // no connection of before is used again: 127.0.0.2 is not allowed here
    let second = send(&sender, &url).await;
    assert!(matches!(second, DeliveryResult::Failed { status: None, .. }), "{second:?}");
    assert_eq!(requests.get(), 1);
}

#[actix_web::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let (inside, secret) = receiver("HTTP/1.1 200 OK\r\n\r\n");
        let (base, seen) = receiver(format!("HTTP/1.1 {status} X\r\nLocation: {inside}/\r\nContent-Length: 0\r\n\r\n"));
        let answer = send(&sender(&here(), loopback), &base).await;
        let DeliveryResult::Failed { status: Some(response), why, .. } = answer else { panic!("{answer:?}") };
        assert_eq!((response, why), (status, format!("it responded with {status}; redirects are not followed")));
        assert_eq!((seen.borrow().len(), secret.borrow().len()), (1, 0));
    }
}

#[actix_web::test]
async fn the_status_decides_on_a_retry() {
    let sender = sender(&here(), loopback);
    let (gone, _) = receiver("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(send(&sender, &gone).await, DeliveryResult::Gone);
    let (busy, _) = receiver("HTTP/1.1 429 X\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n");
    let two_minutes = Some(Duration::from_secs(120));
    let busy = send(&sender, &busy).await;
    assert!(
        matches!(busy, DeliveryResult::Failed { status: Some(429), retry_after, timed_out: false, .. } if retry_after == two_minutes)
    );
    let (broken, _) = receiver("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
    let broken = send(&sender, &broken).await;
    assert!(
        matches!(&broken, DeliveryResult::Failed { status: Some(500), why, .. } if why.contains("500")),
        "{broken:?}"
    );
    let (invalid, _) = receiver("hello\r\n\r\n");
    let (silent, unfinished) = (receiver("").0, receiver("HTTP/1.1 100 Continue\r\n\r\n").0);
    assert_eq!(send(&sender, &unfinished).await, send(&sender, &silent).await, "an interim response is none");
    let mut reasons = std::collections::BTreeSet::new();
    for url in [closed_port_url(), invalid, silent] {
        let answer = send(&sender, &url).await;
        assert!(
            matches!(&answer, DeliveryResult::Failed { timed_out: false, why, .. } if reasons.insert(why.clone())),
            "{url}: {answer:?}"
        );
    }
}

#[actix_web::test]
async fn a_hanging_receiver_costs_no_more_than_the_timeout() {
    let brief = Webhooks { timeout_seconds: 0.3, ..here() };
    let begin = Instant::now();
    // one never answers, one never ends its head, one never ends its body
    let silent =
        serve_connections(async |mut stream| drop((stream.read_u8().await, std::future::pending::<()>().await)));
    let dripping = serve_connections(async |mut stream| while stream.write_all(b"HTTP/1.1 2").await.is_ok() {});
    let open = serve_connections(async |mut stream| {
        let head = b"HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\nab";
        drop((read_request(&mut stream).await, stream.write_all(head).await, std::future::pending::<()>().await));
    });
    let sender = sender(&brief, loopback);
    let silent = send(&sender, &silent).await;
    assert!(matches!(silent, DeliveryResult::Failed { status: None, timed_out: true, .. }), "{silent:?}");
    let dripping = send(&sender, &dripping).await;
    assert!(matches!(dripping, DeliveryResult::Failed { status: None, .. }), "{dripping:?}");
    let open = send(&sender, &open).await;
    assert!(matches!(open, DeliveryResult::Failed { status: Some(503), timed_out: false, .. }), "{open:?}");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[actix_web::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let written = Rc::new(Cell::new(0));
    let total = Rc::clone(&written);
    let base = serve_connections(move |mut stream| {
        let total = Rc::clone(&total);
        async move {
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n").await.ok();
            while stream.write_all(&[b'a'; 4096]).await.is_ok() {
                total.set(total.get() + 4096);
            }
            total.set(total.get() + 1); // the sender has hung up
        }
    });
    let begin = Instant::now();
    assert_eq!(send(&sender(&here(), loopback), &base).await, DeliveryResult::Delivered { status: 200 });
    assert!(begin.elapsed() < Duration::from_secs(4), "not by the timeout: {:?}", begin.elapsed());
    crate::support::eventually("the sender hangs up", async || (written.get() % 4096 == 1).then_some(())).await;
    // what the sockets' buffers hold comes on top of what was read
    assert!(written.get() < 32 << 20, "{}", written.get());
}

/// Bodies that a careless signer gets wrong.
const BODIES: [&str; 5] = [
    "{}",
    r#"{"type":"meeting.suggested","data":{"id":"0197f0c2"}}"#,
    "{ \"spaced\" : [ 1,  2.50, 1e3 ] }\n",
    r#"{"name":"Zoë — 会议 🗓","escaped":"\u00e9\/"}"#,
    r#"{"dots":"a.b.c","quote":"\"","nul":"\u0000"}"#,
];

/// What `scripts/check-webhooks` gives to the verifiers of others.
#[actix_web::test]
async fn deliveries_are_captured_for_the_verifiers_of_others() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("webhooks");
    fs::create_dir_all(&folder).expect("a folder");
    let (base, seen) = receiver("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let sender = sender(&here(), loopback);
    let large = json!({ "attendees": vec!["ana@example.com"; 20_000] }).to_string();
    for (at, body) in BODIES.into_iter().chain([large.as_str()]).enumerate() {
        let secrets = [Secret::generate(), Secret::generate()];
        let id = format!("msg_{}", uuid::Uuid::now_v7());
        let body = body.to_owned().into();
        let delivery = Delivery {
            url: &base,
            id: &id,
            body,
            secrets: &secrets,
            case_id: "case-1",
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        };
        assert_eq!(sender.send(&delivery).await, DeliveryResult::Delivered { status: 200 });
        let request = seen.borrow()[at].clone();
        let lines = request.head.lines().filter_map(|line| line.split_once(": "));
        let headers: Map<String, Value> = lines.map(|(name, value)| (name.to_lowercase(), value.into())).collect();
        for (which, secret) in secrets.iter().enumerate() {
            let capture = json!({ "headers": headers, "body": request.body, "secret": secret.expose() });
            fs::write(folder.join(format!("{at}-{which}.json")), capture.to_string()).expect("a file");
        }
    }
}

/// A TLS server of these hosts, the roots that trust it, and the same as PEM.
pub fn tls_server(hosts: &[&str]) -> (rustls::ServerConfig, rustls::RootCertStore, String) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(hosts).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    (tls, roots, made.cert.pem())
}

#[actix_web::test]
async fn a_certificate_must_be_for_the_host_that_was_named() {
    let (tls, roots, _) = tls_server(&["hook.example"]);
    let port = serve_tls(tls);
    let names = Resolver::Scripted(Rc::new(loopback));
    let trusting = WebhookClient::with_resolver(&here(), names.clone(), roots).expect("a sender");
    let right = send(&trusting, &format!("https://hook.example:{port}/")).await;
    assert_eq!(right, DeliveryResult::Delivered { status: 204 });
    let strict = WebhookClient::with_resolver(&here(), names, rustls::RootCertStore::empty()).expect("a sender");
    for (sender, host) in [(&trusting, "other.example"), (&strict, "hook.example")] {
        let answer = send(sender, &format!("https://{host}:{port}/")).await;
        assert!(
            matches!(&answer, DeliveryResult::Failed { status: None, why, .. } if why.contains("certificate")),
            "{answer:?}"
        );
    }
}

#[actix_web::test]
async fn authorities_of_the_operator_are_trusted_too() {
    let (tls, _, pem) = tls_server(&["127.0.0.1"]);
    let (port, file) = (serve_tls(tls), TextFile::new("authority.pem", &pem));
    for (ca_file, is_trusted) in [(file.path(), true), ("", false)] {
        let env = [("W2MEET_TLS__CA_FILE", ca_file), ("W2MEET_WEBHOOKS__ALLOW_NETWORKS", "127.0.0.1")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter();
        let client = WebhookClient::new(&load_from(None, env).expect("settings").settings).expect("a client");
        let result = send(&client, &format!("https://127.0.0.1:{port}/")).await;
        assert_eq!(result == DeliveryResult::Delivered { status: 204 }, is_trusted, "{ca_file}: {result:?}");
    }
}

/// Answers 204 to every request over TLS, on threads of its own.
pub fn serve_tls(tls: rustls::ServerConfig) -> u16 {
    use std::io::{Read, Write};
    let tls = std::sync::Arc::new(tls);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(std::sync::Arc::clone(&tls)).expect("a session");
            let mut stream = rustls::StreamOwned::new(session, stream);
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            stream.read_exact(&mut vec![0; length.unwrap_or_default()]).ok();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok();
        }
    });
    port
}
