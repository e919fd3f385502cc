//! Errors of the legacy API, in its format.

use awc::http::Method;
use serde_json::json;

use super::{ALICE, TWO, alice_and_bob, expect_error, user};
use crate::both_shapes;
use crate::support::access::REQUIRED;
use crate::support::upstream::{closed_port_url, read_head, serve_connections, start_gateway};

both_shapes! {
    async fn a_body_that_is_wrong_is_answered_with_a_list_of_places(cluster) {
        alice_and_bob(cluster).await;
        let before = cluster.get("/api/users").await.expect(200).text;
        for (body, errors) in [
            (user("new@example.com", "first", json!({ "monday": [99] })), vec![(json!(["body", "availabilities", "monday", 0]), "99")]),
            (user("new@example.com", "first", json!({ "funday": [9] })), vec![(json!(["body", "availabilities", "funday"]), "funday")]),
            (user("new@example.com", "first", json!({ "monday": ["nine", -1] })), vec![
                (json!(["body", "availabilities", "monday", 0]), "nine"), (json!(["body", "availabilities", "monday", 1]), "-1"),
            ]),
            (user("new@example.com", "middle", json!({})), vec![(json!(["body", "preferences"]), "first, last, random")]),
            (user("no-address", "first", json!({})), vec![(json!(["body", "email"]), "e-mail")]),
            (json!({}), vec![(json!(["body", "email"]), "required")]),
            (json!({ "email": "new@example.com", "isAdmin": true }), vec![(json!(["body", "isAdmin"]), "")]),
            (json!({ "email": "new@example.com", "availability": {} }), vec![(json!(["body", "availability"]), "")]),
            (json!([]), vec![(json!(["body"]), "object")]),
        ] {
            let reply = cluster.post("/users/users", body.clone()).await;
            expect_error(&reply, 400, &errors, &body.to_string());
        }
        let json_type = [("content-type", "application/json")];
        for body in ["{", "", "{\"email\":\"a@b.co\",\"email\":\"c@b.co\"}"] {
            let reply = cluster.send(Method::POST, "/users/users", &json_type, Some(body.into())).await;
            expect_error(&reply, 400, &[(json!(["body"]), "")], body);
        }
        let text = cluster.send(Method::POST, "/users/users", &[("content-type", "text/plain")], Some(b"{}".to_vec())).await;
        expect_error(&text, 415, &[(json!(["body"]), "")], "text/plain");
        for put in [json!({ "email": "bob@example.com" }), json!({ "availabilities": { "monday": [24] } }), json!({ "preferences": "x" })] {
            let reply = cluster.put(ALICE, put.clone()).await;
            assert_eq!((reply.status, reply.json["detail"][0]["loc"][0].as_str()), (400, Some("body")), "{put}: {}", reply.text);
        }
        assert_eq!(cluster.get("/api/users").await.expect(200).text, before, "nothing is stored");
        cluster.expect_calm().await;
    }

    async fn a_question_that_is_wrong_is_answered_with_a_list_of_places(cluster) {
        alice_and_bob(cluster).await;
        let both = "One or both users not found";
        for path in ["/availability/availabilities", "/api/availability/common_availabilities", "/suggestion/suggestions"] {
            for (query, status, errors) in [
                ("userId1=alice@example.com&userId2=nobody@example.com", 404, &[("", both)][..]),
                ("userId1=nobody@example.com&userId2=noone@example.com", 404, &[("", both)]),
                ("userId1=alice@example.com", 400, &[("userId2", "required")]), ("userId2=alice@example.com", 400, &[("userId1", "required")]),
                ("", 400, &[("userId1", "required"), ("userId2", "required")]),
                ("userId1=alice@example.com&userId2=", 400, &[("userId2", "")]), ("userId1=x&userId2=y", 400, &[("userId1", ""), ("userId2", "")]),
                ("userId1=alice@example.com&userId2=bob@example.com&preference=middle", 400, &[("preference", "first, last, random")]),
                ("userId1=alice@example.com&userId2=bob@example.com&x=1", 400, &[("x", "")]),
            ] {
                let reply = cluster.get(&format!("{path}?{query}")).await;
                let loc = |name: &str| if name.is_empty() { json!(["query"]) } else { json!(["query", name]) };
                let errors: Vec<_> = errors.iter().map(|(name, msg)| (loc(name), *msg)).collect();
                expect_error(&reply, status, &errors, &format!("{path}?{query}"));
                if status == 404 {
                    assert_eq!(reply.json["detail"][0]["msg"], both, "{path}?{query}");
                }
            }
        }
        let odd = "' OR '1'='1";
        expect_error(&cluster.get("/users/user-avail/cache-aside").await, 400, &[(json!(["query", "user1email"]), "required")], "no address");
        for (path, status) in [
            ("/users/users/x", 400), ("/users/user-avail/cache-aside/x", 400), ("/users/users/a%00@b.co", 400), ("/users/users/%zz", 400),
            (&*format!("/users/users/{}", odd.replace(' ', "%20")), 400), ("/users/users/a%2540b@c.de", 404),
        ] {
            let reply = cluster.send_head("GET", path, "").await;
            let loc = &reply.json["detail"][0]["loc"];
            assert_eq!((reply.status, &loc[0]), (status, &json!("path")), "{path}: {}", reply.text);
        }
        cluster.expect_calm().await;
    }
}

