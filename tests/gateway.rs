//! The gateway: what it forwards in both directions, and its responses when a role is unavailable.

use std::collections::BTreeSet;

use awc::http::Method;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::{Cluster, Reply, Shape, eventually};

const TWO: &str = "/api/suggestions?attendee=ana@example.com&attendee=ben@example.com";

async fn ana_and_ben(cluster: &Cluster) {
    cluster.register("ana@example.com", json!({ "monday": [9, 10] })).await;
    cluster.register("ben@example.com", json!({ "monday": [10, 11] })).await;
}

/// Who worked on a case, as `role completed` from each process that did.
async fn path_of(cluster: &Cluster, case: &str, roles: &[&str]) -> Vec<Value> {
    eventually("every role of the path has written its last line", async || {
        let lines: Vec<Value> = cluster.log().into_iter().filter(|line| line["case_id"] == case).collect();
        let done = |role: &&str| {
            let is_it = |line: &&Value| line["role"] == **role && line["message"] == "request completed";
            lines.iter().filter(is_it).count() == 1
        };
        roles.iter().all(done).then_some(lines.clone())
    })
    .await
}

both_shapes! {
    async fn every_public_path_leads_to_its_role_and_the_gateway_greets(cluster) {
        ana_and_ben(cluster).await;
        let welcome = cluster.get("/").await.expect(200);
        assert_eq!(welcome.header("content-type"), Some("text/plain; charset=utf-8"));
        for word in ["W2Meet", "POST /api/users", "/api/availability", "/api/suggestions", "/api/health"] {
            assert!(welcome.text.contains(word), "{word}: {}", welcome.text);
        }
        assert!(welcome.text.lines().count() < 16, "in a few lines");
        let health = cluster.get("/health").await.expect(200);
        assert_eq!((&*health.text, health.header("content-type")), ("ok", Some("text/plain; charset=utf-8")));
        for path in ["/livez", "/readyz"] {
            assert_eq!(cluster.get(path).await.expect(200).text, "ok\n", "{path}");
        }
        for (method, path, body, status, role) in [
            (Method::GET, "/api/users", Value::Null, 200, "user"),
            (Method::GET, "/api/users/ana@example.com", Value::Null, 200, "user"),
            (Method::PATCH, "/api/users/ana@example.com", json!({}), 200, "user"),
            (Method::GET, "/api/users/ana@example.com/availability", Value::Null, 200, "user"),
            (Method::PUT, "/api/users/ana@example.com/availability", json!({ "monday": [10] }), 200, "user"),
            (Method::POST, "/api/users", json!({ "email": "cleo@example.com", "name": "Cleo" }), 201, "user"),
            (Method::GET, "/api/availability?attendee=ana@example.com&attendee=ben@example.com", Value::Null, 200, "availability"),
            (Method::POST, "/api/availability", json!({ "attendees": ["ana@example.com", "ben@example.com"] }), 200, "availability"),
            (Method::GET, TWO, Value::Null, 200, "suggestion"),
            (Method::POST, "/api/suggestions", json!({ "attendees": ["ana@example.com", "ben@example.com"] }), 200, "suggestion"),
            (Method::DELETE, "/api/users/cleo@example.com", Value::Null, 204, "user"),
        ] {
            let row = format!("{method} {path}");
            let body = (!body.is_null()).then(|| body.to_string().into_bytes());
            let reply = cluster.send(method.clone(), path, &[("content-type", "application/json")], body).await;
            assert_eq!(reply.status, status, "{row}: {}", reply.text);
            let case = reply.header("case-id").expect("a Case-ID");
            let lines = path_of(cluster, case, &["gateway", role]).await;
            let inner = path.split('?').next().unwrap_or(path).trim_start_matches("/api");
            let served = |line: &Value| line["role"] == role && line["path"] == inner && line["status"] == status && line["method"] == method.as_str();
            assert!(lines.iter().any(served), "{row}: {lines:?}");
        }
        cluster.expect_calm().await;
    }

    async fn one_case_id_is_on_every_line_of_every_role_of_the_path(cluster) {
        ana_and_ben(cluster).await;
        let roles = ["gateway", "suggestion", "availability", "user"];
        for (header, id) in [("Case-ID", "Order-66_a.b~c"), ("CID", "by-cid"), ("x-request-id", "by-request-id"), ("case-id", &"x".repeat(64))] {
            let reply = cluster.send(Method::GET, TWO, &[(header, id)], None).await.expect(200);
            assert_eq!(reply.header("case-id"), Some(id), "{header}");
            let lines = path_of(cluster, id, &roles).await;
            let calls: BTreeSet<(&str, &str)> = lines.iter().filter(|line| line["message"] == "call answered")
                .filter_map(|line| Some((line["role"].as_str()?, line["callee"].as_str()?))).collect();
            assert_eq!(calls, BTreeSet::from([("gateway", "suggestion"), ("suggestion", "availability"), ("availability", "user")]), "{header}");
            if cluster.shape == Shape::Services {
                for role in roles {
                    let worked = cluster.nodes_of(role).into_iter().filter(|node| node.log().iter().any(|line| line["case_id"] == id));
                    assert_eq!(worked.count(), 1, "one process of {role}");
                }
            }
        }
        // the first name there is counts, and refusals carry it too
        let both = [("cid", "by-cid-2"), ("x-request-id", "late"), ("case-id", "early")];
        let refused = cluster.send(Method::GET, "/api/users/nobody@example.com", &both, None).await;
        refused.expect_problem("404 unknown-user", "/api/users/nobody@example.com", "early");
        assert_eq!(refused.json["case_id"], "early");

        // an untidy one is replaced, never refused, never written down
        let mut fresh = BTreeSet::new();
        for untidy in [
            "Case-ID: a b\r\n", "Case-ID: <script>\r\n", "Case-ID: a,b\r\n", "Case-ID: \r\n", "Case-ID: \"quoted\"\r\n",
            "Case-ID: one\r\nCase-ID: two\r\n", "Case-ID: caf\u{e9}\r\n", "CID: a/b\r\n", "X-Request-ID: %0d%0aX: y\r\n", "",
            &format!("Case-ID: {}\r\n", "x".repeat(65)), &format!("Case-ID: {}\r\n", "x".repeat(8192)),
            "traceparent: 00-00000000000000000000000000000000-0000000000000000-00\r\n", "traceparent: ff-x\r\n",
        ] {
            let reply = cluster.send_head("GET", TWO, untidy).await;
            assert_eq!(reply.status, 200, "{untidy:.100}: {}", reply.text);
            let id = reply.header("case-id").unwrap_or_default().to_owned();
            let version = uuid::Uuid::parse_str(&id).map(|id| id.get_version_num());
            assert_eq!(version, Ok(7), "{untidy:.100}: {id}");
            path_of(cluster, &id, &roles).await;
            assert!(fresh.insert(id), "{untidy:.100}: it is nobody else's");
        }
        for node in &cluster.nodes {
            let output = node.log_text();
            assert!(!output.contains("<script>") && !output.contains("xxxxxxxxx".repeat(8).as_str()), "{}", node.roles);
        }
        cluster.expect_calm().await;
    }

    async fn no_response_reveals_the_address_of_a_role(cluster) {
        ana_and_ben(cluster).await;
        let mut inner: Vec<String> = Vec::new();
        for role in ["user", "reservation", "availability", "suggestion", "worker"] {
            inner.extend(cluster.nodes_of(role).into_iter().map(|node| node.url(role)));
        }
        let secret: Vec<&str> = inner.iter().filter_map(|url| url.rsplit_once(':')).map(|(_, port)| port).collect();
        let check = |reply: Reply, row: &str| {
            let head: Vec<String> = reply.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            for text in head.iter().chain([&reply.text]) {
                let response = text.contains("127.0.0.1") || text.contains("localhost") || secret.iter().any(|port| text.contains(&format!(":{port}")));
                assert!(!response, "{row}: {text}");
            }
        };
        let paths = [
            "/", "/health", "/api/health", "/api/users", "/api/users/ana@example.com", "/api/users/nobody@example.com", "/api/users/x", TWO,
            "/api/suggestions", "/api/availability?attendee=x", "/nothing", "/users/health", "/availability/health",
            "/suggestion/health", "/worker/health", "/users/users/ana@example.com", "/users/users/x", "/suggestion/suggestions",
        ];
        for path in paths {
            check(cluster.get(path).await, path);
        }
        if cluster.shape == Shape::Services {
            for role in ["user", "reservation", "availability", "suggestion", "worker"] {
                cluster.nodes_of(role).into_iter().for_each(|node| node.signal("KILL"));
            }
            for path in paths {
                check(cluster.get(path).await, &format!("{path}, with nobody behind it"));
            }
        }
    }
}

