//! The log: the start and the end of each request, its calls and cache look-ups, all under its Case-ID.

use std::io::{Read, Write};
use std::net::TcpStream;

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::cluster::Sandbox;
use crate::support::{Cluster, Node, Reply, eventually};

const ASK: &str = "/api/suggestions?attendee=ana@example.com&attendee=ben@example.com";

async fn two_people(cluster: &Cluster) {
    cluster.register("ana@example.com", json!({ "monday": [9, 10] })).await;
    cluster.register("ben@example.com", json!({ "monday": [10, 11] })).await;
}

async fn send_as(cluster: &Cluster, case: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
    let headers = [("case-id", case), ("content-type", "application/json")];
    cluster.send(method, path, &headers, body.map(|body| body.to_string().into_bytes())).await
}

/// Every line of a case, of every process, in the order of their times, once each of these roles has told the end of its
/// part: each process writes its lines when it likes.
async fn lines_of(cluster: &Cluster, case: &str, roles: &[&str]) -> Vec<Value> {
    eventually("each role tells the end of the request", async || {
        let mut lines = cluster.log();
        lines.retain(|line| line["case_id"] == case);
        lines.sort_by_key(|line| line["at"].as_str().map(str::to_owned));
        let done =
            |role: &&str| lines.iter().any(|line| line["message"] == "request completed" && line["role"] == **role);
        roles.iter().all(done).then_some(lines)
    })
    .await
}

/// What these lines say under these names, for the lines with this message.
fn response<'a>(lines: &'a [Value], message: &str, names: [&str; 2]) -> Vec<[&'a str; 2]> {
    let output = lines.iter().filter(|line| line["message"] == message);
    output.map(|line| names.map(|name| line[name].as_str().unwrap_or("?"))).collect()
}

