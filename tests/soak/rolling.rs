//! A rolling restart of every role while clients read and write; and one replica of user hangs.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use serde_json::json;
use tokio::time::interval;

use crate::support::benchmarks::{Latencies, is_full_size, print_figure, soak_size};
use crate::support::servers::free_port;
use crate::support::{Client, Cluster, Node, eventually};

const READ: &str = "/api/suggestions?attendee=ana@example.com&attendee=ben@example.com";

/// Two or three processes of each role that a request meets, each where its callers look for it.
struct Fleet {
    /// With the variable that says where it listens, and that address.
    nodes: RefCell<Vec<(Node, String, String)>>,
    client: Client,
    _cluster: Cluster,
}

impl Fleet {
    async fn start(users: usize) -> Fleet {
        let mut cluster = Cluster::split_with(&[
            ("W2MEET_BALANCE__HEDGE_MS", "250"),
            ("W2MEET_SERVER__LINGER_MS", "1000"),
            ("W2MEET_DATABASE__POOL_SIZE", "16"),
            // a busy machine is slow, and this is not about slow databases
            ("W2MEET_DATABASE__STATEMENT_MS", "4000"),
            ("W2MEET_DATABASE__ANSWER_MS", "4500"),
        ])
        .await;
        for email in ["ana@example.com", "ben@example.com"] {
            cluster.register(email, json!({ "monday": ["09:00-17:00"] })).await;
        }
        let places = [
            ("user", users),
            ("reservation", users),
            ("availability", 2),
            ("suggestion", 2),
            ("gateway", 1),
            ("worker", 1),
        ]
        .map(|(role, count)| (role, (0..count).map(|_| format!("127.0.0.1:{}", free_port())).collect::<Vec<_>>()));
        let upstreams: Vec<(String, String)> = places
            .iter()
            .map(|(role, at)| {
                let bases: Vec<String> = at.iter().map(|address| format!("http://{address}")).collect();
                (format!("W2MEET_UPSTREAMS__{}", role.to_uppercase()), bases.join(","))
            })
            .collect();
        let old = std::mem::take(&mut cluster.nodes);
        let mut nodes = Vec::new();
        for (role, at) in &places {
            for address in at {
                let listen = format!("W2MEET_{}__LISTEN", role.to_uppercase());
                let mut more: Vec<(&str, &str)> = upstreams.iter().map(|(name, at)| (&**name, &**at)).collect();
                more.extend([(&*listen, &**address), ("W2MEET_SERVER__SHARE_PORT", "true")]);
                let node = old.iter().find(|node| node.roles == *role).expect("one of each").respawn_with(&more);
                nodes.push((node, listen.clone(), address.clone()));
            }
        }
        for (node, ..) in &nodes {
            node.wait_for("it is ready", |line| line["message"] == "ready");
        }
        let client = Client::new(&places[4].1.first().map(|at| format!("http://{at}")).expect("a gateway"));
        Fleet { nodes: RefCell::new(nodes), client, _cluster: cluster }
    }

    /// Restarts each process in turn, and waits until it is ready; a new gateway starts before the old one stops.
    async fn restart(&self, restarted: &Cell<usize>) {
        let count = self.nodes.borrow().len();
        for at in (0..count).cycle() {
            let (old, listen, address) = self.nodes.borrow_mut().remove(at);
            let shares = old.roles == "gateway";
            if !shares {
                old.signal("TERM");
                eventually("it ends", async || old.exit_status()).await;
            }
            let (variable, place) = (listen.clone(), address.clone());
            let start = move || {
                let new = old.respawn_with(&[(&variable, &place)]);
                new.wait_for("it is ready", |line| line["message"] == "ready");
                (old, new)
            };
            let (old, new) = tokio::task::spawn_blocking(start).await.expect("it starts again");
            if shares {
                old.signal("TERM");
                eventually("it ends", async || old.exit_status()).await;
            }
            self.nodes.borrow_mut().insert(at, (new, listen, address));
            restarted.set(restarted.get() + 1);
        }
    }

