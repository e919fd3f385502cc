//! Several replicas of one role: balancing, ejection, hedging, retries, and what clients notice of failures.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::interval;

use crate::support::upstream::{closed_port_url, read_head, serve_connections, start_gateway};
use crate::support::{Client, Node, eventually};

const USER: &str = "/api/users/ana@example.com";

/// A replica that is a socket with settings.
#[derive(Default)]
struct Fake {
    ready: Cell<bool>,
    hangs: Cell<bool>,
    /// The received requests, without readiness probes.
    seen: RefCell<Vec<String>>,
    asked: Cell<usize>,
}

impl Fake {
    /// Starts a ready replica; returns its base URL too.
    fn start() -> (Rc<Fake>, String) {
        let fake = Rc::new(Fake { ready: Cell::new(true), ..Fake::default() });
        let own = Rc::clone(&fake);
        let base = serve_connections(move |stream| Rc::clone(&own).serve(stream));
        (fake, base)
    }

    async fn serve(self: Rc<Fake>, mut stream: TcpStream) {
        while let Some((head, _)) = read_head(&mut stream).await {
            let probe = head.starts_with("GET /readyz ");
            match probe {
                true => self.asked.set(self.asked.get() + 1),
                false => self.seen.borrow_mut().push(head),
            }
            if self.hangs.get() {
                return std::future::pending().await;
            }
            let status = if probe && !self.ready.get() { "503 No" } else { "200 OK" };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn count(&self) -> usize {
        self.seen.borrow().len()
    }
}

fn start(bases: &[&str], more: &[(&str, &str)]) -> (Node, Client) {
    let node = start_gateway(&bases.join(","), more);
    let client = node.client("gateway");
    (node, client)
}

#[actix_web::test]
async fn an_unready_replica_gets_no_requests() {
    let ((one, first), (two, second)) = (Fake::start(), Fake::start());
    let (_node, client) = start(&[&first, &second], &[("W2MEET_BALANCE__PROBE_MS", "20")]);
    two.ready.set(false);
    let asked = two.asked.get();
    eventually("it was asked how it does", async || (two.asked.get() > asked + 2).then_some(())).await;
    let before = (one.count(), two.count());
    for _ in 0..20 {
        client.get(USER).await.expect(200);
    }
    assert_eq!((one.count(), two.count()), (before.0 + 20, before.1));
    two.ready.set(true);
    eventually("it gets its share again", async || {
        client.get(USER).await.expect(200);
        (two.count() > before.1).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn an_unready_replica_is_tried_before_a_read_fails_at_a_hanging_one() {
    let ((hung, first), (unready, second)) = (Fake::start(), Fake::start());
    unready.ready.set(false);
    let settings = [("W2MEET_BALANCE__HEDGE_MS", "30"), ("W2MEET_BALANCE__PROBE_MS", "20")];
    let (_node, client) = start(&[&first, &second], &settings);
    eventually("it was asked how it does", async || (unready.asked.get() > 2).then_some(())).await;
    hung.hangs.set(true);
    client.get(USER).await.expect(200);
    assert_eq!((hung.count(), unready.count()), (1, 1));
}

#[actix_web::test]
async fn missing_replicas_are_reported_at_once_and_found_again() {
    let (gone, other) = (closed_port_url(), closed_port_url());
    let (_node, client) = start(&[&gone, &other], &[("W2MEET_BALANCE__PROBE_MS", "20")]);
    let refused = client.get(USER).await;
    refused.expect_problem("503 unavailable", USER, "user cannot be reached");
    assert!(refused.header("retry-after").is_some());
    let begin = Instant::now();
    for _ in 0..10 {
        client.get(USER).await.expect(503);
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[actix_web::test]
async fn a_slow_read_is_hedged_and_the_slow_replica_is_ejected() {
    let ((slow, first), (quick, second)) = (Fake::start(), Fake::start());
    let settings = [("W2MEET_BALANCE__HEDGE_MS", "30"), ("W2MEET_BALANCE__PROBE_MS", "0")];
    let (node, client) = start(&[&first, &second], &settings);
    slow.hangs.set(true);
    for _ in 0..12 {
        client.get(USER).await.expect(200);
    }
    assert_eq!((slow.count(), quick.count()), (3, 12), "three failures in a row are enough");
    node.wait_for("the failing replica is ejected", |line| line["level"] == "WARN" && line["replica"] == first);
    // a POST without a key is sent once, to the replica that works
    let made =
        client.send(Method::POST, "/api/users", &[("content-type", "application/json")], Some(b"{}".to_vec())).await;
    assert_eq!((made.status, slow.count(), quick.count()), (200, 3, 13));
    slow.hangs.set(false);
    eventually("it has rested, and is tried again", async || {
        client.get(USER).await.expect(200);
        (slow.count() > 3).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_write_that_hangs_is_never_sent_twice() {
    let ((one, first), (two, second)) = (Fake::start(), Fake::start());
    let settings =
        [("W2MEET_BALANCE__HEDGE_MS", "20"), ("W2MEET_BALANCE__PROBE_MS", "0"), ("W2MEET_LIMITS__CALL_SECONDS", "0.3")];
    let (_node, client) = start(&[&first, &second], &settings);
    one.hangs.set(true);
    two.hangs.set(true);
    let made =
        client.send(Method::POST, "/api/users", &[("content-type", "application/json")], Some(b"{}".to_vec())).await;
    made.expect_problem("504 gateway-timeout", "/api/users", "did not respond in time");
    assert_eq!(one.count() + two.count(), 1);
}

#[actix_web::test]
async fn a_post_with_a_key_or_one_that_only_reads_is_retried() {
    let ((one, first), (two, second)) = (Fake::start(), Fake::start());
    let (_node, client) = start(&[&first, &second], &[("W2MEET_BALANCE__HEDGE_MS", "20")]);
    one.hangs.set(true);
    let key = ("idempotency-key", "66");
    for _ in 0..2 {
        let body = br#"{"name":"Ana"}"#;
        let answer = client.try_send(Method::POST, "/api/users", &[key], Some(body.to_vec())).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text);
        let answer =
            client.try_send(Method::POST, "/api/availability", &[], Some(body.to_vec())).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    assert!(one.count() > 0, "it had its turn");
    let keyed = two.seen.borrow().iter().filter(|head| head.contains("idempotency-key: 66")).count();
    assert_eq!(keyed, 2, "the key goes along");
}

#[actix_web::test]
async fn a_post_whose_key_is_not_forwarded_is_not_retried() {
    let ((one, first), (two, second)) = (Fake::start(), Fake::start());
    let settings = [("W2MEET_BALANCE__HEDGE_MS", "20"), ("W2MEET_LIMITS__CALL_SECONDS", "0.3")];
    let (_node, client) = start(&[&first, &second], &settings);
    one.hangs.set(true);
    two.hangs.set(true);
    let headers = "Idempotency-Key: 66\r\nConnection: close, idempotency-key\r\nContent-Length: 0\r\n";
    client.send_head("POST", "/api/users", headers).await.expect(504);
    assert_eq!(one.count() + two.count(), 1);
}

#[actix_web::test]
async fn a_slow_success_wins_over_a_quick_refusal() {
    let (asked, answer) = (Rc::new(Cell::new(0)), "Content-Length: 0\r\n\r\n");
    let many = Rc::clone(&asked);
    let slow = serve_connections(move |mut stream| {
        let many = Rc::clone(&many);
        async move {
            while read_head(&mut stream).await.is_some() {
                many.set(many.get() + 1);
                let mut pace = interval(Duration::from_millis(400));
                pace.tick().await;
                pace.tick().await;
                drop(stream.write_all(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes()).await);
            }
        }
    });
    let away = serve_connections(move |mut stream| async move {
        while read_head(&mut stream).await.is_some() {
            drop(stream.write_all(format!("HTTP/1.1 503 No\r\n{answer}").as_bytes()).await);
        }
    });
    let settings = [("W2MEET_BALANCE__HEDGE_MS", "20"), ("W2MEET_BALANCE__PROBE_MS", "0")];
    let (_node, client) = start(&[&slow, &away], &settings);
    let all = join_all((0..2).map(|_| client.get(USER))).await;
    let good = all.iter().filter(|reply| reply.status == 200).count();
    assert_eq!((good, asked.get()), (1, 1), "the other one began at the replica that says no, and that is its answer");
}

#[actix_web::test]
async fn when_all_replicas_hang_callers_get_504_and_retries_are_limited() {
    const REQUESTS: usize = 200;
    let (fakes, bases): (Vec<_>, Vec<_>) = (0..3).map(|_| Fake::start()).unzip();
    let bases: Vec<&str> = bases.iter().map(String::as_str).collect();
    let settings =
        [("W2MEET_BALANCE__HEDGE_MS", "30"), ("W2MEET_BALANCE__PROBE_MS", "0"), ("W2MEET_LIMITS__CALL_SECONDS", "1")];
    let (_node, client) = start(&bases, &settings);
    fakes.iter().for_each(|fake| fake.hangs.set(true));
    let begin = Instant::now();
    let answers = join_all((0..REQUESTS).map(|_| client.get(USER))).await;
    assert!(answers.iter().all(|answer| [503, 504].contains(&answer.status)));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    let sent: usize = fakes.iter().map(|fake| fake.count()).sum();
    // a fifth more, ten a second, and what was saved up before
    let most = REQUESTS + REQUESTS / 5 + 10 * (took.as_secs() as usize + 1) + 20;
    assert!((REQUESTS..=most).contains(&sent), "{sent} requests for {REQUESTS}, in {took:?}");
}

#[actix_web::test]
async fn requests_beyond_the_limit_of_a_replica_are_refused_at_once() {
    let (fake, base) = Fake::start();
    let settings = [("W2MEET_BALANCE__IN_FLIGHT", "5"), ("W2MEET_LIMITS__CALL_SECONDS", "1")];
    let (_node, client) = start(&[&base], &settings);
    fake.hangs.set(true);
    let all = join_all((0..20).map(|_| client.get(USER))).await;
    let count = |status: u16| all.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(504), count(503)), (5, 15));
    let shed = all.iter().find(|answer| answer.status == 503).expect("one");
    shed.expect_problem("503 unavailable", USER, "as much to do as it may");
    assert_eq!(fake.count(), 5);
}