both_shapes! {
    async fn one_case_id_finds_the_whole_path_of_a_request(cluster) {
        two_people(cluster).await;
        let answer = send_as(cluster, "trace-42", Method::GET, ASK, None).await.expect(200);
        assert_eq!(answer.header("case-id"), Some("trace-42"));
        let path = ["gateway", "suggestion", "availability", "user"];
        let lines = lines_of(cluster, "trace-42", &path).await;

        let first = &lines[0];
        assert_eq!((&first["message"], &first["role"]), (&json!("request started"), &json!("gateway")));
        let calls = response(&lines, "call answered", ["role", "callee"]);
        assert_eq!(calls, [["availability", "user"], ["suggestion", "availability"], ["gateway", "suggestion"]]);
        let ends = response(&lines, "request completed", ["role", "method"]);
        let roles: Vec<&str> = ends.iter().rev().map(|[role, _]| *role).collect();
        assert_eq!(roles, path);

        // the caller waits for the callee
        let times: Vec<f64> = path.iter().map(|role| {
            let end = lines.iter().find(|line| line["message"] == "request completed" && line["role"] == *role);
            end.and_then(|line| line["ms"].as_f64()).expect("a time")
        }).collect();
        assert!(times.is_sorted_by(|outer, inner| outer > inner), "{times:?}");
        for call in lines.iter().filter(|line| line["message"] == "call answered") {
            assert_eq!(call["status"], 200, "{call}");
            assert!(call["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{call}");
            assert!(call["method"].is_string() && call["path"].is_string(), "{call}");
        }
        let looked_up = lines.iter().find(|line| line["message"] == "cache hit").expect("a look-up");
        let keys = looked_up["key"].as_str().unwrap_or_default();
        assert!(keys.contains("ana@example.com") && keys.contains("ben@example.com"), "{looked_up}");
        assert_eq!(looked_up["role"], "user");
    }

    async fn a_request_has_one_line_for_its_beginning_and_one_for_its_end(cluster) {
        two_people(cluster).await;
        let asked = [
            ("one", Method::GET, "/api/users/ana@example.com", None, 200),
            ("two", Method::GET, "/api/users/nobody@example.com", None, 404),
            ("three", Method::POST, "/api/users", Some(json!({ "email": "x" })), 422),
            ("four", Method::POST, "/api/users/ana@example.com", None, 405),
            ("five", Method::GET, "/nothing/here", None, 404),
            ("six", Method::DELETE, "/api/users/ben@example.com", None, 204),
        ];
        for (case, method, path, body, status) in asked {
            send_as(cluster, case, method.clone(), path, body).await.expect(status);
            let mut lines = lines_of(cluster, case, &["gateway"]).await;
            lines.retain(|line| line["role"] == "gateway");
            let of = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
            let (begin, end) = (of("request started"), of("request completed"));
            assert_eq!((begin.len(), end.len()), (1, 1), "{lines:?}");
            for line in [begin[0], end[0]] {
                assert_eq!((&line["method"], &line["path"]), (&json!(method.as_str()), &json!(path)));
            }
            assert_eq!(end[0]["status"], status);
            assert!(end[0]["ms"].as_f64().is_some_and(|ms| ms > 0.0));
        }
    }

    async fn cache_hits_and_misses_are_logged_with_their_keys(cluster) {
        two_people(cluster).await;
        let looked_up = async |case: &str, email: &str| {
            send_as(cluster, case, Method::GET, &format!("/api/users/{email}"), None).await;
            lines_of(cluster, case, &["gateway", "user"]).await
        };
        let hit = looked_up("hit", "ana@example.com").await;
        assert!(response(&hit, "cache hit", ["role", "key"])[0][1].contains("ana@example.com"), "{hit:?}");
        let miss = looked_up("miss", "nobody@example.com").await;
        assert!(response(&miss, "cache miss", ["role", "key"])[0][1].contains("nobody@example.com"), "{miss:?}");
        let again = looked_up("again", "nobody@example.com").await;
        assert_eq!(response(&again, "cache hit", ["role", "key"]).len(), 1, "{again:?}");
        assert_eq!(response(&again, "cache miss", ["role", "key"]).len(), 0, "{again:?}");
    }

    async fn every_line_of_a_request_names_its_case_and_role(cluster) {
        two_people(cluster).await;
        let before: Vec<usize> = cluster.nodes.iter().map(|node| node.log().len()).collect();
        let many: Vec<String> = (0..20).map(|at| format!("person{at}@example.com")).collect();
        let asked = [
            (Method::GET, ASK, None, 200),
            (Method::POST, "/api/availability", Some(json!({ "attendees": many })), 404),
            (Method::PATCH, "/api/users/ana@example.com", Some(json!({ "name": "A" })), 200),
            (Method::POST, "/api/users", Some(json!({ "email": "ana@example.com", "name": "A" })), 409),
            (Method::GET, "/api/users?limit=1", None, 200),
            (Method::GET, "/api/health", None, 200),
        ];
        for (at, (method, path, body, status)) in asked.into_iter().enumerate() {
            let case = format!("case-{at}");
            send_as(cluster, &case, method, path, body).await.expect(status);
            lines_of(cluster, &case, &["gateway", "user"]).await;
        }
        let mut seen = 0;
        for (node, before) in cluster.nodes.iter().zip(before) {
            for line in node.log().split_off(before) {
                assert!(line["case_id"].is_string(), "{line}");
                assert!(line["role"] == node.roles.as_str() || node.roles == "all" && line["role"].is_string(), "{line}");
                seen += usize::from(line["case_id"].as_str().is_some_and(|case| case.starts_with("case-")));
            }
        }
        assert!(seen > 30, "{seen}");
    }
}

#[actix_web::test]
async fn a_failed_call_is_logged_with_its_callee_and_duration() {
    let space = Sandbox::new();
    let mut env = space.env();
    env.push(("W2MEET_QUEUE__URL".into(), "amqp://127.0.0.1:9".into()));
    for role in ["USER", "RESERVATION", "AVAILABILITY", "SUGGESTION"] {
        env.push((format!("W2MEET_UPSTREAMS__{role}"), "http://127.0.0.1:9".into()));
    }
    let node = Node::start("gateway", &env);
    let gateway = node.client("gateway");
    gateway.send(Method::GET, "/api/users/a@b.example", &[("cid", "lost")], None).await.expect(503);
    let line = node.wait_for("that the call failed", |line| line["message"] == "call failed");
    assert_eq!((&line["callee"], &line["case_id"], &line["role"]), (&json!("user"), &json!("lost"), &json!("gateway")));
    assert!(line["ms"].is_number() && line["error"].is_string(), "{line}");
}

/// Requests made to write into the log what is not true.
fn send_forgeries(address: &str) {
    let body = r#"{"email":"x\n{\"forged\":1}\u001b[31m@y","name":"\nFORGED","\nFORGED ERROR":1,"availability":{"\nFORGED":[1]}}"#;
    let length = body.len();
    let requests = [
        "GET /api/users/x\"},{\"forged\":1} HTTP/1.1\r\n".to_owned(),
        "GET /%0d%0aFORGED%0a{\"forged\":1} HTTP/1.1\r\n".to_owned(),
        "GET /\x1b[31m HTTP/1.1\r\n".to_owned(),
        "GET /api/users?limit=%0aFORGED&cursor=\"forged\" HTTP/1.1\r\n".to_owned(),
        "GET /livez HTTP/1.1\r\ncase-id: x\",\"forged\":\"1\r\n".to_owned(),
        "GET /livez HTTP/1.1\r\ncid: {\"forged\":1}\r\nx-request-id: \tFORGED\r\n".to_owned(),
        "\"forged\":1 /livez HTTP/1.1\r\n".to_owned(),
        format!("POST /api/users HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"),
    ];
    for (at, request) in requests.iter().enumerate() {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let body = if at == requests.len() - 1 { body } else { "" };
        write!(stream, "{request}host: w2meet\r\nconnection: close\r\n\r\n{body}").expect("it reads");
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        assert!(answer.starts_with("HTTP/1.1"), "{request}: {answer:?}");
    }
}

#[actix_web::test]
async fn requests_cannot_forge_json_log_lines() {
    let cluster = Cluster::all().await;
    send_forgeries(cluster.base().trim_start_matches("http://"));
    send_as(&cluster, "last", Method::GET, "/livez", None).await.expect(200);
    lines_of(&cluster, "last", &["gateway"]).await;
    let output = cluster.nodes[0].log_text();
    assert!(output.contains("forged"), "nothing was tried: {output}");
    for line in output.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line:?}"));
        assert!(line.get("forged").is_none(), "{line}");
        let tidy = |case: &str| case.chars().all(|c| c.is_ascii_alphanumeric() || "._~-".contains(c));
        assert!(line["case_id"].as_str().is_none_or(tidy), "{line}");
    }
    assert!(!output.contains('\u{1b}'), "an escape sequence got through");
}

#[actix_web::test]
async fn requests_cannot_forge_text_log_lines() {
    let space = Sandbox::new();
    let mut env = space.env();
    env.push(("W2MEET_LOG__FORMAT".into(), "text".into()));
    let node = Node::spawn("all", &env);
    let address = eventually("it listens", async || {
        let output = node.log_text();
        output.lines().any(|line| line.contains(" ready")).then_some(())?;
        let line = output.lines().find(|line| line.contains("listening") && line.contains("gateway"))?.to_owned();
        Some(line.split_once("address=")?.1.split_whitespace().next()?.to_owned())
    })
    .await;
    send_forgeries(&address);
    let output = eventually("the last forgery is told", async || {
        let output = node.log_text();
        output.lines().any(|line| line.contains("completed") && line.contains("422")).then_some(output)
    })
    .await;
    for line in output.lines() {
        assert!(!line.trim_start().starts_with("FORGED") && !line.trim_start().starts_with('{'), "{line:?}");
    }
    assert!(!output.contains('\u{1b}'), "an escape sequence got through");
}
