//! One of three replicas is killed, or hangs, again and again: readers notice nothing.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use serde_json::json;
use tokio::time::interval;

use crate::support::benchmarks::{Latencies, is_full_size, print_figure, soak_size};
use crate::support::servers::free_port;
use crate::support::{Client, Cluster, Node, eventually};

const PATH: &str = "/api/availability?attendee=ana@example.com&attendee=ben@example.com";
const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends requests at this rate while `trouble` lasts; returns the response times, and the failures.
async fn ask(
    client: &Client,
    count: usize,
    per_second: usize,
    trouble: impl Future<Output = ()>,
) -> (Latencies, Vec<String>) {
    let tick = interval(Duration::from_secs(1) / u32::try_from(per_second).expect("a rate"));
    let ticks = futures_util::stream::unfold(tick, async |mut tick| {
        tick.tick().await;
        Some(((), tick))
    });
    let failed = RefCell::new(Vec::new());
    let one = async |()| {
        let begin = Instant::now();
        match client.try_send(awc::http::Method::GET, PATH, &[JSON], None).await {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => failed.borrow_mut().push(answer.text),
            Err(why) => failed.borrow_mut().push(why.to_string()),
        }
        begin.elapsed()
    };
    let all = Box::pin(ticks.take(count)).map(one).buffer_unordered(count).collect::<Vec<Duration>>();
    let times = match select(Box::pin(all), Box::pin(trouble)).await {
        Either::Left((times, _)) => Latencies::from_times(times),
        Either::Right(_) => panic!("the trouble ended before the questions"),
    };
    (times, failed.take())
}

/// A gateway of its own before three replicas of availability.
struct Fleet {
    replicas: RefCell<Vec<Node>>,
    gateway: Node,
    client: Client,
    _cluster: Cluster,
}

impl Fleet {
    async fn start() -> Fleet {
        let mut cluster =
            Cluster::split_with(&[("W2MEET_BALANCE__HEDGE_MS", "250"), ("W2MEET_SERVER__LINGER_MS", "1000")]).await;
        for email in ["ana@example.com", "ben@example.com"] {
            cluster.register(email, json!({ "monday": ["09:00-17:00"] })).await;
        }
        let mut replicas: Vec<Node> = Vec::new();
        while let Some(at) = cluster.nodes.iter().position(|node| node.roles == "availability") {
            replicas.push(cluster.nodes.remove(at));
        }
        replicas.push(replicas[0].respawn());
        let bases: Vec<String> = replicas.iter().map(|node| node.url("availability")).collect();
        let gateway = cluster.nodes_of("gateway")[0].respawn_with(&[
            ("W2MEET_UPSTREAMS__AVAILABILITY", bases.join(",").as_str()),
            ("W2MEET_GATEWAY__LISTEN", "127.0.0.1:0"),
        ]);
        let client = gateway.client("gateway");
        Fleet { replicas: RefCell::new(replicas), gateway, client, _cluster: cluster }
    }

    async fn ask(
        &self,
        count: usize,
        per_second: usize,
        trouble: impl Future<Output = ()>,
    ) -> (Latencies, Vec<String>) {
        ask(&self.client, count, per_second, trouble).await
    }

    /// Ends one after the other by this signal; each is started again where it was.
    async fn end(&self, signal: &str, every: Duration) {
        let mut pace = interval(every);
        pace.tick().await;
        for at in (0..3).cycle() {
            pace.tick().await;
            let dead = self.replicas.borrow_mut().remove(at);
            dead.signal(signal);
            eventually("it ends", async || dead.exit_status()).await;
            let listen = dead.url("availability").replace("http://", "");
            let starting = move || dead.respawn_with(&[("W2MEET_AVAILABILITY__LISTEN", &listen)]);
            let new = tokio::task::spawn_blocking(starting).await.expect("it starts again");
            self.replicas.borrow_mut().insert(at, new);
        }
    }

    async fn stop_one(&self) {
        self.replicas.borrow()[1].signal("STOP");
        std::future::pending().await
    }
}

#[actix_web::test]
async fn no_read_fails_while_one_of_three_replicas_is_killed_again_and_again() {
    let (count, rate) = (soak_size("READS", 600), soak_size("READ_RATE", 200));
    let fleet = Fleet::start().await;
    let every = Duration::from_millis(if is_full_size() { 5000 } else { 1000 });
    let (times, failed) = fleet.ask(count, rate, fleet.end("KILL", every)).await;
    print_figure(
        "one of 3 replicas killed again and again",
        &format!("{} of {count} reads failed; {}", failed.len(), times.summary()),
    );
    assert_eq!(failed, Vec::<String>::new());
}

#[actix_web::test]
async fn no_request_fails_while_the_gateway_is_replaced_again_and_again() {
    let (count, rate) = (soak_size("READS", 600), soak_size("READ_RATE", 200));
    let fleet = Fleet::start().await;
    let listen = format!("127.0.0.1:{}", free_port());
    let start = || {
        fleet
            .gateway
            .respawn_with(&[("W2MEET_GATEWAY__LISTEN", listen.as_str()), ("W2MEET_SERVER__SHARE_PORT", "true")])
    };
    let gateway = RefCell::new(start());
    gateway.borrow().wait_for("it is ready", |line| line["message"] == "ready");
    let client = Client::new(&format!("http://{listen}"));
    let replaced = std::cell::Cell::new(0);
    let replace = async {
        loop {
            let new = start();
            new.wait_for("it is ready", |line| line["message"] == "ready");
            let old = gateway.replace(new);
            old.signal("TERM");
            eventually("it ends", async || old.exit_status()).await;
            replaced.set(replaced.get() + 1);
        }
    };
    let (times, failed) = ask(&client, count, rate, replace).await;
    let (failures, replaced) = (failed.len(), replaced.get());
    print_figure(
        "the gateway replaced again and again",
        &format!("{replaced} times, {failures} of {count} failed; {}", times.summary()),
    );
    assert_eq!(failed, Vec::<String>::new());
    assert!(replaced > 0);
}

#[actix_web::test]
async fn no_read_fails_while_the_replicas_are_restarted_in_turn() {
    let (count, rate) = (soak_size("READS", 600), soak_size("READ_RATE", 200));
    let fleet = Fleet::start().await;
    let (times, failed) = fleet.ask(count, rate, fleet.end("TERM", Duration::from_millis(500))).await;
    print_figure(
        "3 replicas restarted in turn",
        &format!("{} of {count} reads failed; {}", failed.len(), times.summary()),
    );
    assert_eq!(failed, Vec::<String>::new());
}

#[actix_web::test]
async fn no_read_fails_while_one_of_three_replicas_hangs() {
    let (count, rate) = (soak_size("READS", 600), soak_size("READ_RATE", 200));
    let fleet = Fleet::start().await;
    let (times, failed) = fleet.ask(count, rate, fleet.stop_one()).await;
    fleet.replicas.borrow()[1].signal("CONT");
    print_figure("one of 3 replicas hangs", &format!("{} of {count} reads failed; {}", failed.len(), times.summary()));
    assert_eq!(failed, Vec::<String>::new());
    if is_full_size() {
        assert!(times.percentile(99.0) <= Duration::from_millis(25), "{}", times.summary());
        assert!(times.longest() <= Duration::from_millis(300), "{}", times.summary());
    }
}
