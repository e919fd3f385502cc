//! Traces: one id from a request to the last work for it, over HTTP, the queue and the callback; and their export.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use awc::http::Method;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::both_shapes;
use crate::callbacks::{serve_tls, tls_server};
use crate::support::collector::{Collector, Span};
use crate::support::meeting::{ANA, BEN, meeting_body, register_morning_people, wait_for_status};
use crate::support::shell::TextFile;
use crate::support::upstream::{closed_port_url, read_head, serve_connections};
use crate::support::{Cluster, Reply, Shape, eventually};

/// Webhooks may come to this machine.
const LOCAL_WEBHOOKS: &[(&str, &str)] =
    &[("W2MEET_WEBHOOKS__ALLOW_HTTP", "true"), ("W2MEET_WEBHOOKS__ALLOW_NETWORKS", "127.0.0.1")];
/// The span of a client that calls.
const OUTSIDE: &str = "00f067aa0ba902b7";
const ROLES: [&str; 6] = ["gateway", "user", "reservation", "availability", "suggestion", "worker"];

/// A trace that begins outside, and its traceparent.
fn outside(sampled: bool) -> (String, String) {
    let id = format!("{:032x}", rand::random_range(1..=u128::MAX));
    let traceparent = format!("00-{id}-{OUTSIDE}-0{}", u8::from(sampled));
    (id, traceparent)
}

async fn ask(cluster: &Cluster, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Reply {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers);
    cluster.send(method, path, &all, body.map(|body| body.to_string().into_bytes())).await
}

/// A receiver of webhooks that keeps the heads of what comes.
fn receiver() -> (String, std::rc::Rc<std::cell::RefCell<Vec<String>>>) {
    let heads = std::rc::Rc::<std::cell::RefCell<Vec<String>>>::default();
    let list = std::rc::Rc::clone(&heads);
    let url = serve_connections(move |mut stream| {
        let list = std::rc::Rc::clone(&list);
        async move {
            if let Some((head, _)) = read_head(&mut stream).await {
                list.borrow_mut().push(head.to_lowercase());
                drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await);
                drop(stream.read(&mut [0; 4096]).await);
            }
        }
    });
    (format!("{url}/hook"), heads)
}

both_shapes! {
    with LOCAL_WEBHOOKS;

    async fn every_line_of_a_request_has_its_trace_from_the_gateway_to_the_webhook(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let (url, heads) = receiver();
        // as many as one morning has room for
        for at in 0..3 {
            let (case, (id, traceparent)) = (format!("traced-{at}"), outside(false));
            let headers = [("case-id", case.as_str()), ("traceparent", &traceparent)];
            let body = meeting_body(json!({ "callback_url": url, "title": case }));
            let meeting = ask(cluster, Method::POST, "/api/meetings", &headers, Some(body)).await.expect(202).json;
            wait_for_status(cluster, &meeting, &["invited"]).await;
            let lines = eventually("every job of it is done", async || {
                let mut lines = cluster.log();
                lines.retain(|line| line["case_id"] == case.as_str());
                let done = |kind: &str| lines.iter().any(|line| line["message"] == "JOB_DONE" && line["kind"] == kind);
                let all = ["schedule_meeting", "send_invitations", "deliver_webhook"].iter().all(|kind| done(kind));
                all.then_some(lines)
            })
            .await;
            let roles: BTreeSet<&str> = lines.iter().filter_map(|line| line["role"].as_str()).collect();
            assert_eq!(roles, BTreeSet::from(ROLES));
            for message in ["request started", "call answered", "ENQUEUE", "JOB_START", "webhook delivered"] {
                assert!(lines.iter().any(|line| line["message"] == message), "{message}");
            }
            for line in &lines {
                assert_eq!(line["trace_id"], id.as_str(), "{line}");
            }
            let reported = heads.borrow();
            let mine: Vec<&String> = reported.iter().filter(|head| head.contains(&format!("case-id: {case}"))).collect();
            assert!(!mine.is_empty(), "{reported:?}");
            for head in mine {
                assert!(head.contains(&format!("traceparent: 00-{id}-")) && !head.contains(OUTSIDE), "{head}");
            }
        }
    }

    async fn a_request_without_a_trace_gets_one_of_its_own(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let mut seen = BTreeSet::new();
        let wrong = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for (at, given) in [("a", None), ("b", Some(wrong)), ("c", Some("ff-x")), ("d", None)] {
            let headers: Vec<(&str, &str)> = given.map(|given| ("traceparent", given)).into_iter().chain([("case-id", at)]).collect();
            let path = "/api/suggestions?attendee=ana@example.com&attendee=ben@example.com";
            ask(cluster, Method::GET, path, &headers, None).await.expect(200);
            let ids = eventually("four roles have told their part", async || {
                let lines = cluster.log();
                let done = lines.iter().filter(|line| line["case_id"] == at && line["message"] == "request completed");
                let ids: Vec<String> = done.filter_map(|line| line["trace_id"].as_str().map(str::to_owned)).collect();
                (ids.len() == 4).then_some(ids)
            })
            .await;
            assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 32), "{ids:?}");
            assert!(seen.insert(ids[0].clone()) && !ids[0].starts_with("000000000000"), "{ids:?}");
        }
    }
}

