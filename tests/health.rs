//! Health reports of the roles, their dependencies, and the report of the gateway.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::cluster::{Sandbox, test_url};
use crate::support::meeting::{ANA, BEN, create_meeting, register_morning_people};
use crate::support::replicas::user_env;
use crate::support::servers::{env_var, print_line};
use crate::support::smtp::SmtpServer;
use crate::support::{Client, Cluster, Node, Shape, eventually};

const ROLES: [&str; 6] = ["user", "reservation", "availability", "suggestion", "worker", "gateway"];

/// A role's own report; its shape is checked here.
async fn report(client: &Client, path: &str, status: u16) -> Value {
    let case = format!("health-{:08x}", rand::random::<u32>());
    let answer = client.send(awc::http::Method::GET, path, &[("case-id", case.as_str())], None).await.expect(status);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json["case_id"], case);
    assert!(!answer.text.contains("127.0.0.1"), "an address got out: {}", answer.text);
    let mut names: Vec<&String> = answer.json.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["case_id", "dependencies", "service", "status"]);
    for (name, dependency) in answer.json["dependencies"].as_object().expect("an object") {
        let known = ["healthy", "degraded", "unhealthy"].iter().any(|status| dependency["status"] == *status);
        assert!(known && dependency["response_time_ms"].is_number(), "{name}: {dependency}");
    }
    answer.json
}

/// The gateway's report, once it has this status: it is kept for a second.
async fn sum_up(cluster: &Cluster, status: u16, word: &str) -> Value {
    eventually(&format!("/api/health is {word}"), async || {
        let reply = cluster.get("/api/health").await;
        (reply.json["status"] == word).then_some(reply)
    })
    .await
    .expect(status)
    .json
}

/// The dependencies and how each does, in the order of their names.
fn dependencies(report: &Value) -> Vec<(&str, &str)> {
    let all = report["dependencies"].as_object().expect("an object").iter();
    let mut all: Vec<_> = all.map(|(name, it)| (name.as_str(), it["status"].as_str().unwrap_or("?"))).collect();
    all.sort();
    all
}

both_shapes! {
    async fn every_role_reports_its_dependencies(cluster) {
        let (database, cache, queue) = match cluster.shape {
            Shape::Embedded => ("sqlite", "memory", "embedded"),
            Shape::Services => ("postgresql", "redis", "rabbitmq"),
        };
        let mut on_user = vec![(cache, "healthy"), (database, "healthy"), (queue, "healthy")];
        let mut on_reservation = vec![(database, "healthy"), (queue, "healthy"), ("user-service", "healthy")];
        on_user.sort();
        on_reservation.sort();
        let expected = [
            ("user", on_user),
            ("reservation", on_reservation),
            ("availability", vec![("reservation-service", "healthy"), ("user-service", "healthy")]),
            ("suggestion", vec![("availability-service", "healthy")]),
            ("worker", vec![("availability-service", "healthy"), (queue, "healthy"), ("suggestion-service", "healthy")]),
        ];
        for (role, stands_on) in expected {
            for node in cluster.nodes_of(role) {
                let client = node.client(role);
                let report = eventually("it is healthy", async || {
                    let report = report(&client, "/health", 200).await;
                    (report["status"] == "healthy").then_some(report)
                })
                .await;
                assert_eq!(report["service"], format!("{role}-service"));
                let found = dependencies(&report);
                assert_eq!(found, stands_on, "{role}");
            }
        }
    }

    async fn the_gateway_sums_up_what_all_roles_report(cluster) {
        assert_eq!(cluster.get("/health").await.expect(200).text, "ok");
        let report = eventually("all are healthy", async || {
            let report = report(cluster, "/api/health", 200).await;
            (report["status"] == "healthy").then_some(report)
        })
        .await;
        assert_eq!(report["service"], "gateway-service");
        let all = ["availability-service", "reservation-service", "suggestion-service", "user-service", "worker-service"];
        assert_eq!(dependencies(&report), all.map(|name| (name, "healthy")));
        let two = if cluster.shape == Shape::Services { json!("2 of 2") } else { Value::Null };
        assert_eq!(report["dependencies"]["availability-service"]["replicas"], two);
        assert_eq!(report["dependencies"]["suggestion-service"]["replicas"], two);
        assert_eq!(report["dependencies"]["user-service"]["replicas"], Value::Null);
    }

    async fn the_gateway_asks_each_process_once_and_keeps_the_answer(cluster) {
        let asked: Vec<String> = (0..12).map(|_| format!("health-{:016x}", rand::random::<u64>())).collect();
        let ask = async |case: &String| {
            let reply = cluster.send(awc::http::Method::GET, "/api/health", &[("case-id", case)], None).await.expect(200);
            assert_eq!(reply.json["case_id"], **case);
        };
        join_all(asked.iter().map(ask)).await;
        let log = eventually("the gateway has written its last lines", async || {
            let log = cluster.log();
            let done = |case: &String| {
                log.iter().any(|line| line["role"] == "gateway" && line["case_id"] == **case && line["message"] == "request completed")
            };
            asked.iter().all(done).then_some(log.clone())
        })
        .await;
        let inner = log.iter().filter(|line| {
            let is_asked = asked.iter().any(|case| line["case_id"] == **case);
            is_asked && line["role"] != "gateway" && line["message"] == "request completed"
        });
        let processes: usize = ROLES[..5].iter().map(|role| cluster.nodes_of(role).len()).sum();
        // a busy machine may take longer than the second for which the answer is kept
        let asked = inner.count();
        assert!((1..=2 * processes).contains(&asked), "12 requests made {asked} inner ones, for {processes} processes");
    }

    async fn every_role_answers_the_probes(cluster) {
        for role in ROLES {
            for node in cluster.nodes_of(role) {
                assert_eq!(node.client(role).get("/livez").await.expect(200).text, "ok\n");
                assert_eq!(node.client(role).get("/readyz").await.expect(200).text, "ok\n");
            }
        }
    }
}