both_shapes! {
    with REQUIRED;

    async fn a_caller_who_has_not_signed_in_gets_the_older_shape(cluster) {
        for (headers, kind) in [(&[][..], "unauthorized"), (&[("authorization", "Bearer x")], "invalid-token")] {
            for path in [ALICE, "/users/user-avail/cache-aside?user1email=alice@example.com"] {
                let reply = cluster.send(Method::GET, path, headers, None).await;
                expect_error(&reply, 401, &[(json!(["header"]), "")], path);
                assert_eq!(reply.json["detail"][0]["type"], kind, "{path}");
                assert!(reply.header("www-authenticate").is_some(), "{path}");
            }
        }
        let unknown = cluster.get("/users/nothing").await;
        expect_error(&unknown, 404, &[(json!(["path"]), "")], "an unknown path");
    }
}

#[actix_web::test]
async fn a_role_that_fails_behind_an_old_path_gives_the_old_error() {
    let answer = |head: &'static str, body: &'static str| {
        serve_connections(move |mut stream| async move {
            use tokio::io::AsyncWriteExt;
            while read_head(&mut stream).await.is_some() {
                let text = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                drop(stream.write_all(text.as_bytes()).await);
            }
        })
    };
    let failed = ["User service error", "Availability service error", "Suggestion service error"];
    let problem = r#"{"type":"/problems/internal","title":"x","status":500,"detail":"secret"}"#;
    for (base, status, words) in [
        (closed_port_url(), 503, ["user", "availability", "suggestion"]),
        (answer("500 Internal Server Error", problem), 502, failed),
        (answer("200 OK", "<html>"), 502, failed),
        (answer("418 I'm a teapot", "{}"), 502, failed),
    ] {
        let node = start_gateway(&base, &[]);
        let client = node.client("gateway");
        for (path, place, words) in [
            (ALICE.to_owned(), "path", words[0]),
            ("/users/user-avail/cache-aside?user1email=alice@example.com".to_owned(), "query", words[0]),
            (format!("/availability/availabilities?{TWO}"), "query", words[1]),
            (format!("/suggestion/suggestions?{TWO}"), "query", words[2]),
        ] {
            let reply = client.get(&path).await;
            expect_error(&reply, status, &[(json!([place]), words)], &path);
            if status == 502 {
                assert_eq!(reply.json["detail"][0]["msg"], words, "{path}");
            }
        }
        let reply = client.delete(ALICE).await;
        if reply.status != 204 {
            expect_error(&reply, status, &[(json!(["path"]), words[0])], "DELETE");
        }
        if status == 503 {
            for path in ["/users/health", "/availability/health", "/suggestion/health", "/worker/health"] {
                let report = client.get(path).await.expect(503).json;
                assert_eq!(report["status"], "unhealthy", "{path}");
            }
        }
    }
}
