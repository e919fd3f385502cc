//! The outbox over two replicas of user: every event is published, in the order of versions, even if a process is killed.

use std::collections::{BTreeMap, HashMap, HashSet};

use awc::http::Method;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use w2meet::platform::queue::StreamItem;
use w2meet::platform::queue::event::Event;

use crate::support::cluster::Sandbox;
use crate::support::replicas::user_env;
use crate::support::test_queue::QueueNames;
use crate::support::{Cluster, Node, eventually};

const REDIS: &str = "redis://127.0.0.1:9";
const USERS: usize = 20;
const CHANGES: i64 = 3;

/// What was heard: for each user the versions in the order in which they came first, and every event's id.
#[derive(Default)]
struct Ears {
    ids: HashSet<String>,
    versions: BTreeMap<String, Vec<i64>>,
}

impl Ears {
    fn listen(&mut self, events: &mut Receiver<StreamItem>) {
        while let Ok(heard) = events.try_recv() {
            let StreamItem::Event { body, .. } = heard else { continue };
            let event: Event = serde_json::from_slice(&body).expect("a CloudEvent");
            if event.name().starts_with("user.") && self.ids.insert(event.id) {
                let email = event.data["email"].as_str().expect("an address").to_owned();
                self.versions.entry(email).or_default().push(event.data["version"].as_i64().expect("a version"));
            }
        }
    }
}

fn env(space: &Sandbox, database: &str, names: &QueueNames) -> Vec<(String, String)> {
    let mut env = user_env(space, database, REDIS);
    env.extend(names.env());
    env
}

/// Makes users and changes them, half of them at each replica; returns how far each one came, as acknowledged.
async fn write(nodes: &[Node], changes: i64) -> HashMap<String, i64> {
    let mut acknowledged = HashMap::new();
    for n in 0..USERS {
        let email = format!("u{n}@example.com");
        let client = nodes[n % nodes.len()].client("user");
        let body = json!({ "email": email, "name": "Somebody" });
        client.post("/users", body).await.expect(201);
        for change in 0..changes {
            client.patch(&format!("/users/{email}"), json!({ "name": format!("Name {change}") })).await.expect(200);
        }
        acknowledged.insert(email, 1 + changes);
    }
    acknowledged
}

#[actix_web::test]
async fn every_fact_is_published_in_order_though_a_replica_is_killed() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let mut space = Sandbox::new();
    let database = space.schema();
    let env = env(&space, &database, &names);
    let nodes = [Node::start("user", &env), Node::start("user", &env)];
    let ears = names.start().await;
    let mut events = ears.subscribe();
    eventually("we listen", async || matches!(events.try_recv(), Ok(StreamItem::Gap)).then_some(())).await;
    let expected = write(&nodes, CHANGES).await;
    // with what it had in hand
    nodes[0].signal("KILL");
    let mut heard = Ears::default();
    let all: Value = json!(
        expected
            .iter()
            .map(|(email, last)| (email.clone(), (1..=*last).collect::<Vec<_>>()))
            .collect::<BTreeMap<_, _>>()
    );
    eventually("every version of every user was published, in order", async || {
        heard.listen(&mut events);
        (json!(heard.versions) == all).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn the_outbox_holds_a_limited_backlog_while_the_broker_is_away() {
    let settings = [("W2MEET_QUEUE__URL", "amqp://127.0.0.1:9"), ("W2MEET_JOBS__BACKLOG", "20")];
    let cluster = Cluster::split_with(&settings).await;
    for email in ["ana@example.com", "ben@example.com"] {
        cluster.register(email, json!({ "monday": [9] })).await;
    }
    let ask = async |key: &str| {
        let body = json!({ "organizer": "ana@example.com", "attendees": ["ben@example.com"] }).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        cluster.send(Method::POST, "/api/meetings", &headers, Some(body.into_bytes())).await
    };
    let first = ask("first").await.expect(202);
    let refused = eventually("the outbox is full", async || {
        let answer = ask(&rand::random::<u64>().to_string()).await;
        (answer.status != 202).then_some(answer)
    })
    .await;
    refused.expect_problem("503 unavailable", "/api/meetings", "broker");
    assert_eq!(refused.header("retry-after"), Some("30"));
    assert_eq!(ask("first").await.expect(202).json, first.json, "what was accepted stays so");
    cluster.get("/api/users/ana@example.com").await.expect(200);
}
