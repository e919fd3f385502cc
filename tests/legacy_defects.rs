//! The defects of the earlier implementation, one test for each that concerns these roles, by its number.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use awc::http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::both_shapes;
use crate::support::upstream::{closed_port_url, read_head, serve_connections, start_gateway};
use crate::support::{Cluster, Shape, eventually};

const ALICE: &str = "/users/users/alice@example.com";
const TWO: &str = "userId1=alice@example.com&userId2=bob@example.com";

/// Every road by which the old clients, and ours, read Alice.
const ROADS: [&str; 5] = [
    ALICE,
    "/users/users/alice@example.com/availability",
    "/users/user-avail/cache-aside?user1email=alice@example.com",
    "/users/user-avail/cache-aside/ALICE@example.com",
    "/users/user-avail/cache-aside?user1email=Alice%40Example.com",
];

async fn make(cluster: &Cluster, email: &str, monday: &[u8]) -> Value {
    let body = json!({ "email": email, "availabilities": { "monday": monday }, "preferences": "first" });
    cluster.post("/users/users", body).await.expect(201).json
}

/// What the database holds: the list is never read from the cache.
async fn stored(cluster: &Cluster) -> Value {
    cluster.get("/api/users?format=hours").await.expect(200).json["users"].clone()
}

both_shapes! {
    /// 1. The address went into the text of the query.
    async fn sql_in_an_address_is_never_run(cluster) {
        make(cluster, "alice@example.com", &[9]).await;
        // addresses that are valid, hostile, and of an existing user
        let names = ["o'neil@example.com", "'or'1'='1'--@example.com", "a'--@example.com", "x%27or%271@example.com", "a%@b.co", "_@b.co"];
        for email in names {
            cluster.post("/api/users", json!({ "email": email, "name": "'; DROP TABLE users; --" })).await.expect(201);
        }
        let before = stored(cluster).await;
        for hostile in [
            "' OR '1'='1", "'; DROP TABLE users; --", "alice@example.com' --", "alice@example.com'; DELETE FROM users; --", "x' UNION SELECT * FROM users --",
            "'or'1'='1@example.com", "a'or'1'='1'--@example.com", "%@example.com", "%@%.%", "_____@example.com", "alice@example.co_", "\\'@example.com",
        ] {
            let escaped: String = hostile.bytes().map(|byte| format!("%{byte:02X}")).collect();
            for (method, path) in [
                ("GET", format!("/users/users/{escaped}")), ("DELETE", format!("/users/users/{escaped}")), ("GET", format!("/api/users/{escaped}")),
                ("DELETE", format!("/api/users/{escaped}")), ("GET", format!("/users/user-avail/cache-aside/{escaped}")),
                ("GET", format!("/users/user-avail/cache-aside?user1email={escaped}")), ("GET", format!("/api/users?cursor={escaped}")),
                ("GET", format!("/availability/availabilities?userId1={escaped}&userId2=alice@example.com")),
                ("GET", format!("/api/suggestions?attendee={escaped}&attendee=alice@example.com")),
            ] {
                let reply = cluster.send_head(method, &path, "").await;
                assert!([400, 404, 422].contains(&reply.status), "{method} {hostile}: {reply:?}");
            }
            let reply = cluster.post("/api/users", json!({ "email": hostile, "name": "x", "time_zone": "' OR 1=1" })).await;
            assert_eq!(reply.status, 422, "{hostile}: {}", reply.text);
        }
        assert_eq!(stored(cluster).await, before, "the tables are as they were");
        for email in names {
            let path = format!("/api/users/{}", email.replace('%', "%25"));
            assert_eq!(cluster.get(&path).await.expect(200).json["email"], email);
            cluster.delete(&path).await.expect(204);
        }
        assert_eq!(stored(cluster).await.as_array().map(Vec::len), Some(1), "each deleted one, its own");
        cluster.expect_calm().await;
    }

    /// 2. and 3. PUT answered 500 and, like DELETE, never reached the database.
    async fn a_put_answers_and_it_and_a_delete_reach_the_database(cluster) {
        make(cluster, "alice@example.com", &[9]).await;
        let put = cluster.put(ALICE, json!({ "availabilities": { "friday": [17] }, "preferences": "last" })).await.expect(200).json;
        assert_eq!((&put["availabilities"]["monday"], &put["availabilities"]["friday"], &put["preferences"]), (&json!([]), &json!([17]), &json!("last")));
        let row = &stored(cluster).await[0];
        assert_eq!((&row["availability"], &row["preference"], &row["version"]), (&put["availabilities"], &json!("last"), &json!(2)));
        cluster.delete(ALICE).await.expect(204);
        assert_eq!(stored(cluster).await, json!([]));
    }

    /// 4. Two caches under two names for one user, and no write invalidated the second.
    async fn every_road_to_a_user_shows_the_last_write_at_once(cluster) {
        make(cluster, "alice@example.com", &[0]).await;
        make(cluster, "bob@example.com", &(0..24).collect::<Vec<_>>()).await;
        for hour in 1..13 {
            // whatever is cached is cached now, on every road
            for road in ROADS {
                cluster.get(road).await.expect(200);
            }
            match hour % 3 {
                0 => cluster.put(ALICE, json!({ "availabilities": { "monday": [hour] } })).await.expect(200),
                1 => cluster.patch("/api/users/ALICE@example.com", json!({ "availability": { "monday": [hour] } })).await.expect(200),
                _ => {
                    cluster.delete(ALICE).await.expect(204);
                    for road in ROADS {
                        cluster.get(road).await.expect(404);
                    }
                    cluster.post("/users/users", json!({ "email": "alice@example.com", "availabilities": { "monday": [hour] } })).await.expect(201)
                }
            };
            for road in ROADS {
                assert_eq!(cluster.get(road).await.expect(200).json["availabilities"]["monday"], json!([hour]), "{road}");
            }
            let common = cluster.get(&format!("/availability/availabilities?{TWO}")).await.expect(200).json;
            assert_eq!(common["common_availabilities"]["monday"], json!([hour]));
        }
    }

    /// 5. Creating over an existing user answered 201, overwrote the cache, and left the database.
    async fn creating_over_an_existing_user_changes_neither_the_cache_nor_the_database(cluster) {
        let made = make(cluster, "alice@example.com", &[9]).await;
        let before = stored(cluster).await;
        for (path, body) in [
            ("/users/users", json!({ "email": "alice@example.com", "availabilities": { "monday": [10] } })),
            ("/users/users", json!({ "email": "ALICE@example.com", "preferences": "last" })),
            ("/api/users", json!({ "email": "Alice@Example.com", "name": "Mallory" })),
        ] {
            cluster.post(path, body).await.expect(409);
            for road in ROADS {
                assert_eq!(cluster.get(road).await.expect(200).json, made, "{road}");
            }
            assert_eq!(stored(cluster).await, before);
        }
    }

    /// 6. Only the table's model was validated, and never ran on a request.
    async fn hour_99_and_funday_are_refused_on_every_road(cluster) {
        make(cluster, "alice@example.com", &[9]).await;
        let before = stored(cluster).await;
        for week in [json!({ "monday": [99] }), json!({ "funday": [9] }), json!({ "monday": ["nine"] }), json!({ "monday": 9 }), json!("always"), json!(9)] {
            let old = json!({ "email": "new@example.com", "availabilities": week });
            let new = json!({ "email": "new@example.com", "name": "New", "availability": week });
            cluster.post("/users/users", old).await.expect(400);
            cluster.put(ALICE, json!({ "availabilities": week })).await.expect(400);
            cluster.post("/api/users", new).await.expect(422);
            cluster.patch("/api/users/alice@example.com", json!({ "availability": week })).await.expect(422);
            cluster.put("/api/users/alice@example.com/availability", week).await.expect(422);
        }
        assert_eq!(stored(cluster).await, before);
    }

    /// 8. A preference in the request was ignored, and an unknown one meant random.
    async fn a_preference_in_the_request_counts_and_an_unknown_one_is_refused(cluster) {
        make(cluster, "alice@example.com", &[9, 11, 13]).await;
        make(cluster, "bob@example.com", &[9, 11, 13]).await;
        for (preference, hour) in [("first", 9), ("last", 13), ("best", 9)] {
            let found = cluster.get(&format!("/suggestion/suggestions?{TWO}&preference={preference}")).await.expect(200).json;
            assert_eq!(found["suggestions"], json!([{ "day": "monday", "slot": [hour, hour + 1] }]), "{preference}");
        }
        for unknown in ["soon", "FIRST", "", "0"] {
            cluster.get(&format!("/suggestion/suggestions?{TWO}&preference={unknown}")).await.expect(400);
            let path = format!("/api/suggestions?attendee=alice@example.com&attendee=bob@example.com&pick={unknown}");
            cluster.get(&path).await.expect(422);
        }
    }

    /// 12. The test of the error asked for a path that did not exist, and took its 404 for the user's.
    async fn an_unknown_user_and_an_unknown_path_are_different_errors(cluster) {
        make(cluster, "alice@example.com", &[9]).await;
        for path in ["/users/user-avail/cache-aside/", "/users/user-avail/cache_aside/", "/users/user-avail/cache-aside?user1email=", "/users/users/"] {
            assert_eq!(cluster.get(&format!("{path}alice@example.com")).await.expect(200).json["email"], "alice@example.com", "{path}");
            let user = cluster.get(&format!("{path}nobody@example.com")).await.expect(404).json;
            assert_eq!((&user["detail"][0]["type"], &user["type"]), (&json!("unknown-user"), &Value::Null), "{path}");
        }
        let unknown = cluster.get("/users/user/alice@example.com").await.expect(404).json;
        assert_eq!(unknown["detail"][0]["type"], "not-found");
        let path = "/user-avail/cache-aside/alice@example.com";
        cluster.get(path).await.expect_problem("404 not-found", path, path);
    }

    /// 15. Without userId2, None was passed on and came back as 502.
    async fn a_missing_second_user_is_refused_at_the_gateway(cluster) {
        make(cluster, "alice@example.com", &[9]).await;
        for path in ["/availability/availabilities", "/api/availability/common_availabilities", "/suggestion/suggestions"] {
            let path = format!("{path}?userId1=alice@example.com");
            let reply = cluster.send(Method::GET, &path, &[("case-id", "half-a-question")], None).await.expect(400);
            assert_eq!(reply.json["detail"][0]["loc"], json!(["query", "userId2"]), "{path}");
        }
        let calls = cluster.log().into_iter().filter(|line| line["case_id"] == "half-a-question" && line["role"] != "gateway");
        assert_eq!(calls.count(), 0);
    }
}

