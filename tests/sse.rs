//! Live streams: a meeting as it is, and every change as it happens, through drains and outages.

use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::future::join;
use jiff::Timestamp;
use serde_json::{Value, json};
use w2meet::platform::queue::StreamItem;

use crate::both_shapes;
use crate::support::account::{Account, OTHER, PASSWORD, auth_required_with};
use crate::support::events::StreamEvent;
use crate::support::meeting::{mornings, next_monday, wait_for_status};
use crate::support::servers::print_line;
use crate::support::test_queue::QueueNames;
use crate::support::{Cluster, Node, PrivateRabbit, ToxicProxy, eventually};

const UNKNOWN: &str = "01890000-0000-7000-8000-000000000000";
const STEPS: [&str; 4] = ["queued", "running", "suggested", "invited"];

/// A meeting of two that is arranged already.
async fn arranged(cluster: &Cluster) -> Value {
    for email in ["ana@example.com", "ben@example.com"] {
        cluster.register(email, mornings()).await;
    }
    let body = json!({ "organizer": "ana@example.com", "attendees": ["ben@example.com"], "title": "Plan" });
    let id = text(&cluster.post("/api/meetings", body).await.expect(202).json["id"]);
    wait_for_status(cluster, &json!({ "id": id }), &["invited"]).await
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

async fn rename(cluster: &Cluster, id: &str, title: &str) -> i64 {
    let renamed = cluster.patch(&format!("/api/meetings/{id}"), json!({ "title": title })).await.expect(200);
    renamed.json["version"].as_i64().expect("a version")
}

/// Milliseconds from the decision, which comes before the commit, to now: what a change took at most to get here.
fn late(response: &StreamEvent) -> f64 {
    let decided: Timestamp = response.data["updated_at"].as_str().and_then(|at| at.parse().ok()).expect("an instant");
    Timestamp::now().duration_since(decided).as_secs_f64() * 1000.0
}

both_shapes! {
    async fn a_stream_begins_with_the_meeting_as_it_is(cluster) {
        let meeting = arranged(cluster).await;
        let id = text(&meeting["id"]);
        let mut events = cluster.open_events(&id, "").await;
        for line in ["content-type: text/event-stream\r\n", "cache-control: no-store\r\n", "x-accel-buffering: no\r\n", "case-id: "] {
            assert!(events.head.contains(line), "{line}: {}", events.head);
        }
        let first = events.next().await.expect("the first state");
        assert!(events.text.starts_with("retry: 2000\n\nid: "), "{}", events.text);
        assert_eq!((first.name.as_str(), Some(first.id)), ("meeting", meeting["version"].as_i64()));
        assert_eq!(first.data, meeting);
        let version = rename(cluster, &id, "日本語 in \"one\" \\n").await;
        let second = events.next().await.expect("the change");
        assert_eq!((second.name.as_str(), second.id), ("meeting.updated", version));
        assert_eq!(second.data, cluster.get(&format!("/api/meetings/{id}")).await.json);
    }

    async fn every_step_arrives_once_and_in_its_order(cluster) {
        let meeting = arranged(cluster).await;
        let id = text(&meeting["id"]);
        let mut events = cluster.open_events(&id, "").await;
        let first = events.next().await.expect("the first state");
        let path = format!("/api/meetings/{id}");
        let changed = cluster.patch(&path, json!({ "duration_minutes": 30 })).await.expect(200);
        assert_eq!(changed.json["status"], "queued");
        let mut took = Vec::new();
        let streamed = async {
            let mut all: Vec<StreamEvent> = Vec::new();
            while all.last().is_none_or(|response| response.status() != "invited") {
                let response = events.next().await.expect("more");
                took.push(late(&response));
                all.push(response);
            }
            (all, Instant::now())
        };
        let readable = async {
            wait_for_status(cluster, &json!({ "id": id }), &["invited"]).await;
            Instant::now()
        };
        let ((all, heard), read) = join(streamed, readable).await;
        let names: Vec<&str> = all.iter().map(|response| response.name.as_str()).collect();
        assert_eq!(names, STEPS.map(|step| format!("meeting.{step}")));
        let ids: Vec<i64> = all.iter().map(|response| response.id).collect();
        assert_eq!(ids, (first.id + 1..=first.id + 4).collect::<Vec<_>>());
        // the promise is 100 ms; the line below tells what it was, and a busy machine must not make this fail
        let behind = heard.saturating_duration_since(read);
        assert!(behind < Duration::from_secs(1), "{behind:?} after it could be read");
        took.sort_by(f64::total_cmp);
        print_line(&format!("live, {:?}: at most {took:.1?} ms from the decision to the client", cluster.shape));
    }

    async fn a_reconnecting_client_gets_only_new_events(cluster) {
        let meeting = arranged(cluster).await;
        let id = text(&meeting["id"]);
        let version = meeting["version"].as_i64().expect("a version");
        for seen in ["nonsense", "", "-1", "1e3", "99999999999999999999", &(version + 1).to_string(), &(version - 1).to_string()] {
            let mut events = cluster.open_events(&id, &format!("Last-Event-ID: {seen}\r\n")).await;
            assert_eq!(events.next().await.map(|response| response.id), Some(version), "{seen}");
        }
        let mut events = cluster.open_events(&id, &format!("Last-Event-ID: {version}\r\n")).await;
        let next = rename(cluster, &id, "Later").await;
        let response = events.next().await.expect("the change");
        assert_eq!((response.id, response.name.as_str()), (next, "meeting.updated"));
    }

    async fn a_stream_is_refused_as_everything_else_is(cluster) {
        let path = format!("/api/meetings/{UNKNOWN}/events");
        cluster.get(&path).await.expect_problem("404 unknown-meeting", &path, "unknown");
        cluster.get("/api/meetings/7/events").await.expect_problem("404 not-found", "/api/meetings/7/events", "no id");
        let refused = cluster.send(Method::POST, &path, &[], None).await;
        refused.expect_problem("405 method-not-allowed", &path, "POST");
        assert!(refused.header("allow").is_some_and(|allow| allow.contains("GET")), "{:?}", refused.headers);
        let id = text(&arranged(cluster).await["id"]);
        let path = format!("/api/meetings/{id}/events");
        // it ends, though what GET answers with does not
        let head = cluster.send_head("HEAD", &path, "").await;
        assert_eq!((head.status, head.text.as_str()), (200, ""));
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
    }

    async fn an_open_stream_does_not_hold_up_the_end(cluster) {
        let id = text(&arranged(cluster).await["id"]);
        let mut events = cluster.open_events(&id, "").await;
        events.next().await.expect("the first state");
        let gateway = cluster.nodes_of("gateway")[0];
        gateway.signal("TERM");
        let begin = Instant::now();
        assert!(events.next().await.is_none(), "the stream ends");
        assert!(gateway.wait().success());
        assert!(begin.elapsed() < Duration::from_secs(5), "it took {:?}", begin.elapsed());
    }
}

both_shapes! { with &auth_required_with(&[]);
    async fn a_stream_ends_with_the_change_that_takes_its_reader_out(cluster) {
        let ana = Account::verified(cluster, "ana@example.com").await;
        let ben = Account::verified(cluster, "ben@example.com").await;
        let cat = Account::verified(cluster, "cat@example.com").await;
        let start = format!("{}T09:00:00Z", next_monday());
        let body = json!({ "organizer": ana.email, "attendees": [ben.email, cat.email], "start": start });
        let id = text(&ana.post("/api/meetings", body).await.expect(202).json["id"]);
        let path = format!("/api/meetings/{id}");
        eventually("it is arranged", async || {
            (ana.get(&path).await.expect(200).json["status"] == "invited").then_some(())
        }).await;
        let open = async |account: &Account<'_>| {
            let mut events = cluster.open_events(&id, &format!("Authorization: Bearer {}\r\n", account.token)).await;
            events.next().await.expect("the first state");
            events
        };
        let (mut bens, mut cats) = (open(&ben).await, open(&cat).await);
        let changed = ana.patch(&path, json!({ "attendees": [ben.email] })).await.expect(200).json;
        assert_eq!(bens.next().await.map(|event| event.id), changed["version"].as_i64(), "the others go on");
        assert!(cats.next().await.is_none(), "{}", cats.text);
        cat.get(&format!("{path}/events")).await.expect_problem("404 unknown-meeting", &format!("{path}/events"), "Cat");
        // an account that is deleted leaves the meeting
        ben.delete(&format!("/api/users/{}", ben.email)).await.expect(204);
        assert!(bens.next().await.is_none(), "{}", bens.text);
    }
}

