//! Versions of a user: entity tags, preconditions, and concurrent changes.

use std::cell::Cell;

use awc::http::Method;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::{Cluster, Reply};

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const ANA: &str = "/api/users/ana@example.com";
const WEEK: &str = "/api/users/ana@example.com/availability";

fn etag(reply: &Reply) -> &str {
    reply.header("etag").unwrap_or_default()
}

async fn make(cluster: &Cluster, email: &str) -> Reply {
    cluster.post("/api/users", json!({ "email": email, "name": "Ana" })).await
}

/// Sends a JSON body, or none for null, with one more header.
async fn send(cluster: &Cluster, method: Method, path: &str, header: (&str, &str), body: Value) -> Reply {
    let headers = [("content-type", "application/json"), header];
    match body {
        Value::Null => cluster.send(method, path, &headers[1..], None).await,
        body => {
            let body = body.to_string().into_bytes();
            cluster.send(method, path, &headers, Some(body)).await
        }
    }
}

both_shapes! {
    async fn entity_tags_name_the_version_that_a_caller_expects(cluster) {
        make(cluster, "ana@example.com").await.expect(201);
        let mut now = 1;
        for (method, path, body) in [
            (Method::PATCH, ANA, json!({ "name": "Somebody else" })),
            (Method::PUT, WEEK, json!({ "monday": [9] })),
            (Method::DELETE, ANA, Value::Null),
        ] {
            // V stands for the version there is
            for (tag, answer) in [
                ("\"V0\"", "412 precondition-failed"), ("W/\"V\"", "412 precondition-failed"),
                ("\"V0\", \"0\"", "412 precondition-failed"), ("\"abc\"", "412 precondition-failed"),
                ("V", "400 bad-request"), ("\"V", "400 bad-request"), ("\"V\" \"V0\"", "400 bad-request"),
                ("*x", "400 bad-request"), ("", "400 bad-request"), ("\"V0\", \"V\"", ""), ("\"V\"", ""), ("*", ""),
            ] {
                let tag = tag.replace('V', &now.to_string());
                let reply = send(cluster, method.clone(), path, ("if-match", &tag), body.clone()).await;
                let row = format!("{method} If-Match: {tag}");
                if !answer.is_empty() {
                    reply.expect_problem(answer, path, &row);
                } else if method == Method::DELETE {
                    assert_eq!(reply.status, 204, "{row}");
                    make(cluster, "ana@example.com").await.expect(201);
                    now = 1;
                } else {
                    now += 1;
                    assert_eq!((reply.status, etag(&reply)), (200, &*format!("\"{now}\"")), "{row}");
                }
                assert_eq!(etag(&cluster.get(ANA).await), format!("\"{now}\""), "{row}");
            }
        }
        for path in [ANA, WEEK] {
            for (tag, status) in [
                ("\"1\"", 304), ("\"7\", \"1\"", 304), ("W/\"1\"", 304), ("*", 304), ("\"2\"", 200), ("\"abc\"", 200),
                ("1", 400),
            ] {
                let reply = send(cluster, Method::GET, path, ("if-none-match", tag), Value::Null).await;
                assert_eq!(reply.status, status, "GET {path} If-None-Match: {tag}: {}", reply.text);
                let body_and_tag = (reply.text.is_empty(), reply.header("etag"));
                assert_eq!(body_and_tag, (status == 304, (status < 400).then_some("\"1\"")), "{path} {tag}");
            }
        }
    }

    async fn concurrent_patches_take_effect_or_fail_visibly(cluster) {
        make(cluster, "ana@example.com").await.expect(201);
        let patch = |at: usize| cluster.patch(ANA, json!({ "availability": { DAYS[at]: [at] } }));
        let mut versions: Vec<i64> = Vec::new();
        for reply in join_all((0..21).map(|at| patch(at % 7))).await {
            versions.extend(reply.expect(200).json["version"].as_i64());
        }
        versions.sort_unstable();
        assert_eq!(versions, (2..=22).collect::<Vec<_>>(), "every change has a version of its own");
        let hours: Value = DAYS.iter().zip(0..).map(|(day, at): (_, i32)| ((*day).to_owned(), json!([at]))).collect();
        assert_eq!(cluster.get(&format!("{WEEK}?format=hours")).await.expect(200).json, hours, "and none is lost");

        let patch = |at: usize| {
            send(cluster, Method::PATCH, ANA, ("if-match", "\"22\""), json!({ "name": format!("writer {at}") }))
        };
        let replies = join_all((0..12).map(patch)).await;
        let winners: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 200).collect();
        assert_eq!(winners.len(), 1, "one of those who have read the same version");
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            reply.expect_problem("412 precondition-failed", ANA, "the others");
        }
        assert_eq!(cluster.get(ANA).await.expect(200).json, winners[0].json);

        // of those who make one user at the same time, one does
        let replies = join_all((0..8).map(|_| make(cluster, "ben@example.com"))).await;
        let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    }

    async fn a_read_is_never_older_than_a_write_that_was_acknowledged_before_it(cluster) {
        make(cluster, "ana@example.com").await.expect(201);
        let acknowledged = Cell::new(1);
        let version = |reply: &Reply| etag(reply).trim_matches('"').parse::<i64>().expect("a version");
        let write = async {
            for number in 0..40 {
                let reply = cluster.patch(ANA, json!({ "name": format!("name {number}") })).await.expect(200);
                acknowledged.set(version(&reply));
                let read = cluster.get(ANA).await.expect(200);
                assert_eq!(read.json, reply.json, "its own writer reads it at once");
            }
        };
        let read = async |path: &str| {
            while acknowledged.get() < 41 {
                let floor = acknowledged.get();
                let seen = version(&cluster.get(path).await.expect(200));
                assert!(seen >= floor, "{path} is at {seen}, but {floor} was acknowledged before it was asked for");
            }
        };
        join(write, join_all([ANA, WEEK, "/api/users/ANA@EXAMPLE.COM"].map(read))).await;
    }
}
