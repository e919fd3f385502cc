//! Timeouts and size limits: clients that stop sending, roles that hang, and responses that would be too long.

use std::time::{Duration, Instant};

use awc::http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::both_shapes;
use crate::support::Cluster;
use crate::support::raw_http::parse_replies;

#[actix_web::test]
async fn a_body_that_stops_arriving_gets_a_408() {
    let cluster = Cluster::all_with(&[("W2MEET_LIMITS__BODY_SECONDS", "1")]).await;
    let json = "Content-Type: application/json\r\n";
    for (target, length) in [("/api/users", 100), ("/users/users", 100)] {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{json}Content-Length: {length}\r\n\r\n{{"
        );
        let begin = Instant::now();
        let reply = cluster.send_bytes(head.as_bytes()).await;
        assert_eq!(reply.status, 408, "{target}: {}", reply.text);
        assert!(!reply.json["detail"].is_null(), "{target}: {}", reply.text);
        assert!(begin.elapsed() < Duration::from_secs(5), "{target}: {:?}", begin.elapsed());
    }
}

#[actix_web::test]
async fn half_a_head_behind_a_request_is_cut_like_any_other() {
    let cluster = Cluster::all().await;
    let get = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let post =
        "POST /api/availability HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let cut = async |whole: String, statuses: &[u16]| {
        let address = cluster.base().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(format!("{whole}GET /livez HTTP/1.1\r\nHost:").as_bytes()).await.expect("it is sent");
        let (begin, mut heard) = (Instant::now(), Vec::new());
        timeout(Duration::from_secs(9), stream.read_to_end(&mut heard)).await.expect("it is cut").expect("and closed");
        let found: Vec<u16> = parse_replies(&heard).iter().map(|reply| reply.status).collect();
        assert_eq!(found, statuses, "{whole}");
        assert!(begin.elapsed() >= Duration::from_secs(4), "{whole}: {:?}", begin.elapsed());
    };
    futures_util::join!(
        cut(get.to_owned(), &[200, 408]),
        cut(format!("{get}{get}"), &[200, 200, 408]),
        cut(post.to_owned(), &[422, 408]),
    );
}

#[actix_web::test]
async fn a_504_names_the_role_that_hangs_over_any_number_of_hops() {
    let cluster = Cluster::split_with(&[("W2MEET_LIMITS__CALL_SECONDS", "1")]).await;
    for who in ["ana@example.com", "ben@example.com"] {
        cluster.register(who, json!({ "monday": [9] })).await;
    }
    let user = cluster.nodes_of("user")[0];
    user.signal("STOP");
    for path in ["suggestions", "availability"] {
        let path = format!("/api/{path}?attendee=ana@example.com&attendee=ben@example.com");
        let reply = cluster.get(&path).await.expect(504);
        assert_eq!(reply.json["upstream"], "user", "{}", reply.text);
        assert!(reply.header("retry-after").is_some());
    }
    user.signal("CONT");
}

both_shapes! {
    async fn a_response_or_a_url_that_is_too_long_is_refused(cluster) {
        let many: Vec<String> = (0..2000).map(|at| format!("p{at}@example.com")).collect();
        let asked = cluster.post("/api/suggestions", json!({ "attendees": many, "limit": 51 })).await.expect(422);
        assert_eq!(asked.json["errors"][0]["pointer"], "#/limit", "{}", asked.text);
        cluster.post("/api/suggestions", json!({ "attendees": many, "limit": 50 })).await.expect(404);
        let long = format!("/api/users?x={}", "a".repeat(9000));
        assert_eq!(cluster.get(&long).await.expect(414).json["type"], "/problems/uri-too-long");
    }

    async fn head_has_the_response_of_get_without_a_body(cluster) {
        cluster.register("ana@example.com", json!({ "monday": [9] })).await;
        for path in ["/", "/livez", "/readyz", "/api/health", "/api/users/ana@example.com"] {
            let (get, head) = (cluster.get(path).await, cluster.send(Method::HEAD, path, &[], None).await);
            assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
            assert_eq!(head.header("etag"), get.header("etag"), "{path}");
        }
    }
}