both_shapes! { with &auth_required_with(&[]);
    async fn a_stream_ends_with_the_session_or_the_key_that_has_opened_it(cluster) {
        let ana = Account::verified(cluster, "ana@example.com").await;
        let gone = Account::verified(cluster, "ben@example.com").await;
        let ben = Account::login(cluster, &gone.email, PASSWORD).await;
        let (key_id, key) = ben.key("read").await;
        let start = format!("{}T09:00:00Z", next_monday());
        let body = json!({ "organizer": ana.email, "attendees": [ben.email], "start": start });
        let id = text(&ana.post("/api/meetings", body).await.expect(202).json["id"]);
        let path = format!("/api/meetings/{id}");
        eventually("it is arranged", async || {
            (ana.get(&path).await.expect(200).json["status"] == "invited").then_some(())
        }).await;
        let open = async |token: &str| {
            let mut events = cluster.open_events(&id, &format!("Authorization: Bearer {token}\r\n")).await;
            events.next().await.expect("the first state");
            events
        };
        let (mut signed_out, mut revoked, mut stays) = (open(&gone.token).await, open(&key).await, open(&ben.token).await);
        cluster.post("/api/auth/logout", json!({ "refresh_token": gone.refresh })).await.expect(204);
        ben.delete(&format!("/api/auth/keys/{key_id}")).await.expect(204);
        let changed = ana.patch(&path, json!({ "title": "Merger" })).await.expect(200).json;
        assert_eq!(stays.next().await.map(|event| event.id), changed["version"].as_i64(), "another session goes on");
        for ended in [&mut signed_out, &mut revoked] {
            assert!(ended.next().await.is_none() && !ended.text.contains("Merger"), "{}", ended.text);
        }
        // although nothing changes
        let elsewhere = Account::login(cluster, &ben.email, PASSWORD).await;
        let change = json!({ "current_password": PASSWORD, "password": OTHER });
        elsewhere.put("/api/auth/password", change).await.expect(204);
        assert!(stays.next().await.is_none(), "{}", stays.text);
    }
}