/// The spans of a trace once these many are there, by their ids.
async fn spans(collector: &Collector, trace: &str, enough: impl Fn(&[Span]) -> bool) -> HashMap<String, Span> {
    let spans = eventually("the spans are exported", async || {
        let spans = collector.spans(trace);
        // each role exports when it likes
        let is_there = |parent: &str| parent == OUTSIDE || spans.iter().any(|span| span.id == parent);
        let whole = spans.iter().all(|span| is_there(&span.parent));
        (whole && enough(&spans)).then_some(spans)
    })
    .await;
    let count = spans.len();
    let by_id: HashMap<String, Span> = spans.into_iter().map(|span| (span.id.clone(), span)).collect();
    assert_eq!(by_id.len(), count, "each span has an id of its own");
    by_id
}

/// From a span to the first one: service, kind and name of each.
fn way<'a>(spans: &'a HashMap<String, Span>, from: &'a Span) -> Vec<(&'a str, SpanKind, &'a str)> {
    let mut way = vec![(from.service.as_str(), from.kind, from.name.as_str())];
    let mut parent = &from.parent;
    while let Some(span) = spans.get(parent) {
        way.push((span.service.as_str(), span.kind, span.name.as_str()));
        parent = &span.parent;
    }
    assert_eq!(parent, OUTSIDE, "the way ends at the span that the client told: {way:?}");
    way
}

fn find<'a>(spans: &'a HashMap<String, Span>, service: &str, name: &str) -> &'a Span {
    let found = spans.values().find(|span| span.service == service && span.name == name);
    found.unwrap_or_else(|| panic!("no {name} at {service}: {spans:#?}"))
}

