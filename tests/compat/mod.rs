//! The legacy API: its formats, texts, statuses and errors, exactly.

mod errors;

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::{Cluster, Reply, Shape, eventually};

const ALICE: &str = "/users/users/alice@example.com";
const TWO: &str = "userId1=alice@example.com&userId2=bob@example.com";

/// Every road to Alice.
const ROADS: [&str; 12] = [
    ALICE,
    "/users/users/alice@example.com/",
    "/users/users/ALICE%40example.com",
    "/users/users/alice@example.com/availability",
    "/users/user-avail/cache-aside?user1email=alice@example.com",
    "/users/user-avail/cache-aside?user1email=ALICE%40example.com",
    "/users/user-avail/cache-aside/alice@example.com",
    "/users/user-avail/cache-aside/alice@example.com/",
    "/users/user-avail/cache-aside/?user1email=alice@example.com",
    "/users/user-avail/cache_aside?user1email=alice@example.com",
    "/users/user-avail/cache_aside/alice@example.com",
    "/users/user-avail/cache_aside/alice@example.com/",
];

/// All seven days of hours, empty but for these.
fn hours(days: Value) -> Value {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let all = names.map(|day| (day.to_owned(), days.get(day).cloned().unwrap_or_else(|| json!([]))));
    Value::Object(all.into_iter().collect())
}

fn user(email: &str, preferences: &str, days: Value) -> Value {
    json!({ "email": email, "preferences": preferences, "availabilities": days })
}

/// Fails unless this is the error shape, with these places and messages.
#[track_caller]
fn expect_error(reply: &Reply, status: u16, errors: &[(Value, &str)], row: &str) {
    assert_eq!(reply.status, status, "{row}: {}", reply.text);
    assert_eq!(reply.header("content-type"), Some("application/json"), "{row}");
    let members: Vec<&String> = reply.json.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["case_id", "detail"], "{row}");
    assert_eq!(reply.json["case_id"].as_str(), reply.header("case-id"), "{row}");
    let detail = reply.json["detail"].as_array().expect("a list");
    assert_eq!(detail.len(), errors.len(), "{row}: {}", reply.text);
    for (one, (loc, msg)) in detail.iter().zip(errors) {
        let members: Vec<&String> = one.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["loc", "msg", "type"], "{row}");
        let output = one["msg"].as_str().unwrap_or_default();
        assert!(
            one["loc"] == *loc && output.contains(msg) && !output.is_empty(),
            "{row}: {one} is not {msg:?} at {loc}"
        );
        assert!(one["type"].as_str().is_some_and(|text| !text.is_empty()), "{row}");
    }
}

async fn alice_and_bob(cluster: &Cluster) {
    let alice =
        user("alice@example.com", "first", json!({ "monday": [9, 10, 11], "wednesday": [14], "friday": [16, 17] }));
    let bob = user("bob@example.com", "first", json!({ "monday": [10, 9, 10], "friday": [17], "sunday": [8] }));
    cluster.post("/users/users", alice).await.expect(201);
    cluster.post("/users/users", bob).await.expect(201);
}