#[actix_web::test]
async fn a_stream_without_a_client_frees_its_slot() {
    let cluster = Cluster::all_with(&[("W2MEET_LIMITS__STREAMS", "1")]).await;
    let id = text(&arranged(&cluster).await["id"]);
    let path = format!("/api/meetings/{id}/events");
    let mut events = cluster.open_events(&id, "").await;
    events.next().await.expect("the first state");
    let full = cluster.get(&path).await;
    full.expect_problem("503 unavailable", &path, "full");
    assert_eq!(full.header("retry-after"), Some("5"));
    drop(events);
    let free = async || {
        // the server learns of it when it has something to say
        rename(&cluster, &id, &rand::random::<u32>().to_string()).await;
        (cluster.send(Method::HEAD, &path, &[], None).await.status == 200).then_some(())
    };
    eventually("the place is free", free).await;
    // HEAD has left no stream behind
    cluster.open_events(&id, "").await.next().await.expect("the first state");
}

#[actix_web::test]
async fn no_stream_begins_while_reservation_is_away() {
    let cluster = Cluster::split().await;
    let id = text(&arranged(&cluster).await["id"]);
    cluster.nodes_of("reservation")[0].signal("KILL");
    let path = format!("/api/meetings/{id}/events");
    let away =
        eventually("reservation is gone", async || Some(cluster.get(&path).await).filter(|it| it.status == 503)).await;
    away.expect_problem("503 unavailable", &path, "reservation is away");
    assert_eq!(away.json["upstream"], "reservation");
}