#[actix_web::test]
async fn one_lost_replica_degrades_and_the_last_one_makes_unhealthy() {
    let cluster = Cluster::split().await;
    let (first, second) = (cluster.nodes_of("availability")[0], cluster.nodes_of("availability")[1]);
    first.signal("KILL");
    first.wait();
    let summed_up = sum_up(&cluster, 200, "degraded").await;
    assert_eq!(summed_up["dependencies"]["availability-service"]["replicas"], "1 of 2");
    second.signal("KILL");
    second.wait();
    let summed_up = sum_up(&cluster, 503, "unhealthy").await;
    assert!(dependencies(&summed_up).contains(&("user-service", "healthy")));
    assert!(dependencies(&summed_up).contains(&("availability-service", "unhealthy")));
    assert!(dependencies(&summed_up).contains(&("suggestion-service", "unhealthy")));
}

#[actix_web::test]
async fn without_the_user_role_everything_that_needs_it_is_unhealthy_yet_alive() {
    let cluster = Cluster::split().await;
    cluster.nodes_of("user")[0].signal("KILL");
    cluster.nodes_of("user")[0].wait();
    let summed_up = sum_up(&cluster, 503, "unhealthy").await;
    assert!(dependencies(&summed_up).contains(&("user-service", "unhealthy")));
    for role in ["availability", "suggestion", "worker"] {
        let client = cluster.nodes_of(role)[0].client(role);
        assert_eq!(report(&client, "/health", 503).await["status"], "unhealthy");
        client.get("/livez").await.expect(200);
        client.get("/readyz").await.expect(200);
    }
    assert_eq!(cluster.get("/health").await.expect(200).text, "ok");
}

/// The dependency of a role, once its report has a cause for it.
async fn cause(node: &Node, role: &str, dependency: &str) -> String {
    let client = node.client(role);
    eventually(&format!("{dependency} has a cause"), async || {
        let report = client.get("/health").await.json;
        report["dependencies"][dependency]["cause"].as_str().map(str::to_owned)
    })
    .await
}

