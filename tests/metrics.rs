//! Metrics: what the admin listener reports, and that no client can create series.

use std::collections::BTreeMap;

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::json;

use crate::both_shapes;
use crate::support::meeting::{ANA, BEN, create_meeting, register_morning_people, wait_for_status};
use crate::support::upstream::{closed_port_url, serve_connections, start_gateway};
use crate::support::{Client, Cluster, eventually};

/// Every role that runs serves its metrics.
const WATCHED: &[(&str, &str)] = &[
    ("W2MEET_GATEWAY__ADMIN_LISTEN", "127.0.0.1:0"),
    ("W2MEET_USER__ADMIN_LISTEN", "127.0.0.1:0"),
    ("W2MEET_RESERVATION__ADMIN_LISTEN", "127.0.0.1:0"),
    ("W2MEET_AVAILABILITY__ADMIN_LISTEN", "127.0.0.1:0"),
    ("W2MEET_SUGGESTION__ADMIN_LISTEN", "127.0.0.1:0"),
    ("W2MEET_WORKER__ADMIN_LISTEN", "127.0.0.1:0"),
];

/// The series of a page, each with its value.
type Page = BTreeMap<String, f64>;

async fn page(admin: &Client) -> Page {
    let reply = admin.get("/metrics").await.expect(200);
    assert!(reply.header("content-type").is_some_and(|it| it.starts_with("application/openmetrics-text")));
    assert!(reply.text.ends_with("# EOF\n"), "{}", reply.text);
    let series = reply.text.lines().filter(|line| !line.starts_with('#'));
    let parted = series.map(|line| line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}")));
    parted.map(|(name, value)| (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{name}: {value}")))).collect()
}

/// The sum of all series whose names begin like this and hold all of these.
fn sum(page: &Page, name: &str, labels: &[&str]) -> f64 {
    let is_it = |series: &str| series.split('{').next() == Some(name) && labels.iter().all(|it| series.contains(it));
    page.iter().filter(|(series, _)| is_it(series)).map(|(_, value)| value).sum()
}

fn admin(cluster: &Cluster, role: &str) -> Client {
    cluster.nodes_of(role)[0].admin(role)
}

both_shapes! {
    with WATCHED;

    async fn each_request_is_counted_by_its_route_and_not_by_its_path(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        cluster.get("/api/users/ana@example.com").await.expect(200);
        cluster.get("/api/users/nobody@example.com").await.expect(404);
        cluster.send(Method::HEAD, "/api/users/ana@example.com", &[], None).await.expect(200);
        cluster.get("/api/suggestions?attendee=ana@example.com&attendee=ben@example.com").await.expect(200);
        cluster.delete("/api/suggestions").await.expect(405);
        cluster.get("/what/is/this").await.expect(404);

        let gateway = page(&admin(cluster, "gateway")).await;
        let count = |method: &str, route: &str, status: &str| {
            let labels = [r#"role="gateway""#, &format!("method=\"{method}\""), &format!("route=\"{route}\""), &format!("status=\"{status}\"")];
            sum(&gateway, "http_request_duration_seconds_count", &labels)
        };
        assert_eq!(count("POST", "/api/users", "201"), 2.0);
        assert_eq!(count("GET", "/api/users/{user}", "200"), 1.0);
        assert_eq!(count("GET", "/api/users/{user}", "404"), 1.0);
        assert_eq!(count("HEAD", "/api/users/{user}", "200"), 1.0);
        assert_eq!(count("DELETE", "/api/suggestions", "405"), 1.0);
        assert_eq!(count("GET", "unmatched", "404"), 1.0);
        assert!(gateway.keys().all(|series| !series.contains("nobody") && !series.contains("/what")));

        let slowest = sum(&gateway, "http_request_duration_seconds_bucket", &[r#"route="/api/users""#, r#"role="gateway""#, "le=\"+Inf\""]);
        assert_eq!(slowest, 2.0, "all buckets are in the last one");
        let seconds = sum(&gateway, "http_request_duration_seconds_sum", &[r#"route="/api/users""#]);
        assert!(seconds > 0.0 && seconds < 20.0, "{seconds}");
        assert_eq!(sum(&gateway, "http_requests_in_flight", &[r#"role="gateway""#]), 0.0);
        assert_eq!(sum(&gateway, "w2meet_build_info", &[env!("CARGO_PKG_VERSION")]), 1.0);
        assert!(sum(&gateway, "process_resident_memory_bytes", &[]) > 1e6);

        let suggested = page(&admin(cluster, "suggestion")).await;
        // two replicas take turns: whichever this one is
        assert!(sum(&suggested, "http_requests_in_flight", &[r#"role="suggestion""#]) == 0.0);
    }

    async fn calls_lookups_and_jobs_are_counted_at_their_role(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_meeting(cluster, json!({})).await;
        wait_for_status(cluster, &meeting, &["invited"]).await;
        let reservation = admin(cluster, "reservation");
        let page_of_reservation = eventually("the jobs are counted", async || {
            let page = page(&reservation).await;
            let done = sum(&page, "w2meet_jobs_total", &[r#"kind="send_invitations""#, r#"state="succeeded""#]);
            (done > 0.0).then_some(page)
        })
        .await;
        let jobs = |state: &str| {
            let labels = [r#"kind="schedule_meeting""#, &format!("state=\"{state}\"")];
            sum(&page_of_reservation, "w2meet_jobs_total", &labels)
        };
        assert_eq!([jobs("queued"), jobs("running"), jobs("succeeded"), jobs("dead")], [1.0, 1.0, 1.0, 0.0]);
        let page_of_user = page(&admin(cluster, "user")).await;
        assert!(sum(&page_of_user, "w2meet_cache_requests_total", &[r#"result="hit""#]) >= 2.0);
        eventually("nothing waits any more", async || {
            let page = page(&reservation).await;
            let known = page.contains_key("w2meet_jobs_dead") && page.contains_key("w2meet_job_queue_age_seconds");
            (known && page.get("w2meet_outbox_pending") == Some(&0.0)).then_some(())
        })
        .await;
        let gateway = page(&admin(cluster, "gateway")).await;
        let answered = [r#"upstream="user""#, r#"outcome="answered""#, "replica=\"127.0.0.1:"];
        assert!(sum(&gateway, "w2meet_upstream_requests_total", &answered) >= 2.0);
        assert_eq!(sum(&gateway, "w2meet_upstream_ejected", &[]), 0.0);
    }

    async fn metrics_and_probes_have_a_listener_of_their_own(cluster) {
        cluster.get("/metrics").await.expect(404);
        for role in ["gateway", "user", "reservation", "availability", "suggestion", "worker"] {
            let node = cluster.nodes_of(role)[0];
            node.client(role).get("/metrics").await.expect(404);
            let admin = node.admin(role);
            assert_eq!(admin.get("/livez").await.expect(200).text, "ok\n");
            assert_eq!(admin.get("/readyz").await.expect(200).text, "ok\n");
            admin.get("/api/users").await.expect(404);
            admin.get("/users").await.expect(404);
            admin.get("/health").await.expect(404);
        }
    }

    async fn no_stranger_makes_a_series(cluster) {
        register_morning_people(cluster, &[ANA]).await;
        let attack = async |count: usize| {
            let word = || format!("{:016x}", rand::random::<u64>());
            for at in (0..count).step_by(50) {
                let requests = (at..at + 50).map(async |at| {
                    let (method, path) = match at % 5 {
                        0 => (word(), format!("/{}/{}", word(), word())),
                        1 => ("GET".to_owned(), format!("/api/users/{}@example.com", word())),
                        2 => (word(), format!("/api/users/{}@example.com", word())),
                        3 => ("POST".to_owned(), format!("/{}?{}", word(), word())),
                        _ => ("GET".to_owned(), format!("/api/meetings/{}", word())),
                    };
                    let method = Method::from_bytes(method.as_bytes()).expect("a token");
                    cluster.send(method, &path, &[], None).await.status
                });
                assert!(join_all(requests).await.iter().all(|status| *status < 500));
            }
        };
        attack(500).await;
        let names = async |role: &str| page(&admin(cluster, role)).await.into_keys().collect::<Vec<_>>();
        let before = (names("gateway").await, names("user").await);
        attack(10_000).await;
        let after = (names("gateway").await, names("user").await);
        assert_eq!(before, after);
        assert!(before.0.iter().any(|series| series.contains("method=\"_OTHER\"") && series.contains("unmatched")));
    }
}

#[actix_web::test]
async fn a_missing_replica_is_counted_as_ejected_and_its_calls_as_unsent() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let here = serve_connections(move |mut stream| async move {
        while crate::support::upstream::read_head(&mut stream).await.is_some() {
            if tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.is_err() {
                return;
            }
        }
    });
    let gone = closed_port_url();
    // without probes: what ejects it are the calls
    let both = format!("{here},{gone}");
    let settings = [
        ("W2MEET_GATEWAY__ADMIN_LISTEN", "127.0.0.1:0"),
        ("W2MEET_BALANCE__PROBE_MS", "0"),
        ("W2MEET_BALANCE__HEDGE_MS", "0"),
    ];
    let node = start_gateway(&both, &settings);
    let client = node.client("gateway");
    for _ in 0..20 {
        client.get("/api/users/ana@example.com").await.expect(200);
    }
    let page = page(&node.admin("gateway")).await;
    let replica = |base: &str| format!("replica=\"{}\"", base.trim_start_matches("http://"));
    let calls = |base: &str, outcome: &str| {
        sum(&page, "w2meet_upstream_requests_total", &[&replica(base), &format!("outcome=\"{outcome}\"")])
    };
    assert_eq!((calls(&here, "answered"), calls(&gone, "answered")), (20.0, 0.0));
    assert_eq!(calls(&gone, "unsent"), 3.0, "three failures in a row, and nobody asks it any more");
    assert_eq!(sum(&page, "w2meet_retries_total", &[r#"reason="unsent""#]), 3.0);
    let ejected = |base: &str| sum(&page, "w2meet_upstream_ejected", &[r#"upstream="user""#, &replica(base)]);
    assert_eq!((ejected(&here), ejected(&gone)), (0.0, 1.0));
}
