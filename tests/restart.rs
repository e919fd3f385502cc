//! Processes that are stopped or killed, and processes that start before their dependencies.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::support::cluster::Sandbox;
use crate::support::fault_rig::LOCAL_WEBHOOKS;
use crate::support::load::{Load, wait_for_all_jobs};
use crate::support::receiver::Receiver;
use crate::support::replicas::user_env;
use crate::support::servers::print_line;
use crate::support::{Client, Cluster, Node, PrivatePostgres, PrivateRedis, eventually};

/// Inner roles tell the start of a request only if asked to.
const LOUD: (&str, &str) = ("W2MEET_LOG__LEVEL", "info,w2meet::platform::server=debug");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Creates a user and changes it again and again, until no replica responds; records the acknowledged versions.
async fn write_until_it_dies(client: &Client, name: &str, acknowledged: &RefCell<HashMap<String, i64>>) {
    let email = format!("{name}@example.com");
    let path = format!("/api/users/{email}");
    let (mut method, mut at) = (Method::POST, "/api/users");
    loop {
        let body = match method {
            Method::POST => json!({ "email": email, "name": name }),
            _ => json!({ "name": format!("{name} {}", rand::random::<u32>()) }),
        };
        let Ok(answer) = client.try_send(method, at, &[JSON], Some(body.to_string().into_bytes())).await else {
            return;
        };
        if answer.status < 300 {
            let version = answer.json["version"].as_i64().expect("a version");
            acknowledged.borrow_mut().insert(email.clone(), version);
        }
        (method, at) = (Method::PATCH, &path);
    }
}

#[actix_web::test]
async fn no_acknowledged_write_is_lost_when_the_process_is_killed() {
    let space = Sandbox::new();
    let acknowledged = RefCell::new(HashMap::new());
    let (writes, slowest_start) = (Cell::new(0), Cell::new(Duration::ZERO));
    for round in 0..=10 {
        let begin = Instant::now();
        let node = Node::start("all", &space.env());
        slowest_start.set(slowest_start.get().max(begin.elapsed()));
        let client = node.client("gateway");
        let so_far = acknowledged.borrow().clone();
        for (email, version) in &so_far {
            let there = client.get(&format!("/api/users/{email}")).await.expect(200).json["version"].as_i64();
            assert!(there >= Some(*version), "{email} was at version {version} and is at {there:?}");
        }
        if round == 10 {
            break;
        }
        let total = || acknowledged.borrow().values().sum::<i64>();
        let before = total();
        let names: Vec<String> = (0..4).map(|writer| format!("w{round}-{writer}")).collect();
        let writing = join_all(names.iter().map(|name| write_until_it_dies(&client, name, &acknowledged)));
        let killing = async {
            eventually("some writes are acknowledged", async || (total() > before + 40).then_some(())).await;
            node.signal("KILL");
        };
        join(writing, killing).await;
        writes.set(total());
    }
    print_line(&format!(
        "killed 10 times while writing: {} acknowledged writes, none lost; the slowest start took {:.1?}",
        writes.get(),
        slowest_start.get()
    ));
}

