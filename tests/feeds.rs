//! Calendar feeds over TLS, framed as servers frame them, and moved to other hosts.

use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use w2meet::platform::outbound::calendar_source::{CalendarSource, Fetched, Validators};
use w2meet::platform::outbound::{Resolver, Subscription, WebhookClient};

use crate::callbacks::{here, loopback, tls_server};

const TEXT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n";

/// A server of the hosts one.example and two.example, and the heads of the requests that it got.
struct TlsFeed {
    port: u16,
    client: WebhookClient,
    heads: Arc<Mutex<Vec<String>>>,
}

impl TlsFeed {
    fn open() -> TlsFeed {
        let (tls, roots, _) = tls_server(&["one.example", "two.example"]);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let (seen, tls) = (Arc::clone(&heads), Arc::new(tls));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let session = rustls::ServerConnection::new(Arc::clone(&tls)).expect("a session");
                let mut stream = rustls::StreamOwned::new(session, stream);
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).to_lowercase();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                seen.lock().expect("a lock").push(head);
                let response: Vec<u8> = response(&path, port).chars().flat_map(u8::try_from).collect();
                stream.write_all(&response).ok();
                if !path.starts_with("/cut") {
                    stream.conn.send_close_notify();
                    stream.flush().ok();
                }
            }
        });
        let client =
            WebhookClient::with_resolver(&here(), Resolver::Scripted(Rc::new(loopback)), roots).expect("a client");
        TlsFeed { port, client, heads }
    }

    /// What a path of one.example gives: its text, or why there is none.
    async fn fetch(&self, credentials: &str, path: &str) -> Result<String, String> {
        let url = format!("https://{credentials}one.example:{}{path}", self.port);
        let subscription = Subscription { client: &self.client, url: &url, max_bytes: 1000 };
        match subscription.fetch(&Validators::default()).await {
            Fetched::Text { text, .. } => Ok(text),
            Fetched::Failed { why } => Err(why),
            Fetched::Unchanged => Err("unchanged".to_owned()),
        }
    }

    /// The hosts that were asked since, each with whether it got a password.
    fn asked(&self) -> Vec<(String, bool)> {
        let heads = std::mem::take(&mut *self.heads.lock().expect("a lock"));
        let host = |head: &String| {
            let host = head.split("\r\nhost: ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or_default();
            (host.to_owned(), head.contains("\r\nauthorization: basic "))
        };
        heads.iter().map(host).collect()
    }
}

/// A response, each byte as a character.
fn response(path: &str, port: u16) -> String {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\nConnection: close\r\n";
    let moved =
        |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let (one, two) = TEXT.split_at(20);
    let chunks = format!("{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n", one.len(), two.len());
    match path {
        "/chunked" => format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\nX-Trailer: 1\r\n\r\n"),
        "/cut-chunked" => format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}"),
        "/large-chunked" => format!("{head}Transfer-Encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001)),
        "/large" => format!("{head}\r\n{}", "x".repeat(1001)),
        "/gzip" => format!("{head}Content-Encoding: gzip\r\n\r\n"),
        "/basic.ics.gz" => format!("{head}\r\n\u{1f}\u{8b}\u{8}"),
        "/chunked.ics.gz" => format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\n\u{1f}\u{8b}\u{8}\r\n0\r\n\r\n"),
        "/away" => moved(&format!("https://two.example:{port}/closed")),
        "/away-and-back" => moved(&format!("https://two.example:{port}/back")),
        "/back" => moved(&format!("https://one.example:{port}/chunked")),
        "/other-password" => moved(&format!("https://eve:pw@two.example:{port}/closed")),
        "/here" => moved("/closed"),
        _ => format!("{head}\r\n{TEXT}"),
    }
}

#[actix_web::test]
async fn a_feed_over_tls_needs_no_length() {
    let feed = TlsFeed::open();
    for path in ["/chunked", "/closed"] {
        assert_eq!(feed.fetch("", path).await.as_deref(), Ok(TEXT), "{path}");
        assert_eq!(feed.fetch("ana:pw@", path).await.as_deref(), Ok(TEXT), "{path}");
    }
    // Without the end of the last chunk, or of TLS, nobody knows whether the calendar is whole.
    for path in ["/cut-chunked", "/cut"] {
        assert!(feed.fetch("", path).await.is_err_and(|why| why.contains("in the middle")), "{path}");
    }
    for path in ["/large-chunked", "/large"] {
        assert!(feed.fetch("", path).await.is_err_and(|why| why.contains("larger than 1000")), "{path}");
    }
}

#[actix_web::test]
async fn a_compressed_feed_is_refused_with_a_reason() {
    let feed = TlsFeed::open();
    for path in ["/gzip", "/basic.ics.gz", "/chunked.ics.gz"] {
        let why = feed.fetch("", path).await.expect_err(path);
        assert_eq!(why, "it sent the calendar compressed: publish it without compression", "{path}");
    }
}

#[actix_web::test]
async fn a_password_is_not_sent_on_to_another_host() {
    let feed = TlsFeed::open();
    let asked =
        |hosts: &[(&str, bool)]| hosts.iter().map(|(host, has)| (format!("{host}.example"), *has)).collect::<Vec<_>>();
    for (path, hosts) in [
        // A response without a length is asked for twice.
        ("/here", asked(&[("one", true), ("one", true), ("one", true)])),
        ("/away", asked(&[("one", true), ("two", false), ("two", false)])),
        ("/away-and-back", asked(&[("one", true), ("two", false), ("one", false)])),
    ] {
        assert_eq!(feed.fetch("ana:pw@", path).await.as_deref(), Ok(TEXT), "{path}");
        assert_eq!(feed.asked(), hosts, "{path}");
    }
    // A URL with a password is no URL that a redirect may lead to.
    assert!(feed.fetch("ana:pw@", "/other-password").await.is_err());
    assert_eq!(feed.asked(), asked(&[("one", true)]));
}
