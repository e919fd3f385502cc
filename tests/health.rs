//! Health reports of the roles, their dependencies, and the report of the gateway.

use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::servers::{env_var, print_line};
use crate::support::{Client, Cluster, Shape, eventually};

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
        let mut on_user = vec![(cache, "healthy"), (database, "healthy")];
        on_user.sort();
        let expected = [
            ("user", on_user),
            ("reservation", vec![(database, "healthy"), ("user-service", "healthy")]),
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
    let summed_up = report(&cluster, "/api/health", 200).await;
    assert_eq!(summed_up["status"], "degraded");
    assert_eq!(summed_up["dependencies"]["availability-service"]["replicas"], "1 of 2");
    second.signal("KILL");
    second.wait();
    let summed_up = report(&cluster, "/api/health", 503).await;
    assert_eq!(summed_up["status"], "unhealthy");
    assert!(dependencies(&summed_up).contains(&("user-service", "healthy")));
    assert!(dependencies(&summed_up).contains(&("availability-service", "unhealthy")));
    assert!(dependencies(&summed_up).contains(&("suggestion-service", "unhealthy")));
}

#[actix_web::test]
async fn without_the_user_role_everything_that_needs_it_is_unhealthy_yet_alive() {
    let cluster = Cluster::split().await;
    cluster.nodes_of("user")[0].signal("KILL");
    cluster.nodes_of("user")[0].wait();
    let summed_up = report(&cluster, "/api/health", 503).await;
    assert_eq!(summed_up["status"], "unhealthy");
    assert!(dependencies(&summed_up).contains(&("user-service", "unhealthy")));
    for role in ["availability", "suggestion", "worker"] {
        let client = cluster.nodes_of(role)[0].client(role);
        assert_eq!(report(&client, "/health", 503).await["status"], "unhealthy");
        client.get("/livez").await.expect(200);
        client.get("/readyz").await.expect(200);
    }
    assert_eq!(cluster.get("/health").await.expect(200).text, "ok");
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