/// The embedded queue is in memory. The sweep for jobs without a report comes after minutes: it cannot be what helps here.
#[actix_web::test]
async fn a_job_that_was_running_when_the_process_was_killed_runs_again_soon_after_the_restart() {
    let (sandbox, receiver) = (Sandbox::new(), Receiver::start());
    let mut env = sandbox.env();
    env.extend(LOCAL_WEBHOOKS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let node = Node::start("all", &env);
    let client = node.client("gateway");
    let load = Load::prepare(&client, 1, &receiver.url).await;
    receiver.hold_replies();
    assert!(load.post_one(&client).await, "the meeting is accepted");
    eventually("a webhook is being delivered", async || (receiver.count_received() > 0).then_some(())).await;
    node.signal("KILL");
    node.wait();
    receiver.resume_replies();
    let before = receiver.count_received();
    let node = node.respawn();
    wait_for_all_jobs(&node.client("gateway"), Duration::from_secs(20)).await;
    assert!(receiver.count_received() > before, "the webhook was sent again");
}

#[actix_web::test]
async fn a_role_that_starts_before_its_database_waits_for_it() {
    let (Some(postgres), Some(redis)) = (PrivatePostgres::prepare(), PrivateRedis::start()) else {
        return;
    };
    redis.kill();
    let space = Sandbox::new();
    let node = Node::spawn("user", &user_env(&space, &postgres.url(), &redis.url()));
    let client = node.client("user");
    node.wait_for("what it waits for", is_waiting_for_database);
    client.get("/livez").await.expect(200);
    let refused = client.get("/readyz").await.expect(503);
    assert!(refused.text.contains("database"), "no reason: {}", refused.text);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let report = client.get("/health").await.expect(503).json;
    assert_eq!(report["dependencies"]["postgresql"]["status"], "unhealthy");
    client.get("/users/ana@example.com").await.expect(503);

    postgres.boot();
    let back = Instant::now();
    eventually("it is ready", async || (client.get("/readyz").await.status == 200).then_some(())).await;
    let ready = back.elapsed();
    print_line(&format!("ready {ready:.1?} after PostgreSQL came"));
    assert!(ready < Duration::from_secs(3), "{ready:?}");
    client.post("/users", json!({ "email": "ana@example.com", "name": "Ana" })).await.expect(201);
    assert_eq!(client.get("/health").await.expect(200).json["status"], "degraded");
    redis.boot();
    eventually("the cache is connected", async || {
        (client.get("/health").await.expect(200).json["dependencies"]["redis"]["status"] == "healthy").then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_role_stops_on_sigterm_while_it_waits_for_its_database() {
    let Some(postgres) = PrivatePostgres::prepare() else {
        return;
    };
    let space = Sandbox::new();
    let node = Node::spawn("user", &user_env(&space, &postgres.url(), "redis://127.0.0.1:9"));
    node.wait_for("what it waits for", is_waiting_for_database);
    node.signal("TERM");
    let ended = eventually("it stops", async || node.exit_status()).await;
    assert_eq!(ended.code(), Some(0));
}

fn is_waiting_for_database(line: &serde_json::Value) -> bool {
    line["level"] == "WARN" && line["message"].as_str().is_some_and(|message| message.contains("database"))
}

/// A request whose body is only half there yet.
struct Half {
    stream: TcpStream,
    rest: String,
}

impl Half {
    fn of(base: &str, path: &str, email: &str) -> Half {
        let body = json!({ "email": email, "name": "Slow" }).to_string();
        let (first, rest) = body.split_at(body.len() / 2);
        let mut stream = TcpStream::connect(base.trim_start_matches("http://")).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: w2meet\r\ncontent-type: application/json\r\ncontent-length: {length}"
        );
        write!(stream, "{head}\r\n\r\n{first}").expect("it reads");
        Half { stream, rest: rest.to_owned() }
    }

    fn finish(mut self) -> String {
        let sent = self.stream.write_all(self.rest.as_bytes());
        let mut answer = String::new();
        drop(self.stream.read_to_string(&mut answer));
        sent.unwrap_or_else(|why| panic!("{why}, after {answer:?}"));
        answer
    }
}

/// Stops the process of `role` while ten requests are only half read; each must be answered, and then it must end.
async fn expect_a_clean_end(node: &Node, role: &str, path: &str) {
    let base = node.url(role);
    // an idle connection that stays open must not hold it up
    let idle = node.client(role);
    idle.get("/livez").await.expect(200);
    let started = || {
        let ours = |line: &serde_json::Value| {
            line["message"] == "request started" && line["role"] == role && line["method"] == "POST"
        };
        node.log().iter().filter(|line| ours(line)).count()
    };
    let before = started();
    let halves: Vec<Half> = (0..10).map(|at| Half::of(&base, path, &format!("{role}{at}@example.com"))).collect();
    eventually("ten requests are in flight", async || (started() == before + 10).then_some(())).await;
    node.signal("TERM");
    let begin = Instant::now();
    node.wait_for("that it stops", |line| line["message"].as_str().is_some_and(|message| message.contains("stopping")));
    for half in halves {
        let answer = half.finish();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer:?}");
    }
    let answered = begin.elapsed();
    let ended = eventually("it ends", async || node.exit_status()).await;
    print_line(&format!("{role} told to stop: 10 answered in {answered:.1?}, ended after {:.1?}", begin.elapsed()));
    assert_eq!(ended.code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[actix_web::test]
async fn on_sigterm_the_single_process_answers_requests_in_flight() {
    let cluster = Cluster::all_with(&[LOUD]).await;
    expect_a_clean_end(&cluster.nodes[0], "gateway", "/api/users").await;
}

#[actix_web::test]
async fn on_sigterm_each_role_answers_requests_in_flight() {
    let cluster = Cluster::split_with(&[LOUD]).await;
    expect_a_clean_end(cluster.nodes_of("gateway")[0], "gateway", "/api/users").await;
    expect_a_clean_end(cluster.nodes_of("user")[0], "user", "/users").await;
    for node in &cluster.nodes[1..6] {
        node.signal("TERM");
        assert_eq!(node.wait().code(), Some(0), "{}", node.roles);
    }
}

#[actix_web::test]
async fn a_process_with_idle_connections_stops_at_once() {
    let cluster = Cluster::all().await;
    let address = cluster.base().trim_start_matches("http://");
    let mut idle = Vec::new();
    for at in 0..20 {
        let mut stream = TcpStream::connect(address).expect("a connection");
        if at % 2 == 0 {
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is sent");
            assert!(stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0));
        }
        idle.push(stream);
    }
    let begin = Instant::now();
    cluster.nodes[0].signal("TERM");
    assert!(cluster.nodes[0].wait().success());
    let took = begin.elapsed();
    print_line(&format!("SIGTERM with 20 idle connections: ended after {took:.1?}"));
    assert!(took < Duration::from_millis(900), "{took:?}");
    for mut stream in idle {
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        assert!(rest.is_empty(), "nothing more is sent: {rest:?}");
    }
}