#[actix_web::test]
async fn a_dead_broker_is_distinguished_from_one_that_refuses() {
    for (url, message, expected) in [
        ("amqp://guest:guest@127.0.0.1:9", "the broker is unavailable; reconnecting", "cannot be reached"),
        ("amqp://guest:wrong@127.0.0.1:5672", "the broker cannot be used", "refuses the user or the password"),
        ("amqp://guest:guest@127.0.0.1:5672/nothing", "the broker cannot be used", "no such virtual host"),
    ] {
        let parsed = url::Url::parse(url).expect("a URL");
        if parsed.port() != Some(9) && std::net::TcpStream::connect(("127.0.0.1", 5672)).is_err() {
            print_line("SKIPPED, a test that needs RabbitMQ on its usual port");
            continue;
        }
        let cluster = Cluster::all_with(&[("W2MEET_QUEUE__URL", url)]).await;
        let node = &cluster.nodes[0];
        let line = node.wait_for("what is wrong with the broker", |line| line["message"] == message);
        assert_eq!(line["remedy"].is_string(), message == "the broker cannot be used", "{line}");
        for role in ["user", "reservation"] {
            let cause = cause(node, role, "rabbitmq").await;
            assert!(cause.contains("messages wait in the outbox") && cause.contains(expected), "{url}: {cause}");
        }
        assert!(cause(node, "worker", "rabbitmq").await.contains(expected), "{url}");
        let summed_up = sum_up(&cluster, 200, "degraded").await;
        assert!(
            summed_up["dependencies"]["user-service"]["cause"].as_str().is_some_and(|text| text.contains(expected)),
            "{summed_up}"
        );
        assert!(!node.log_text().contains("guest:wrong"), "the password is not logged");
    }
}

#[actix_web::test]
async fn a_dead_redis_is_distinguished_from_one_that_refuses() {
    let redis = test_url("W2MEET_TEST_REDIS_URL", "redis://127.0.0.1:6379");
    let (stranger, mut missing) =
        (redis.replace("redis://", "redis://nobody:wrong@"), url::Url::parse(&redis).expect("a URL"));
    missing.set_path("/99999");
    for (url, is_away, remedy) in [
        ("redis://127.0.0.1:9", true, "cannot be reached"),
        (&*stranger, false, "correct them in cache.url"),
        (missing.as_str(), false, "no database with this number"),
    ] {
        let cluster = Cluster::all_with(&[("W2MEET_CACHE__URL", url)]).await;
        let node = &cluster.nodes[0];
        let message = match is_away {
            true => "the cache is unavailable: requests go to the database",
            false => "the cache refuses: requests go to the database",
        };
        node.wait_for("what is wrong with the cache", |line| line["message"] == message);
        let cause = cause(node, "user", "redis").await;
        assert!(cause.contains(remedy), "{url}: {cause}");
        sum_up(&cluster, 200, "degraded").await;
    }
}

#[actix_web::test]
async fn a_database_that_refuses_is_named_with_its_remedy() {
    let space = Sandbox::new();
    let url = test_url("W2MEET_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres");
    let mut missing = url::Url::parse(&url).expect("a URL");
    missing.set_path("/w2meet_nothing");
    let redis = test_url("W2MEET_TEST_REDIS_URL", "redis://127.0.0.1:6379");
    let node = Node::spawn("user", &user_env(&space, missing.as_str(), &redis));
    let line =
        node.wait_for("the remedy", |line| line["message"] == "the database refuses: waiting until it is mended");
    assert!(line["remedy"].as_str().is_some_and(|text| text.contains("create it")), "{line}");
    assert!(cause(&node, "user", "postgresql").await.contains("create it"));
    let client = node.client("user");
    client.get("/readyz").await.expect(503);
    let health = report(&client, "/health", 503).await;
    assert!(dependencies(&health).contains(&("redis", "degraded")), "it is not away: {health}");
    assert!(cause(&node, "user", "redis").await.starts_with("it responds"), "{health}");
}

