//! API keys: shown once, limited to the rights of their account, and useless once revoked.

use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use w2meet::platform::auth::permissions::Access;
use w2meet::platform::endpoint::Endpoint;

use crate::both_shapes;
use crate::support::account::{Account, PASSWORD, auth_required_with, demote, promote, send_with_bearer};
use crate::support::{Cluster, Reply, eventually, public_endpoints, rows, within};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const ROOT: &str = "root@example.com";
const KEYS: &str = "/api/auth/keys";

/// A request that a rule of the table is about, by an account, on what is its own; no body that would do anything.
async fn knock(cluster: &Cluster, bearer: &str, email: &str, rule: &Endpoint) -> Reply {
    let nothing = "01980000-0000-7000-8000-000000000000";
    let path = rule.path.replace("{user}", email).replace("{id}", nothing).replace("{name}", "none");
    let bearer = format!("Bearer {bearer}");
    let mut headers = vec![("authorization", bearer.as_str()), ("if-match", "\"4000\"")];
    let method: Method = rule.method.as_str().parse().expect("a method");
    let body = ["POST", "PUT", "PATCH"].contains(&rule.method.as_str()).then(|| b"{}".to_vec());
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    cluster.send(method, &path, &headers, body).await
}

fn asks(rule: &Endpoint) -> bool {
    rule.method == "GET" || ["/api/availability", "/api/suggestions"].contains(&rule.path)
}

async fn me(cluster: &Cluster, key: &str) -> u16 {
    send_with_bearer(cluster, key, Method::GET, "/api/auth/me", None).await.status
}