async fn steps_hang_together(shape: Shape) {
    let collector = Collector::start();
    let mut settings = LOCAL_WEBHOOKS.to_vec();
    let endpoint = format!("{}/?api-key=hidden", collector.url);
    settings.push(("W2MEET_TELEMETRY__OTLP_ENDPOINT", &endpoint));
    settings.push(("W2MEET_TELEMETRY__OTLP_HEADERS", "api-key=secret, tenant=w2"));
    let cluster = Cluster::in_shape(shape, &settings).await;
    register_morning_people(&cluster, &[ANA, BEN]).await;
    let node = cluster.nodes_of("user")[0];
    node.wait_for("where traces go", |line| line["message"] == "traces are exported");
    assert!(!node.log_text().contains("hidden"), "{}", node.log_text());

    let (id, traceparent) = outside(true);
    let path = "/api/suggestions?attendee=ana@example.com&attendee=ben@example.com";
    ask(&cluster, Method::GET, path, &[("traceparent", &traceparent), ("case-id", "x-1")], None).await.expect(200);
    let all = spans(&collector, &id, |spans| spans.len() >= 7).await;
    assert_eq!(all.len(), 7, "four servers and three calls: {all:#?}");
    let innermost = find(&all, "w2meet-user", "POST /internal/users/lookup");
    let (server, client) = (SpanKind::Server, SpanKind::Client);
    assert_eq!(
        way(&all, innermost),
        [
            ("w2meet-user", server, "POST /internal/users/lookup"),
            ("w2meet-availability", client, "POST"),
            ("w2meet-availability", server, "POST /internal/availability/detail"),
            ("w2meet-suggestion", client, "POST"),
            ("w2meet-suggestion", server, "GET /suggestions"),
            ("w2meet-gateway", client, "GET"),
            ("w2meet-gateway", server, "GET /api/suggestions"),
        ]
    );
    let first = find(&all, "w2meet-gateway", "GET /api/suggestions");
    let reported = ["http.request.method", "http.route", "http.response.status_code", "url.scheme", "w2meet.case_id"]
        .map(|name| first.attribute(name));
    assert_eq!(reported, ["GET", "/api/suggestions", "200", "http", "x-1"]);
    let call = find(&all, "w2meet-gateway", "GET");
    assert_eq!([call.attribute("peer.service"), call.attribute("server.address")], ["suggestion", "127.0.0.1"]);
    let head = collector.heads().remove(0);
    assert!(
        head.starts_with("post /v1/traces?api-key=hidden ")
            && head.contains("api-key: secret")
            && head.contains("tenant: w2"),
        "{head}"
    );

    over_the_queue(&cluster, &collector).await;
}

/// From the request through the report of the job to the webhook.
async fn over_the_queue(cluster: &Cluster, collector: &Collector) {
    let (server, client) = (SpanKind::Server, SpanKind::Client);
    let (id, traceparent) = outside(true);
    let (url, heads) = receiver();
    let body = meeting_body(json!({ "callback_url": url }));
    let meeting = ask(cluster, Method::POST, "/api/meetings", &[("traceparent", &traceparent)], Some(body))
        .await
        .expect(202)
        .json;
    wait_for_status(cluster, &meeting, &["invited"]).await;
    let processed = |spans: &[Span]| spans.iter().filter(|span| span.kind == SpanKind::Consumer).count() >= 3;
    let called_back =
        |span: &Span| span.service == "w2meet-reservation" && span.name == "POST /internal/jobs/{id}/finish";
    let hooked = |spans: &[Span]| spans.iter().any(|span| span.attribute("url.full") == "http://127.0.0.1/");
    let all = spans(collector, &id, |spans| processed(spans) && hooked(spans) && spans.iter().any(called_back)).await;
    for span in all.values() {
        way(&all, span);
        assert!(!span.failed, "{span:?}");
    }
    let callback = all.values().find(|span| called_back(span));
    let road = way(&all, callback.expect("a callback"));
    let names: Vec<(&str, SpanKind)> = road.iter().map(|(service, kind, _)| (*service, *kind)).collect();
    let (producer, consumer) = (SpanKind::Producer, SpanKind::Consumer);
    let once = [
        ("w2meet-reservation", server),
        ("w2meet-worker", client),
        ("w2meet-worker", consumer),
        ("w2meet-reservation", producer),
    ];
    assert_eq!(names[..4], once, "{road:?}");
    assert_eq!(
        names[names.len() - 3..],
        [("w2meet-reservation", server), ("w2meet-gateway", client), ("w2meet-gateway", server)]
    );
    assert!(road[2].2.starts_with("process ") && road[3].2.starts_with("send "), "{road:?}");
    let hook = all.values().find(|span| span.attribute("url.full") == "http://127.0.0.1/").expect("the webhook");
    assert!(heads.borrow().iter().any(|head| head.contains(&format!("traceparent: 00-{id}-{}-01", hook.id))));
}