    /// Reads, makes users, and arranges meetings with a key, in turn, at this rate; how long each took, and what failed.
    async fn ask(
        &self,
        count: usize,
        per_second: usize,
        kinds: &[Kind],
        trouble: impl Future<Output = ()>,
    ) -> Measured {
        let tick = interval(Duration::from_secs(1) / u32::try_from(per_second).expect("a rate"));
        let ticks = futures_util::stream::unfold((tick, 0), async |(mut tick, at)| {
            tick.tick().await;
            Some((at, (tick, at + 1)))
        });
        let failed = RefCell::new(Vec::new());
        let one = async |at: usize| {
            let begin = Instant::now();
            if let Err(why) = kinds[at % kinds.len()].ask(&self.client, at).await {
                failed.borrow_mut().push(why);
            }
            begin.elapsed()
        };
        let all = Box::pin(ticks.take(count)).map(one).buffer_unordered(count).collect::<Vec<Duration>>();
        match select(Box::pin(all), Box::pin(trouble)).await {
            Either::Left((times, _)) => Measured { times: Latencies::from_times(times), failed: failed.take() },
            Either::Right(_) => panic!("the trouble ended before the questions"),
        }
    }
}

struct Measured {
    times: Latencies,
    failed: Vec<String>,
}

/// What is asked.
#[derive(Clone, Copy)]
enum Kind {
    Read,
    MakeUser,
    MakeUserWithKey,
    Arrange,
}

impl Kind {
    async fn ask(self, client: &Client, at: usize) -> Result<(), String> {
        let (key, json) = (format!("key-{at}"), ("content-type", "application/json"));
        let user = || json!({ "name": "Somebody", "email": format!("user-{at}@example.com") });
        let meeting =
            || json!({ "organizer": "ana@example.com", "attendees": ["ben@example.com"], "title": at.to_string() });
        let keyed = [json, ("idempotency-key", &*key)];
        let (method, path, headers, body, good) = match self {
            Kind::Read => (Method::GET, READ, &keyed[..1], None, 200),
            Kind::MakeUser => (Method::POST, "/api/users", &keyed[..1], Some(user()), 201),
            Kind::MakeUserWithKey => (Method::POST, "/api/users", &keyed[..], Some(user()), 201),
            Kind::Arrange => (Method::POST, "/api/meetings", &keyed[..], Some(meeting()), 202),
        };
        let body = body.map(|body| body.to_string().into_bytes());
        match client.try_send(method, path, headers, body).await {
            Ok(answer) if answer.status == good => Ok(()),
            Ok(answer) => Err(answer.text),
            Err(why) => Err(why.to_string()),
        }
    }
}

#[actix_web::test]
async fn no_request_fails_while_every_role_is_restarted_in_turn() {
    let (count, rate) = (soak_size("READS", 300), soak_size("ROLLING_RATE", 30));
    let fleet = Fleet::start(2).await;
    let restarted = Cell::new(0);
    let kinds = [Kind::Read, Kind::MakeUser, Kind::Read, Kind::Arrange];
    let response = fleet.ask(count, rate, &kinds, fleet.restart(&restarted)).await;
    print_figure(
        "every role restarted in turn, reads and writes",
        &format!(
            "{} restarts, {} of {count} failed; {}",
            restarted.get(),
            response.failed.len(),
            response.times.summary()
        ),
    );
    assert_eq!(response.failed, Vec::<String>::new());
    assert!(restarted.get() > 2);
}

#[actix_web::test]
async fn no_write_with_a_key_fails_while_one_of_three_replicas_of_user_hangs() {
    let (count, rate) = (soak_size("READS", 200), soak_size("ROLLING_RATE", 30));
    let fleet = Fleet::start(3).await;
    let hang = async {
        fleet.nodes.borrow()[1].0.signal("STOP");
        std::future::pending().await
    };
    let response = fleet.ask(count, rate, &[Kind::Read, Kind::MakeUserWithKey], hang).await;
    fleet.nodes.borrow()[1].0.signal("CONT");
    print_figure(
        "one of 3 replicas of user hangs, reads and writes with a key",
        &format!("{} of {count} failed; {}", response.failed.len(), response.times.summary()),
    );
    assert_eq!(response.failed, Vec::<String>::new());
    if is_full_size() {
        assert!(response.times.percentile(99.0) <= Duration::from_millis(25), "{}", response.times.summary());
    }
}