/// One more gateway for this cluster, with settings of its own for the queue.
fn another_gateway(cluster: &Cluster, queue: &[(String, String)]) -> Node {
    let own = [("W2MEET_GATEWAY__LISTEN", "127.0.0.1:0"), ("W2MEET_LOG__FORMAT", "json")];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let behind = Node::upstreams(&cluster.nodes).into_iter().filter(|(name, _)| !name.ends_with("GATEWAY"));
    Node::start("gateway", &own.into_iter().chain(queue.iter().cloned()).chain(behind).collect::<Vec<_>>())
}

async fn split_over(names: &QueueNames) -> Cluster {
    let queue = names.env();
    let queue: Vec<(&str, &str)> = queue.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Cluster::split_with(&queue).await
}

#[actix_web::test]
async fn every_gateway_streams_every_change() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let cluster = split_over(&names).await;
    let other = another_gateway(&cluster, &names.env());
    let id = text(&arranged(&cluster).await["id"]);
    let mut streams = [cluster.open_events(&id, "").await, other.client("gateway").open_events(&id, "").await];
    for events in &mut streams {
        events.next().await.expect("the first state");
    }
    for title in ["One", "Two"] {
        let version = rename(&cluster, &id, title).await;
        for events in &mut streams {
            assert_eq!(events.next().await.map(|response| response.id), Some(version), "{title}");
        }
    }
    drop((streams, other, cluster));
}

#[actix_web::test]
async fn a_gateway_reads_missed_changes_after_it_reconnects() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let cluster = split_over(&names).await;
    let mut url = url::Url::parse(&names.url).expect("a URL");
    let line = ToxicProxy::to_port(url.port().unwrap_or(5672));
    url.set_port(Some(line.port())).expect("a port");
    let through = names.via(url.as_str());
    let gateway = another_gateway(&cluster, &through.env());
    let id = text(&arranged(&cluster).await["id"]);
    let mut events = gateway.client("gateway").open_events(&id, "").await;
    let first = events.next().await.expect("the first state");
    let queue = names.open();
    let mut listener = queue.subscribe();
    assert_eq!(listener.recv().await, Ok(StreamItem::Gap));
    line.cut();
    gateway.wait_for("that it hears nothing", |output| output["level"] == "WARN" && output["line"] == "listener");
    let version = rename(&cluster, &id, "Unheard").await;
    // others have heard it: it will not be said again
    assert!(matches!(listener.recv().await, Ok(StreamItem::Event { .. })));
    line.restore();
    let response = events.next().await.expect("the change");
    assert_eq!((response.id, response.name.as_str()), (version, "meeting"), "after {}", first.id);
    drop((events, gateway, cluster, queue));
}

#[actix_web::test]
async fn a_stream_outlives_its_broker_and_misses_nothing() {
    let Some(broker) = PrivateRabbit::start() else { return };
    let cluster = split_over(&QueueNames::in_broker(&broker.url())).await;
    let id = text(&arranged(&cluster).await["id"]);
    let mut events = cluster.open_events(&id, "").await;
    let mut sent = events.until(|_| true).await;
    broker.kill();
    // nobody says so now, and yet the stream learns of it when it looks by itself
    let meanwhile = rename(&cluster, &id, "Meanwhile").await;
    sent.extend(events.until(|response| response.id == meanwhile).await);
    broker.boot();
    let after = rename(&cluster, &id, "After").await;
    sent.extend(events.until(|response| response.id == after).await);
    let ids: Vec<i64> = sent.iter().map(|response| response.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "nothing twice, and in order: {ids:?}");
}