#[actix_web::test]
async fn a_start_that_waits_for_a_database_that_only_reads_is_unhealthy() {
    let space = Sandbox::new();
    let url = test_url("W2MEET_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres");
    let mut reading = url::Url::parse(&url).expect("a URL");
    reading.set_query(Some("options=-c%20default_transaction_read_only%3Don"));
    let redis = test_url("W2MEET_TEST_REDIS_URL", "redis://127.0.0.1:6379");
    let mut env = user_env(&space, reading.as_str(), &redis);
    env.push(("W2MEET_USER__ADMIN_LISTEN".into(), "127.0.0.1:0".into()));
    let node = Node::spawn("user", &env);
    let line =
        node.wait_for("the remedy", |line| line["message"] == "the database refuses: waiting until it is mended");
    assert!(line["remedy"].as_str().is_some_and(|text| text.contains("the primary")), "{line}");
    assert!(cause(&node, "user", "postgresql").await.contains("the primary"));
    let client = node.client("user");
    client.get("/readyz").await.expect(503);
    let health = report(&client, "/health", 503).await;
    assert!(dependencies(&health).contains(&("postgresql", "unhealthy")), "{health}");
    let series = "w2meet_database_writable{role=\"user\"} 0\n";
    let metrics = node.admin("user");
    eventually(series, async || metrics.get("/metrics").await.text.contains(series).then_some(())).await;
}

#[actix_web::test]
async fn a_mail_server_that_is_away_is_named_until_a_mail_is_sent() {
    let url = SmtpServer::start().await.expect("a free port").url();
    let cluster = Cluster::all_with(&[("W2MEET_MAIL__SMTP_URL", &url), ("W2MEET_JOBS__RETRY_SECONDS", "0.05")]).await;
    let node = &cluster.nodes[0];
    let worker = report(&node.client("worker"), "/health", 200).await;
    assert!(dependencies(&worker).contains(&("smtp", "healthy")), "nothing is known of it yet: {worker}");
    register_morning_people(&cluster, &[ANA, BEN]).await;
    create_meeting(&cluster, json!({})).await;
    let cause = cause(node, "worker", "smtp").await;
    assert!(cause.contains("e-mails wait") && cause.contains("cannot be reached"), "{cause}");
    let summed_up = sum_up(&cluster, 200, "degraded").await;
    let cause = summed_up["dependencies"]["worker-service"]["cause"].as_str().unwrap_or_default();
    assert!(cause.starts_with("smtp: "), "{summed_up}");
    let server = SmtpServer::listen(url.trim_start_matches("smtp://")).await.expect("the port is free");
    // a server that answers is there, whatever it says
    server.answer(ANA, "451 try again later");
    sum_up(&cluster, 200, "healthy").await;
    assert!(server.connections() > 0, "{} was asked", server.url());
    eventually("a mail arrives", async || (!server.mails().is_empty()).then_some(())).await;
}

/// A worker that is told of a broker, and its report.
async fn with_broker(url: &str) -> Value {
    let cluster = Cluster::all_with(&[("W2MEET_QUEUE__URL", url)]).await;
    report(&cluster.nodes[0].client("worker"), "/health", 200).await
}

#[actix_web::test]
async fn a_worker_reports_the_health_of_its_broker() {
    let away = Cluster::all_with(&[("W2MEET_QUEUE__URL", "amqp://guest:guest@127.0.0.1:9")]).await;
    let worker = report(&away.nodes[0].client("worker"), "/health", 200).await;
    assert_eq!(
        (&worker["status"], dependencies(&worker).contains(&("rabbitmq", "unhealthy"))),
        (&json!("degraded"), true)
    );
    assert_eq!(report(&away, "/api/health", 200).await["status"], "degraded");

    let url = env_var("W2MEET_TEST_AMQP_URL").unwrap_or_else(|| "amqp://guest:guest@127.0.0.1:5672".to_owned());
    let parsed = url::Url::parse(&url).expect("a URL");
    let address = (parsed.host_str().unwrap_or("127.0.0.1"), parsed.port().unwrap_or(5672));
    if std::net::TcpStream::connect(address).is_err() {
        return print_line("SKIPPED, a test that needs RabbitMQ (W2MEET_TEST_AMQP_URL says where it is)");
    }
    let worker = with_broker(&url).await;
    assert!(dependencies(&worker).contains(&("rabbitmq", "healthy")), "{worker}");
    assert_eq!(worker["status"], "healthy");
}
