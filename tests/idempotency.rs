//! Idempotency-Key: a repeated request gets the first response again, and has no second effect.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::meeting::{ANA, BEN, CAT, meeting_body, next_monday, register_morning_people};
use crate::support::{Cluster, Reply};

const MEETINGS: &str = "/api/meetings";

async fn post(cluster: &Cluster, path: &str, key: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    cluster.send(Method::POST, path, &headers, Some(body.to_string().into_bytes())).await
}

async fn meetings(cluster: &Cluster) -> usize {
    cluster.get(MEETINGS).await.expect(200).json["meetings"].as_array().map_or(0, Vec::len)
}

/// Sends three times what succeeds, and checks that the answer is the same.
async fn replays(cluster: &Cluster, path: &str, key: &str, body: Value) -> Reply {
    let first = post(cluster, path, key, &body).await;
    assert!(first.status < 300, "{path}: {}", first.text);
    assert_eq!(first.header("idempotency-replayed"), None, "{path}");
    for key in [key.to_owned(), format!("\"{key}\""), format!(" {key} ")] {
        let again = post(cluster, path, &key, &body).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{path} {key}");
        for same in ["location", "etag", "content-type", "retry-after"] {
            assert_eq!(again.header(same), first.header(same), "{path} {same}");
        }
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{path} {key}");
    }
    first
}

both_shapes! {
    async fn a_request_that_is_repeated_has_one_effect_and_one_answer(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let key = "8e03978e-40d5-43e8-bc93-6894a57f9324";
        let user = json!({ "email": CAT, "name": "Cat" });
        replays(cluster, "/api/users", key, user).await.expect(201);
        let asked = meeting_body(json!({ "callback_url": "https://example.com/" }));
        let first = replays(cluster, MEETINGS, key, asked.clone()).await.expect(202);
        assert!(first.json["callback_secret"].is_string(), "the same secret, too");
        assert_eq!(meetings(cluster).await, 1, "the same key elsewhere is another");
        // the second time, the only time that suits is the meeting's own
        let now = json!({ "attendees": [ANA, BEN], "notify": true, "from": next_monday(), "to": next_monday(), "duration_minutes": 120 });
        let first = replays(cluster, "/api/suggestions", key, now.clone()).await.expect(200);
        assert_eq!(first.header("location"), Some(format!("/api/meetings/{}", first.json["meeting"]["id"].as_str().unwrap_or_default()).as_str()));
        assert_eq!(meetings(cluster).await, 2);

        for (path, other) in [
            ("/api/users", json!({ "email": CAT, "name": "Kitty" })),
            (MEETINGS, meeting_body(json!({ "title": "Other" }))),
            ("/api/suggestions", { let mut other = now; other["title"] = "Other".into(); other }),
        ] {
            post(cluster, path, key, &other).await.expect_problem("422 idempotency-key-reused", path, "another body");
        }
        assert_eq!(meetings(cluster).await, 2);
    }

    async fn refused_requests_store_no_response(cluster) {
        register_morning_people(cluster, &[ANA]).await;
        let key = "first-try";
        let asked = meeting_body(json!({}));
        post(cluster, MEETINGS, key, &meeting_body(json!({ "title": "" }))).await.expect(422);
        post(cluster, MEETINGS, key, &asked).await.expect_problem("404 unknown-user", MEETINGS, "Ben is not there yet");
        post(cluster, "/api/users", key, &json!({ "email": ANA, "name": "Ana" })).await.expect(409);
        register_morning_people(cluster, &[BEN]).await;
        replays(cluster, MEETINGS, key, asked).await.expect(202);
        post(cluster, "/api/users", key, &json!({ "email": CAT, "name": "Cat" })).await.expect(201);
    }

    async fn keys_that_are_none_are_refused(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let long = "k".repeat(256);
        for (path, body) in [(MEETINGS, meeting_body(json!({}))), ("/api/users", json!({ "email": CAT, "name": "Cat" })),
            ("/api/suggestions", json!({ "attendees": [ANA, BEN], "notify": true }))] {
            for key in ["", "\"\"", " ", &long, "a\"b", "\"", "k\u{e9}y"] {
                post(cluster, path, key, &body).await.expect_problem("400 bad-request", path, key);
            }
            let headers = [("content-type", "application/json"), ("idempotency-key", "a"), ("idempotency-key", "b")];
            let two = cluster.send(Method::POST, path, &headers, Some(body.to_string().into_bytes())).await;
            two.expect_problem("400 bad-request", path, "two keys");
        }
        assert_eq!(meetings(cluster).await, 0);
        post(cluster, MEETINGS, &"k".repeat(255), &meeting_body(json!({}))).await.expect(202);
    }

    async fn many_requests_at_once_under_one_key_have_one_effect(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let body = meeting_body(json!({}));
        let requests = (0..50).map(|_| post(cluster, MEETINGS, "once", &body));
        let replies = futures_util::future::join_all(requests).await;
        let texts: std::collections::BTreeSet<&str> = replies.iter().map(|reply| reply.text.as_str()).collect();
        assert_eq!((texts.len(), meetings(cluster).await), (1, 1), "{texts:?}");
        let first = replies.iter().filter(|reply| reply.header("idempotency-replayed").is_none()).count();
        assert_eq!(first, 1);
    }
}