/// 7. A healthy database overwrote the report of the dead cache.
#[actix_web::test]
async fn a_dead_cache_shows_in_the_health_of_its_role_and_of_all() {
    let cluster = Cluster::split_with(&[("W2MEET_CACHE__URL", &closed_port_url().replace("http", "redis"))]).await;
    for (path, service) in [
        ("/users/health", "user-service"),
        ("/availability/health", "availability-service"),
        ("/api/health", "gateway-service"),
    ] {
        let report = cluster.get(path).await.expect(200).json;
        assert_eq!((&report["service"], &report["status"]), (&json!(service), &json!("degraded")), "{path}: {report}");
    }
    let report = cluster.get("/users/health").await.expect(200).json;
    let statuses = ["redis", "postgresql"].map(|name| report["dependencies"][name]["status"].clone());
    assert_eq!(statuses, [json!("unhealthy"), json!("healthy")]);
}

/// 11. One server behind each name, and no request id.
#[actix_web::test]
async fn the_gateway_balances_over_replicas_and_identifies_every_request() {
    let counts = [Rc::new(Cell::new(0)), Rc::new(Cell::new(0))];
    let bases = counts.each_ref().map(|count| counting(Rc::clone(count), Rc::default()));
    let node = start_gateway(&bases.join(","), &[]);
    let client = node.client("gateway");
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let reply = client.get("/api/users").await.expect(200);
        assert!(ids.insert(reply.header("case-id").unwrap_or_default().to_owned()));
    }
    assert_eq!(counts.map(|count| count.get()), [10, 10]);
}