#[actix_web::test]
async fn exported_spans_are_connected_over_all_roles_and_the_queue_embedded() {
    steps_hang_together(Shape::Embedded).await;
}

#[actix_web::test]
async fn exported_spans_are_connected_over_all_roles_and_the_queue_services() {
    steps_hang_together(Shape::Services).await;
}

#[actix_web::test]
async fn the_caller_that_began_a_trace_decides_on_sampling() {
    let collector = Collector::start();
    let settings =
        [("W2MEET_TELEMETRY__OTLP_ENDPOINT", collector.url.as_str()), ("W2MEET_TELEMETRY__SAMPLE_RATIO", "0")];
    let cluster = Cluster::all_with(&settings).await;
    for _ in 0..20 {
        cluster.get("/api/users/ana@example.com").await.expect(404);
    }
    let ((yes, wanted), (no, unwanted)) = (outside(true), outside(false));
    for traceparent in [&unwanted, &wanted] {
        ask(&cluster, Method::GET, "/api/users/ana@example.com", &[("traceparent", traceparent)], None)
            .await
            .expect(404);
    }
    let recorded = spans(&collector, &yes, |spans| spans.len() >= 3).await;
    assert!(recorded.values().all(|span| span.kind == SpanKind::Client || !span.failed), "{recorded:?}");
    assert_eq!((collector.spans(&no).len(), collector.count()), (0, 3), "nothing else");
}

#[actix_web::test]
async fn a_collector_with_a_certificate_of_an_own_authority_gets_traces() {
    let (tls, _, pem) = tls_server(&["127.0.0.1"]);
    let (endpoint, file) = (format!("https://127.0.0.1:{}", serve_tls(tls)), TextFile::new("authority.pem", &pem));
    let settings = [
        ("W2MEET_TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()),
        ("W2MEET_TLS__CA_FILE", file.path()),
        ("W2MEET_GATEWAY__ADMIN_LISTEN", "127.0.0.1:0"),
    ];
    let cluster = Cluster::all_with(&settings).await;
    cluster.get("/api/users/ana@example.com").await.expect(404);
    let admin = cluster.nodes[0].admin("gateway");
    eventually("spans are sent", async || {
        let page = admin.get("/metrics").await.text;
        let line = page.lines().find(|line| line.starts_with("w2meet_spans_total{outcome=\"sent\"}"))?;
        line.rsplit_once(' ')?.1.parse::<u64>().ok().filter(|sent| *sent > 0)
    })
    .await;
}

#[actix_web::test]
async fn a_missing_collector_costs_spans_and_nothing_else() {
    let hanging = serve_connections(|mut stream| async move {
        while stream.read(&mut [0; 65536]).await.is_ok_and(|count| count > 0) {}
    });
    for endpoint in [hanging, closed_port_url()] {
        let settings =
            [("W2MEET_TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()), ("W2MEET_GATEWAY__ADMIN_LISTEN", "127.0.0.1:0")];
        let cluster = Cluster::all_with(&settings).await;
        for _ in 0..50 {
            cluster.get("/api/users/ana@example.com").await.expect(404);
        }
        let node = &cluster.nodes[0];
        let admin = node.admin("gateway");
        eventually("the loss is counted", async || {
            let page = admin.get("/metrics").await.text;
            let line = page.lines().find(|line| line.starts_with("w2meet_spans_total{outcome=\"lost\"}"))?;
            line.rsplit_once(' ')?.1.parse::<u64>().ok().filter(|lost| *lost > 0)
        })
        .await;
        cluster.get("/api/users/ana@example.com").await.expect(404);
        let begin = Instant::now();
        node.signal("TERM");
        assert!(node.wait().success());
        assert!(begin.elapsed() < Duration::from_secs(9), "{:?}", begin.elapsed());
    }
}
