//! Odd paths, methods, content types and sizes, most of them sent as raw bytes: all are refused with a complete problem.

use std::collections::BTreeSet;

use awc::http::Method;
use serde_json::json;

use crate::both_shapes;
use crate::support::{Client, Reply};

const USERS: &str = "/api/users";
const ANA: &str = "/api/users/ana@example.com";
const WEEK: &str = "/api/users/ana@example.com/availability";
const KIB: usize = 1 << 10;

const NOWHERE: &str = "404 not-found";
const UNKNOWN: &str = "404 unknown-user";
const BAD: &str = "400 bad-request";
const INVALID: &str = "422 validation";

/// The rows of a table that did not get their answer.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn check(&mut self, reply: &Reply, kind: &str, instance: &str, row: &str) {
        if let Err(why) = reply.check_problem(kind, instance) {
            self.0.push(format!("{row}: {why}"));
        }
    }

    #[track_caller]
    fn expect_none(self) {
        assert!(self.0.is_empty(), "{} rows:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// A POST or PUT whose body comes in chunks of 64 KiB, without a length.
async fn chunked(client: &Client, method: &str, path: &str, body: &[u8]) -> Reply {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nHost: w2meet.test\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.chunks(64 * KIB) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    client.send_bytes(&bytes).await
}

/// A user of exactly so many bytes of JSON, most of them blanks.
fn padded(email: &str, length: usize) -> Vec<u8> {
    let mut body = json!({ "email": email, "name": "Ana" }).to_string().into_bytes();
    let end = body.pop();
    body.resize(length - 1, b' ');
    body.extend(end);
    body
}

both_shapes! {
    async fn odd_paths_are_refused_and_never_confused(cluster) {
        cluster.register("ana@example.com", json!({ "monday": [9] })).await;
        let before = cluster.get(USERS).await.expect(200).text;
        let mut wrong = Wrong::default();
        for (segment, kind) in [
            ("a%2Fb@c.de", INVALID), ("%2F", INVALID), ("a%5Cb@c.de", INVALID), ("a%2fb%40c.de", INVALID), ("nobody", INVALID),
            ("..%2Fana@example.com", INVALID), ("%2e%2e%2fana@example.com", INVALID), ("a@b", INVALID), ("%40", INVALID),
            ("'%20OR%20'1'='1", INVALID), ("a@b.co';DROP%20TABLE%20users;--", INVALID), ("%E2%80%AEa@b.co", INVALID),
            ("a@b.co;v=1", INVALID), ("null", INVALID), ("health", INVALID), ("%20", INVALID),
            ("%00", BAD), ("a%00@b.co", BAD), ("a@b.co%0d%0a", BAD), ("a@b.co%0D%0AX-Injected:%201", BAD), ("%ff", BAD),
            ("%c0%af", BAD), ("%ed%a0%80", BAD), ("%zz", BAD), ("%", BAD), ("a%4", BAD), ("ana@example.com%", BAD),
            ("a%u0040b.co", BAD), ("%7f@b.co", BAD), ("%C2%85@b.co", BAD),
            ("a%2540x@b.co", UNKNOWN), ("ana%2540example.com@b.co", UNKNOWN), ("a'b@c.de", UNKNOWN), ("a%27--@c.de", UNKNOWN),
            ("..", NOWHERE), (".", NOWHERE), ("%2e%2e", NOWHERE), ("%2E", NOWHERE), ("/", NOWHERE),
            ("../users/ana@example.com", NOWHERE), ("/ana@example.com", NOWHERE), ("ana@example.com//", NOWHERE),
            ("ana@example.com/..", NOWHERE), ("ana@example.com/x", NOWHERE),
            ("ana@example.com//availability", NOWHERE), ("./ana@example.com", NOWHERE),
        ] {
            let path = format!("{USERS}/{segment}");
            let mut tries = vec![("GET", path.clone()), ("DELETE", path.clone())];
            if kind != NOWHERE {
                tries.push(("GET", format!("{path}/availability")));
            }
            for (method, path) in tries {
                let reply = cluster.send_head(method, &path, "").await;
                wrong.check(&reply, kind, &path, &format!("{method} {path}"));
                assert_eq!(reply.header("x-injected"), None, "{path}");
            }
        }
        for path in [
            "//api/users", "/api//users", "/api/../api/users", "/./api/users", "/api/./users", "/api%2Fusers",
            "/API/users", "/api/Users", "/api", "/api/nothing", "/nothing", "/suggestions", "/api/health//",
            "/api/users/ana@example.com/busy", "/metrics", "/admin", "/.env", "/api/users.json", "/index.html",
            "/internal/users/lookup", "/internal/availability/detail", "/api/internal/users/lookup",
            "/api/internal/availability/detail", "/api/../internal/users/lookup",
        ] {
            for (method, headers) in [("GET", ""), ("POST", "Content-Length: 0\r\nContent-Type: application/json\r\n")] {
                let reply = cluster.send_head(method, path, headers).await;
                wrong.check(&reply, NOWHERE, path, &format!("{method} {path}"));
            }
        }
        // escapes that need not be are the same path, or none; whatever comes speaks of the path that was asked for
        for path in ["/%61pi/users", "/api/%75sers", "/%61pi/users/ana@example.com", "/api/users/ana@example.com/%61vailability"] {
            let reply = cluster.send_head("GET", path, "").await;
            if reply.status != 200 {
                wrong.check(&reply, NOWHERE, path, path);
            }
        }
        // what no URI may hold at all never reaches the API, and never kills it
        for path in [&b"/api/users/\xff"[..], b"/api/users/\xc3\xa9@b.co", b"/api/users/a b@c.de", b"/api/users/a\x00b", b"/\x7f", b"*"] {
            let line = [b"GET ", path, b" HTTP/1.1\r\nHost: w2meet.test\r\nConnection: close\r\n\r\n"].concat();
            let status = cluster.send_bytes(&line).await.status;
            assert!((400..500).contains(&status), "{}: {status}", String::from_utf8_lossy(path));
        }
        assert_eq!(cluster.get(USERS).await.expect(200).text, before, "nobody came, and nobody went");
        wrong.expect_none();
        cluster.expect_calm().await;
    }

    async fn a_slash_at_the_end_makes_no_other_path(cluster) {
        cluster.register("ana@example.com", json!({ "monday": [9] })).await;
        for path in [USERS, ANA, WEEK, "/api/health", "/docs", "/livez"] {
            let (one, other) = (cluster.get(path).await, cluster.get(&format!("{path}/")).await);
            assert_eq!((one.status, other.status), (200, 200), "{path}");
        }
        assert_eq!(cluster.get(&format!("{USERS}/?limit=0")).await.expect(422).pointers(), ["#/limit"], "the query stays");
        cluster.patch(&format!("{ANA}/"), json!({ "name": "Anna" })).await.expect(200);
        assert_eq!(cluster.get(ANA).await.expect(200).json["name"], "Anna");
        cluster.get("/api/nothing/").await.expect_problem("404 not-found", "/api/nothing", "a slash");
        cluster.expect_calm().await;
    }

    async fn options_is_answered_with_the_allowed_methods(cluster) {
        for (path, allowed) in [(USERS, "GET, HEAD, POST, OPTIONS"), ("/api/health", "GET, HEAD, OPTIONS"), ("/worker/tasks", "POST, OPTIONS")] {
            let reply = cluster.send_head("OPTIONS", path, "").await;
            assert_eq!((reply.status, reply.header("allow"), &*reply.text), (204, Some(allowed), ""), "{path}");
        }
        cluster.send_head("OPTIONS", "/api/nothing", "").await.expect_problem("404 not-found", "/api/nothing", "OPTIONS");
    }

    async fn an_unknown_method_gets_405_with_the_allowed_methods(cluster) {
        let mut wrong = Wrong::default();
        for (path, allowed) in [
            (USERS, "GET, HEAD, POST, OPTIONS"), (ANA, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"), (WEEK, "GET, HEAD, PUT, OPTIONS"),
            ("/api/availability", "GET, HEAD, POST, OPTIONS"), ("/api/suggestions", "GET, HEAD, POST, OPTIONS"),
            ("/api/health", "GET, HEAD, OPTIONS"), ("/health", "GET, HEAD, OPTIONS"), ("/", "GET, HEAD, OPTIONS"),
            ("/livez", "GET, HEAD, OPTIONS"),
        ] {
            let names = |list: &str| list.split(',').map(|name| name.trim().to_owned()).collect::<BTreeSet<_>>();
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get"] {
                if names(allowed).contains(method) {
                    continue;
                }
                let reply = cluster.send_head(method, path, "").await;
                wrong.check(&reply, "405 method-not-allowed", path, &format!("{method} {path}"));
                let allow = reply.header("allow").map(names).unwrap_or_default();
                if allow != names(allowed) {
                    wrong.0.push(format!("{method} {path}: {allow:?} are allowed, not {allowed}"));
                }
            }
        }
        wrong.expect_none();
        cluster.expect_calm().await;
    }

    async fn only_json_in_utf8_with_its_content_type_is_read(cluster) {
        cluster.register("ana@example.com", json!({ "monday": [9] })).await;
        let before = cluster.get(USERS).await.expect(200).text;
        let mut wrong = Wrong::default();
        let merge = "application/merge-patch+json";
        for content_type in [
            "", "text/plain", "text/json", "application/jsonp", "application/json5", "application/problem+json", merge,
            "application/vnd.api+json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "*/*", "json",
            "application/json; charset=latin1", "application/json; charset=utf-16", "application/json;charset=\"ISO-8859-1\"",
            "application/xml",
        ] {
            for (method, path, body) in [
                (Method::POST, USERS, json!({ "email": "new@example.com", "name": "New" })),
                (Method::PATCH, ANA, json!({ "name": "New" })), (Method::PUT, WEEK, json!({ "sunday": [1] })),
                (Method::POST, "/api/availability", json!({ "attendees": ["ana@example.com", "ana@example.com"] })),
                (Method::POST, "/api/suggestions", json!({ "attendees": ["ana@example.com", "ana@example.com"] })),
            ] {
                if method == Method::PATCH && content_type == merge {
                    continue;
                }
                let headers = [("content-type", content_type)];
                let headers = if content_type.is_empty() { &[][..] } else { &headers };
                let reply = cluster.send(method.clone(), path, headers, Some(body.to_string().into_bytes())).await;
                wrong.check(&reply, "415 unsupported-media", path, &format!("{method} {path} {content_type:?}"));
            }
        }
        for encoding in ["gzip", "br", "deflate", "zstd", "x"] {
            let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
            let reply = cluster.send(Method::PUT, WEEK, &headers, Some(b"{}".to_vec())).await;
            wrong.check(&reply, "415 unsupported-media", WEEK, encoding);
        }
        assert_eq!(cluster.get(USERS).await.expect(200).text, before, "nothing is stored");
        for content_type in ["application/json", "Application/JSON", "application/json; charset=UTF-8", "application/json ;charset=\"utf-8\"", "application/json;charset=utf8"] {
            let body = Some(br#"{"sunday":[1]}"#.to_vec());
            let reply = cluster.send(Method::PUT, WEEK, &[("content-type", content_type)], body).await;
            assert_eq!(reply.status, 200, "{content_type}");
        }
        wrong.expect_none();
        cluster.expect_calm().await;
    }

    async fn a_body_may_be_so_large_and_no_larger_declared_or_not(cluster) {
        let mut wrong = Wrong::default();
        let most = 256 * KIB;
        for (at, length) in [most, most - 1, 65 * KIB, 64 * KIB].into_iter().enumerate() {
            let headers = [("content-type", "application/json")];
            let body = padded(&format!("declared{at}@example.com"), length);
            cluster.send(Method::POST, USERS, &headers, Some(body)).await.expect(201);
            chunked(cluster, "POST", USERS, &padded(&format!("chunked{at}@example.com"), length)).await.expect(201);
        }
        for length in [most + 1, most + 64 * KIB, 1024 * KIB, 8 * 1024 * KIB] {
            let body = padded("large@example.com", length);
            let head = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
            let mut declared = format!("POST {USERS} HTTP/1.1\r\nHost: w2meet.test\r\nConnection: close\r\n{head}\r\n").into_bytes();
            declared.extend_from_slice(&body);
            for (row, reply) in [
                ("declared", cluster.send_bytes(&declared).await),
                ("declared and not sent", cluster.send_head("POST", USERS, &head).await),
                ("chunked", chunked(cluster, "POST", USERS, &body).await),
            ] {
                wrong.check(&reply, "413 too-large", USERS, &format!("{length} bytes, {row}"));
            }
        }
        for path in [ANA, WEEK] {
            let reply = chunked(cluster, if path == WEEK { "PUT" } else { "PATCH" }, path, &padded("x@b.co", most + 1)).await;
            wrong.check(&reply, "413 too-large", path, path);
        }
        // lists of attendees may be longer
        let (list, most) = (json!({ "attendees": ["nobody@example.com", "noone@example.com"] }).to_string(), 4096 * KIB);
        for path in ["/api/availability", "/api/suggestions"] {
            for (length, kind) in [(most, UNKNOWN), (most + 1, "413 too-large")] {
                let mut body = list.clone().into_bytes();
                body.resize(length, b' ');
                let headers = [("content-type", "application/json")];
                let declared = cluster.send(Method::POST, path, &headers, Some(body.clone())).await;
                wrong.check(&declared, kind, path, &format!("{length} bytes"));
                wrong.check(&chunked(cluster, "POST", path, &body).await, kind, path, &format!("{length} bytes, chunked"));
            }
        }
        // an address that is too long: one of the layers refuses it, and the next request gets a response
        let long = cluster.send_head("GET", &format!("{USERS}?cursor={}", "x".repeat(KIB * KIB)), "").await;
        assert!((400..500).contains(&long.status), "{long:?}");
        let users = cluster.get("/api/users?limit=200").await.expect(200).json;
        assert_eq!(users["users"].as_array().map(Vec::len), Some(8), "none of the large ones is stored");
        wrong.expect_none();
        cluster.expect_calm().await;
    }
}