both_shapes! {
    async fn users_are_made_and_read_in_the_old_shape(cluster) {
        let alice = json!({ "monday": [10, 9, 10], "friday": [23, 0] });
        let made = cluster.post("/users/users", user("Alice@example.com", "last", alice.clone())).await.expect(201);
        let shown = |preferences: &str, days: Value| json!({
            "email": "alice@example.com", "availabilities": hours(days), "preferences": preferences,
            "created_at": made.json["created_at"],
        });
        let first = shown("last", json!({ "monday": [9, 10], "friday": [0, 23] }));
        assert_eq!(made.json, first);
        assert!(made.json["created_at"].as_str().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()), "{}", made.text);
        for path in ROADS {
            assert_eq!(cluster.get(path).await.expect(200).json, first, "{path}");
        }
        // the same account, as the API shows it
        let api = cluster.get("/api/users/alice@example.com").await.expect(200).json;
        assert_eq!((&api["name"], &api["time_zone"], &api["preference"]), (&json!("Alice"), &json!("UTC"), &json!("last")));
        assert_eq!(api["availability"]["monday"], json!(["09:00-11:00"]));

        // once more with the same content is no harm, with another a conflict that changes nothing
        assert_eq!(cluster.post("/users/users", user("alice@example.com", "last", json!({ "friday": [0, 23], "monday": [9, 10] }))).await.expect(200).json, first);
        for other in [
            user("alice@example.com", "first", alice.clone()), user("ALICE@example.com", "last", json!({ "monday": [9] })),
            json!({ "email": "alice@example.com" }),
        ] {
            let reply = cluster.post("/users/users", other.clone()).await;
            expect_error(&reply, 409, &[(json!(["body"]), "alice@example.com")], &other.to_string());
        }
        assert_eq!(cluster.get(ALICE).await.expect(200).json, first);

        // everything but the address may be left out
        let bob = cluster.post("/users/users", json!({ "email": "bob@example.com" })).await.expect(201).json;
        assert_eq!((&bob["availabilities"], &bob["preferences"]), (&hours(json!({})), &json!("first")));
        assert_eq!(cluster.post("/users/users", json!({ "email": "bob@example.com" })).await.expect(200).json, bob);
        cluster.expect_calm().await;
    }

    async fn users_are_replaced_and_deleted_in_the_old_shape(cluster) {
        let made = cluster.post("/users/users", user("alice@example.com", "last", json!({ "monday": [9] }))).await.expect(201);
        let shown = |preferences: &str, days: Value| json!({
            "email": "alice@example.com", "availabilities": hours(days), "preferences": preferences,
            "created_at": made.json["created_at"],
        });
        // PUT stands for the whole week that it names, and for what it says of the rest
        for (put, expected) in [
            (json!({ "availabilities": { "tuesday": [8] } }), shown("last", json!({ "tuesday": [8] }))),
            (json!({ "preferences": "random" }), shown("random", json!({ "tuesday": [8] }))),
            (user("alice@example.com", "first", json!({ "sunday": [23] })), shown("first", json!({ "sunday": [23] }))),
        ] {
            let reply = cluster.put(ALICE, put.clone()).await;
            assert_eq!(reply.status, 200, "{put}: {}", reply.text);
            assert_eq!(reply.json, expected, "{put}");
            for path in ROADS {
                assert_eq!(cluster.get(path).await.expect(200).json, expected, "{put} {path}");
            }
        }
        assert_eq!(cluster.put("/users/users/alice@example.com/", user("alice@example.com", "first", json!({}))).await.expect(200).json["availabilities"], hours(json!({})));
        let gone = cluster.delete(ALICE).await.expect(204);
        assert_eq!(gone.text, "");
        let not_found = |place: &str| [(json!([place]), "User not found")];
        for path in ROADS {
            let place = if path.contains('?') { "query" } else { "path" };
            expect_error(&cluster.get(path).await, 404, &not_found(place), path);
        }
        expect_error(&cluster.delete(ALICE).await, 404, &not_found("path"), "DELETE");
        expect_error(&cluster.put(ALICE, json!({ "preferences": "last" })).await, 404, &not_found("body"), "PUT");
        cluster.expect_calm().await;
    }

    async fn common_hours_and_suggestions_come_in_the_old_shape(cluster) {
        alice_and_bob(cluster).await;
        let common = json!({
            "common_availabilities": hours(json!({ "monday": [9, 10], "friday": [17] })),
            "user1preference": "first", "user2preference": "first",
        });
        for path in ["/availability/availabilities", "/api/availability/common_availabilities"] {
            assert_eq!(cluster.get(&format!("{path}?{TWO}")).await.expect(200).json, common, "{path}");
        }
        let ask = async |rest: &str| {
            let headers = [("case-id", "old-client")];
            let reply = cluster.send(Method::GET, &format!("/suggestion/suggestions?{TWO}{rest}"), &headers, None).await.expect(200);
            assert_eq!((&reply.json["case_id"], reply.json.as_object().map(|all| all.len())), (&json!("old-client"), Some(2)));
            reply.json["suggestions"].clone()
        };
        let (monday, friday) = (json!({ "day": "monday", "slot": [9, 10] }), json!({ "day": "friday", "slot": [17, 18] }));
        assert_eq!(ask("").await, json!([monday]));
        for (alice, bob, expected) in [
            ("last", "last", json!([friday])), ("first", "last", json!([monday, friday])), ("last", "first", json!([friday, monday])),
            ("best", "best", json!([monday])),
        ] {
            cluster.put(ALICE, json!({ "preferences": alice })).await.expect(200);
            cluster.put("/users/users/bob@example.com", json!({ "preferences": bob })).await.expect(200);
            assert_eq!(ask("").await, expected, "{alice} and {bob}");
            assert_eq!(ask("&preference=last").await, json!([friday]), "what is asked for goes first");
        }
        cluster.put(ALICE, json!({ "preferences": "random" })).await.expect(200);
        let found = cluster.get(&format!("/availability/availabilities?{TWO}")).await.expect(200).json;
        assert_eq!((&found["user1preference"], &found["user2preference"]), (&json!("random"), &json!("best")));
        let drawn = ask("").await;
        assert!(drawn.as_array().is_some_and(|list| list.iter().all(|one| one["day"].is_string() && one["slot"][1].as_u64() == one["slot"][0].as_u64().map(|hour| hour + 1))), "{drawn}");

        // wall clocks as they stand, whatever the zones; and whole hours only
        cluster.patch("/api/users/bob@example.com", json!({ "time_zone": "Asia/Tokyo", "preference": "first", "availability": { "monday": ["09:30-11:45"] } })).await.expect(200);
        cluster.patch("/api/users/alice@example.com", json!({ "preference": "first" })).await.expect(200);
        let found = cluster.get(&format!("/availability/availabilities?{TWO}")).await.expect(200).json;
        assert_eq!(found["common_availabilities"], hours(json!({ "monday": [10], "friday": [17] })));
        assert_eq!(ask("").await, json!([{ "day": "monday", "slot": [10, 11] }]));

        // several preferences for the only hour: it is listed once; an empty list stays empty
        cluster.put("/users/users/bob@example.com", json!({ "preferences": "last", "availabilities": { "friday": [17] } })).await.expect(200);
        assert_eq!(ask("").await, json!([friday]));
        cluster.put("/users/users/bob@example.com", json!({ "availabilities": { "tuesday": [17] } })).await.expect(200);
        assert_eq!(ask("").await, json!([]));
        let none = cluster.get(&format!("/availability/availabilities?{TWO}")).await.expect(200).json;
        assert_eq!(none["common_availabilities"], hours(json!({})));
        // a user may search for a time with themselves
        let alone = cluster.get("/availability/availabilities?userId1=alice@example.com&userId2=Alice@example.com").await.expect(200).json;
        assert_eq!(alone["common_availabilities"], hours(json!({ "monday": [9, 10, 11], "wednesday": [14], "friday": [16, 17] })));
        assert_eq!((&alone["user1preference"], &alone["user2preference"]), (&json!("first"), &json!("first")));
        cluster.expect_calm().await;
    }

    async fn health_and_tasks_answer_on_the_old_paths(cluster) {
        let health = cluster.get("/health").await.expect(200);
        assert_eq!(health.text, "ok");
        let (database, cache) = if cluster.shape == Shape::Services { ("postgresql", "redis") } else { ("sqlite", "memory") };
        for (path, service, stands_on) in [
            ("/users/health", "user-service", &[database, cache][..]), ("/availability/health", "availability-service", &["user-service"]),
            ("/suggestion/health", "suggestion-service", &["availability-service"]),
            ("/worker/health", "worker-service", &["availability-service", "suggestion-service"]),
        ] {
            // a cache that is slow for a moment, on a busy machine, is degraded for that moment
            let reply = eventually(path, async || {
                let reply = cluster.send(Method::GET, path, &[("case-id", "probe")], None).await.expect(200);
                (reply.json["status"] == "healthy").then_some(reply)
            });
            let reply = reply.await;
            let report = &reply.json;
            assert_eq!((&report["case_id"], &report["service"], &report["status"]), (&json!("probe"), &json!(service), &json!("healthy")), "{}", reply.text);
            for name in stands_on {
                let one = &report["dependencies"][name];
                assert!(one["status"] == "healthy" && one["response_time_ms"].is_number(), "{path}: {}", reply.text);
            }
        }
    }

    async fn a_task_is_enqueued_and_becomes_a_meeting(cluster) {
        alice_and_bob(cluster).await;
        let task = json!({ "userId1": "alice@example.com", "userId2": "bob@example.com", "preference": "last" });
        let accepted = cluster.post("/worker/tasks", task).await.expect(202);
        let case = accepted.header("case-id").expect("a case").to_owned();
        let accepted = accepted.json;
        assert_eq!((&accepted["case_id"], &accepted["status"]), (&json!(case), &json!("enqueued")));
        let job = accepted["job_id"].as_str().expect("a job").to_owned();
        eventually("the job is done", async || {
            let job = cluster.get(&format!("/api/jobs/{job}")).await.expect(200).json;
            (job["state"] == "succeeded").then_some(())
        })
        .await;
        let unknown = json!({ "userId1": "alice@example.com", "userId2": "nobody@example.com" });
        let reply = cluster.post("/worker/tasks", unknown).await;
        expect_error(&reply, 404, &[(json!(["body"]), "One or both users not found")], "a stranger");
        let two = |preference: Value| json!({ "userId1": "alice@example.com", "userId2": "bob@example.com", "preference": preference });
        for (path, body, errors) in [
            ("/worker/tasks", json!({ "userId1": "alice@example.com" }), vec![json!(["body", "userId2"])]),
            ("/worker/tasks/", json!({ "userId1": "x", "userId2": "y" }), vec![json!(["body", "userId1"]), json!(["body", "userId2"])]),
            ("/worker/tasks", json!({ "userId1": "alice@example.com", "userId2": "ALICE@example.com" }), vec![json!(["body", "userId2"])]),
            ("/worker/tasks", two(json!("soon")), vec![json!(["body", "preference"])]),
            ("/worker/tasks", json!({ "attendees": [] }), vec![json!(["body", "userId1"]), json!(["body", "userId2"]), json!(["body", "attendees"])]),
            ("/worker/tasks", json!({ "userId1": "alice@example.com", "userId2": "bob@example.com", "pick": "last", "organizer": 1 }),
                vec![json!(["body", "pick"]), json!(["body", "organizer"])]),
            ("/worker/tasks?x=1", two(json!("last")), vec![json!(["query", "x"])]),
        ] {
            let errors: Vec<_> = errors.into_iter().map(|loc| (loc, "")).collect();
            expect_error(&cluster.post(path, body.clone()).await, 422, &errors, &format!("{path} {body}"));
        }
        let enqueued = eventually("the line of the job", async || {
            cluster.log().into_iter().find(|line| line["message"] == "ENQUEUE" && line["job_id"] == *job)
        });
        assert_eq!(enqueued.await["queue"], accepted["queue"]);
    }

    async fn a_task_uses_whole_hours_only(cluster) {
        // they share 10:30 to 12:30, in which one whole hour lies
        for (email, ranges) in [("alice@example.com", "10:30-13:00"), ("bob@example.com", "09:00-12:30")] {
            let week: Value = ["monday", "tuesday", "wednesday", "thursday", "friday"].map(|day| (day.to_owned(), json!([ranges]))).into_iter().collect();
            cluster.register(email, week).await;
        }
        let task = json!({ "userId1": "alice@example.com", "userId2": "bob@example.com", "preference": "first" });
        let accepted = cluster.post("/worker/tasks", task).await.expect(202).json;
        let path = format!("/api/meetings/{}", accepted["meeting_id"].as_str().expect("an id"));
        let start = eventually("the meeting has a time", async || {
            cluster.get(&path).await.expect(200).json["start"].as_str().map(str::to_owned)
        });
        assert!(start.await.contains("T11:00:00"));
    }

    async fn every_error_under_an_older_path_has_the_older_shape(cluster) {
        let long = format!("/users/users/{}", "x".repeat(9 << 10));
        for (method, path, status, loc) in [
            ("GET", "/users/nothing", 404, json!(["path"])), ("GET", "/users", 404, json!(["path"])), ("GET", "/worker/tasks/1", 404, json!(["path"])),
            ("PATCH", ALICE, 405, json!(["path"])), ("DELETE", "/worker/tasks", 405, json!(["path"])), ("POST", "/suggestion/suggestions", 405, json!(["path"])),
            ("POST", "/api/availability/common_availabilities", 405, json!(["path"])), ("GET", &*long, 414, json!(["path"])),
            ("GET", &format!("{ALICE}?x=1"), 400, json!(["query", "x"])), ("DELETE", &format!("{ALICE}?x=1"), 400, json!(["query", "x"])),
            ("GET", &format!("{ALICE}/availability?x=1"), 400, json!(["query", "x"])), ("GET", "/users/user-avail/cache_aside/a@b.co?x=1", 400, json!(["query", "x"])),
        ] {
            let reply = cluster.send_head(method, path, "").await;
            expect_error(&reply, status, &[(loc, "")], &format!("{method} {path:.60}"));
            assert_eq!(reply.header("allow").is_some(), status == 405, "{method} {path:.60}");
            assert!(!reply.text.contains("PATCH "), "{method} {path:.60}: {}", reply.text);
        }
        let reply = cluster.post("/users/users?x=1", user("new@example.com", "first", json!({}))).await;
        expect_error(&reply, 400, &[(json!(["query", "x"]), "")], "POST");
        alice_and_bob(cluster).await;
        let other = cluster.post("/users/users", user("alice@example.com", "last", json!({}))).await;
        expect_error(&other, 409, &[(json!(["body"]), "PUT /users/users/alice@example.com")], "another Alice");
    }
}