#[actix_web::test]
async fn calls_are_balanced_over_all_replicas_at_the_gateway_and_behind_it() {
    let cluster = Cluster::split().await;
    ana_and_ben(&cluster).await;
    let calls = stream::iter(0..300).map(|_| cluster.get(TWO)).buffer_unordered(16);
    let statuses: Vec<u16> = calls.map(|reply| reply.status).collect().await;
    assert_eq!(statuses, [200; 300]);
    for (role, path) in [("suggestion", "/suggestions"), ("availability", "/internal/availability/detail")] {
        let nodes = cluster.nodes_of(role);
        let shares = eventually("all have written their lines", async || {
            let is_it = |line: &&Value| line["message"] == "request completed" && line["path"] == path;
            let shares: Vec<usize> = nodes.iter().map(|node| node.log().iter().filter(is_it).count()).collect();
            (shares.iter().sum::<usize>() == 300).then_some(shares)
        })
        .await;
        assert_eq!(shares, [150, 150], "{role}");
    }
    cluster.expect_calm().await;
}

#[actix_web::test]
async fn one_dead_replica_fails_no_request_and_an_outage_names_the_role() {
    let cluster = Cluster::split().await;
    ana_and_ben(&cluster).await;
    for _ in 0..4 {
        cluster.get(TWO).await.expect(200);
    }
    for role in ["suggestion", "availability"] {
        cluster.nodes_of(role)[0].signal("KILL");
    }
    for number in 0..60 {
        let reply = cluster.get(TWO).await;
        assert_eq!(reply.status, 200, "call {number}: {}", reply.text);
    }
    for (dead, path, named) in [
        ("availability", TWO, "availability"),
        ("suggestion", TWO, "suggestion"),
        ("user", "/api/users/ana@example.com", "user"),
    ] {
        cluster.get("/api/users/ana@example.com").await.expect(200);
        cluster.nodes_of(dead).into_iter().for_each(|node| node.signal("KILL"));
        let answer = eventually("the connections to the dead are gone", async || {
            let answer = cluster.get(path).await;
            (answer.status == 503).then_some(answer)
        })
        .await;
        answer.expect_problem("503 unavailable", path.split('?').next().unwrap_or(path), dead);
        assert_eq!(answer.json["upstream"], named);
        let seconds: Option<u32> = answer.header("retry-after").and_then(|text| text.parse().ok());
        assert!(seconds.is_some_and(|seconds| (1..60).contains(&seconds)), "{answer:?}");
    }
    cluster.get("/health").await.expect(200);
}