both_shapes! { with &auth_required_with(&[]);
    async fn a_key_is_shown_once_and_calls_for_its_account(cluster) {
        let ana = Account::verified(cluster, ANA).await;
        let made = ana.post(KEYS, json!({ "name": "  Calendar bot ", "scope": "write" })).await.expect(201);
        let key = made.json["key"].as_str().expect("a key").to_owned();
        let id = made.json["id"].as_str().expect("an id").to_owned();
        let (mark, rest) = key.split_at(4);
        assert_eq!((mark, rest.len(), rest.split('_').count()), ("w2m_", 97, 2), "{key}");
        assert!(rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_'), "{key}");
        assert_eq!(made.header("cache-control"), Some("no-store"));
        assert_eq!(made.header("location"), Some(format!("{KEYS}/{id}").as_str()));
        let seen = send_with_bearer(cluster, &key, Method::GET, "/api/auth/me", None).await.expect(200).json;
        assert_eq!(seen["id"], ana.id.as_str());
        send_with_bearer(cluster, &key, Method::PATCH, &format!("/api/users/{ANA}"), Some(json!({ "name": "Bot" }))).await.expect(200);
        let listed = ana.get(KEYS).await.expect(200);
        let one = &listed.json["keys"][0];
        assert_eq!((&one["id"], &one["name"], &one["scope"]), (&json!(id), &json!("Calendar bot"), &json!("write")));
        assert_eq!(one["prefix"].as_str(), key.rsplit_once('_').map(|(prefix, _)| prefix));
        assert!(one["last_used_at"].is_string() && one["expires_at"].is_null(), "{one}");
        assert!(!listed.text.contains(&key) && one.get("key").is_none(), "{one}");
        let kept: Vec<String> = rows::all_rows(cluster).await.into_iter().filter(|row| row.contains(&key[37..])).collect();
        assert_eq!(kept, Vec::<String>::new(), "the secret is nowhere");
    }

    async fn an_invalid_key_is_refused(cluster) {
        let ana = Account::register(cluster, ANA).await;
        let (_, key) = ana.key("write").await;
        let (other, _) = ana.key("write").await;
        let secret = &key[37..];
        let forged = [
            format!("{}0", &key[..key.len() - 1]).replace("00", "0a"),
            format!("w2m_{}_{secret}", other.replace('-', "")),
            key.to_uppercase(),
            key[..key.len() - 1].to_owned(),
            format!("{key}a"),
            "w2m_".to_owned(),
            format!("w2m_{}", "a".repeat(4096)),
            "w2m_' OR 1=1 --_x".replace(' ', ""),
        ];
        for forged in forged.iter().filter(|forged| **forged != key) {
            let refused = send_with_bearer(cluster, forged, Method::GET, "/api/auth/me", None).await;
            assert_eq!(refused.status, 401, "{forged}: {}", refused.text);
            assert!(!refused.text.contains(forged.as_str()));
        }
        let in_query = cluster.get(&format!("/api/auth/me?access_token={key}")).await;
        assert_eq!(in_query.status, 401);
        assert_eq!(me(cluster, &key).await, 200);
    }

    async fn invalid_requests_create_no_key(cluster) {
        let ana = Account::register(cluster, ANA).await;
        for (body, place) in [
            (json!({}), "#/name"),
            (json!({ "name": "" }), "#/name"),
            (json!({ "name": "x".repeat(101) }), "#/name"),
            (json!({ "name": "x", "scope": "all" }), "#/scope"),
            (json!({ "name": "x", "scope": "admin" }), "#/scope"),
            (json!({ "name": "x", "scope": null, "expires_at": "tomorrow" }), "#/expires_at"),
            (json!({ "name": "x", "expires_at": "2020-01-01T00:00:00Z" }), "#/expires_at"),
            (json!({ "name": "x", "more": 1 }), "#/more"),
        ] {
            let reply = ana.post(KEYS, body.clone()).await;
            reply.expect_problem("422 validation", KEYS, &body.to_string());
            assert_eq!(reply.pointers(), [place], "{body}");
        }
        assert_eq!(ana.get(KEYS).await.expect(200).json, json!({ "keys": [] }));
        for _ in 0..50 {
            ana.key("read").await;
        }
        assert_eq!(ana.post(KEYS, json!({ "name": "one more" })).await.expect(422).pointers(), ["#"]);
    }

    async fn the_number_of_keys_is_bounded_under_parallel_requests(cluster) {
        let ana = Account::register(cluster, ANA).await;
        join_all((0..45).map(|_| ana.key("read"))).await;
        let replies = join_all((0..20).map(|_| ana.post(KEYS, json!({ "name": "one more" })))).await;
        let statuses = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
        assert_eq!((statuses(201), statuses(422)), (5, 15));
        assert_eq!(ana.get(KEYS).await.expect(200).json["keys"].as_array().map(Vec::len), Some(50));
    }

    async fn a_key_does_not_delete_its_account(cluster) {
        let (ana, root) = (Account::verified(cluster, ANA).await, Account::verified(cluster, ROOT).await);
        promote(cluster, ROOT);
        let root = Account::login(cluster, &root.email, PASSWORD).await;
        for (account, scope) in [(&ana, "write"), (&root, "admin")] {
            let (_, key) = account.key(scope).await;
            for path in [format!("/api/users/{}", account.email), format!("/users/users/{}", account.email)] {
                let refused = send_with_bearer(cluster, &key, Method::DELETE, &path, None).await;
                assert_eq!(refused.status, 403, "{path}: {}", refused.text);
            }
            account.get("/api/auth/me").await.expect(200);
        }
        let (_, key) = root.key("admin").await;
        send_with_bearer(cluster, &key, Method::DELETE, &format!("/api/users/{ANA}"), None).await.expect(204);
    }

    async fn each_reason_to_refuse_a_token_has_its_own_sentence(cluster) {
        let ana = Account::register(cluster, ANA).await;
        let ((revoked_id, revoked), (expired_id, expired)) = (ana.key("read").await, ana.key("read").await);
        ana.delete(&format!("{KEYS}/{revoked_id}")).await.expect(204);
        rows::run_sql(cluster, "user", &format!(
            "UPDATE api_keys SET expires_at = '2020-01-01 00:00:00' WHERE id = '{expired_id}'")).await;
        let gone = Account::login(cluster, ANA, PASSWORD).await;
        cluster.post("/api/auth/logout", json!({ "refresh_token": gone.refresh })).await.expect(204);
        let headers = [
            expired.clone(), format!("Basic {expired}"), format!("Bearer {expired}"),
            format!("Bearer {revoked}"), format!("Bearer {}", &revoked[..20]), format!("Bearer {}", gone.token),
            "Bearer nonsense".to_owned(),
        ];
        let mut details = std::collections::HashSet::new();
        for header in &headers {
            let reply = cluster.send(Method::GET, "/api/auth/me", &[("authorization", header)], None).await.expect(401);
            assert_eq!(reply.json["type"], "/problems/invalid-token", "{header}");
            let detail = reply.json["detail"].as_str().unwrap_or_default().to_owned();
            assert!(details.insert(detail.clone()), "{header} has the sentence of another: {detail}");
        }
    }

    async fn a_key_is_limited_to_its_scope(cluster) {
        let ana = Account::verified(cluster, ANA).await;
        let (read, write) = (ana.key("read").await.1, ana.key("write").await.1);
        let mut rows = 0;
        let endpoints = public_endpoints();
        for rule in endpoints.iter().filter(|rule| !matches!(rule.access, Access::Open | Access::Capability)) {
            let by_session = knock(cluster, &ana.token, ANA, rule).await.status;
            let by_write = knock(cluster, &write, ANA, rule).await;
            let by_read = knock(cluster, &read, ANA, rule).await;
            let what = format!("{} {}: {by_session}, {}, {}", rule.method, rule.path, by_write.status, by_read.status);
            assert_eq!(by_session == 403, rule.access == Access::Admin, "{what}");
            let ends_account = rule.method == "DELETE" && rule.path == "/api/users/{user}";
            let never = matches!(rule.access, Access::Admin | Access::Person) || ends_account;
            assert_eq!(by_write.status == 403, never, "{what}");
            assert_eq!(by_read.status == 403, never || !asks(rule), "{what}");
            for refused in [by_write, by_read].iter().filter(|reply| reply.status == 403) {
                assert!(refused.text.contains("forbidden"), "{what}: {}", refused.text);
            }
            rows += 1;
        }
        assert!(rows > 30, "{rows} rows");
        // a question that would arrange something is none
        let ben = Account::verified(cluster, BEN).await;
        let week = json!({ "monday": ["00:00-24:00"] });
        for account in [&ana, &ben] {
            account.put(&format!("/api/users/{}/availability", account.email), week.clone()).await.expect(200);
        }
        let ask = |notify: bool| json!({ "organizer": ANA, "attendees": [ANA, BEN], "notify": notify, "week": next_week() });
        let only = send_with_bearer(cluster, &read, Method::POST, "/api/suggestions", Some(ask(false))).await;
        only.expect(200);
        let arranged = send_with_bearer(cluster, &read, Method::POST, "/api/suggestions", Some(ask(true))).await;
        assert_eq!(arranged.status, 403, "{}", arranged.text);
        assert_eq!(ana.get("/api/meetings").await.expect(200).json["meetings"], json!([]));
        send_with_bearer(cluster, &write, Method::POST, "/api/suggestions", Some(ask(true))).await.expect(200);
    }

    async fn an_admin_key_has_the_smaller_of_its_scope_and_the_rights_of_its_owner(cluster) {
        let root = Account::verified(cluster, ROOT).await;
        promote(cluster, ROOT);
        let root = Account::login(cluster, &root.email, PASSWORD).await;
        let (write, admin) = (root.key("write").await.1, root.key("admin").await.1);
        let list = async |key: &str| send_with_bearer(cluster, key, Method::GET, "/api/users", None).await.status;
        assert_eq!((list(&root.token).await, list(&write).await, list(&admin).await), (200, 403, 200));
        demote(cluster, ROOT);
        within(Duration::from_secs(15), "the key is an admin's no more", async || (list(&admin).await == 403).then_some(())).await;
        assert_eq!(me(cluster, &admin).await, 200);
    }

    async fn a_revoked_key_stops_and_others_go_on(cluster) {
        let (ana, ben) = (Account::register(cluster, ANA).await, Account::register(cluster, BEN).await);
        let ((id, key), (_, other)) = (ana.key("read").await, ana.key("read").await);
        assert_eq!((me(cluster, &key).await, me(cluster, &other).await), (200, 200));
        ben.delete(&format!("{KEYS}/{id}")).await.expect_problem("404 not-found", &format!("{KEYS}/{id}"), "another's");
        ana.delete(&format!("{KEYS}/{id}")).await.expect(204);
        let begin = Instant::now();
        // the owner of the accounts is asked again each time: it is over at once
        assert_eq!(me(cluster, &key).await, 401);
        eventually("the gateway has heard of it", async || (me(cluster, &key).await == 401).then_some(())).await;
        assert!(begin.elapsed() < Duration::from_secs(6));
        assert_eq!(me(cluster, &other).await, 200);
        ana.delete(&format!("{KEYS}/{id}")).await.expect(404);
        assert_eq!(ana.get(KEYS).await.expect(200).json["keys"].as_array().map(Vec::len), Some(1));
    }

    async fn a_key_ends_by_itself(cluster) {
        let ana = Account::register(cluster, ANA).await;
        let body = json!({ "name": "x", "expires_at": "2999-01-01T00:00:00Z" });
        let made = ana.post(KEYS, body).await.expect(201).json;
        let key = made["key"].as_str().expect("a key").to_owned();
        rows::run_sql(cluster, "user", "UPDATE api_keys SET expires_at = '2020-01-01 00:00:00'").await;
        assert_eq!(me(cluster, &key).await, 401);
        let shown: Value = ana.get(KEYS).await.expect(200).json["keys"][0]["expires_at"].clone();
        assert_eq!(shown, "2020-01-01T00:00:00Z");
    }
}

/// The dates of the week after next, as `week` takes them.
fn next_week() -> String {
    crate::support::meeting::next_monday().strftime("%G-W%V").to_string()
}