/// 14. A read on a cold cache decoded twice what was decoded already, and answered 500.
#[actix_web::test]
async fn a_read_on_a_cold_cache_is_the_read_on_a_warm_one() {
    const SHORT: &[(&str, &str)] = &[("W2MEET_CACHE__TTL_SECONDS", "1")];
    for shape in [Shape::Embedded, Shape::Services] {
        let cluster = match shape {
            Shape::Embedded => Cluster::all_with(SHORT).await,
            Shape::Services => Cluster::split_with(SHORT).await,
        };
        make(&cluster, "alice@example.com", &[9]).await;
        let warm = cluster.get(ALICE).await.expect(200).text;
        let texts = RefCell::new(Vec::new());
        let cold = eventually("the entry has died, and a read misses it", async || {
            let case = format!("cold-{}", texts.borrow().len());
            let reply = cluster.send(Method::GET, ALICE, &[("case-id", &case)], None).await.expect(200);
            texts.borrow_mut().push(reply.text);
            let log = cluster.log();
            let missed = log.iter().filter(|line| line["message"] == "cache miss");
            let mut read =
                missed.filter_map(|line| line["case_id"].as_str()?.strip_prefix("cold-")?.parse::<usize>().ok());
            read.next().map(|at| texts.borrow()[at].clone())
        });
        assert_eq!(cold.await, warm, "{shape:?}");
    }
}

/// 16. The users were read one after the other, over a new client and connection each.
#[actix_web::test]
async fn connections_between_roles_are_reused_and_users_are_read_in_one_call() {
    let (requests, connections) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let node = start_gateway(&counting(Rc::clone(&requests), Rc::clone(&connections)), &[]);
    let client = node.client("gateway");
    for _ in 0..20 {
        client.get("/api/users").await.expect(200);
    }
    assert_eq!((requests.get(), connections.get()), (20, 1));

    let cluster = Cluster::all().await;
    make(&cluster, "alice@example.com", &[9]).await;
    make(&cluster, "bob@example.com", &[9]).await;
    let reply = cluster.get(&format!("/suggestion/suggestions?{TWO}")).await.expect(200);
    let case = reply.header("case-id").expect("a Case-ID");
    let calls = eventually("the gateway has written its last line", async || {
        let mine: Vec<Value> = cluster.log().into_iter().filter(|line| line["case_id"] == case).collect();
        let done = mine.iter().any(|line| line["role"] == "gateway" && line["message"] == "request completed");
        done.then_some(mine)
    });
    let callees: Vec<Value> = calls
        .await
        .iter()
        .filter(|line| line["message"] == "call answered")
        .map(|line| line["callee"].clone())
        .collect();
    assert_eq!(callees, ["user", "availability", "suggestion"], "one call each, for both users");
}

/// An upstream that answers `{}` to everything, and counts requests and connections.
fn counting(requests: Rc<Cell<u32>>, connections: Rc<Cell<u32>>) -> String {
    serve_connections(move |mut stream| {
        let requests = Rc::clone(&requests);
        connections.set(connections.get() + 1);
        async move {
            while read_head(&mut stream).await.is_some() {
                requests.set(requests.get() + 1);
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await);
            }
        }
    })
}
