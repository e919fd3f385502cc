//! The data kit, shown by a toy owner: a role that owns tables costs one file, its migrations and its row.

use awc::http::Method;
use diesel::prelude::*;
use serde_json::json;
use w2meet::platform::data::schema::outbox;
use w2meet::platform::data::{Error, Owner, RunQueryDsl};
use w2meet::read;

use crate::support::in_process::InProcess;
use crate::support::receiver::Receiver;
use crate::support::{Shape, eventually};
use crate::toy_owner::{ROLE, toys};

const LOCAL_WEBHOOKS: &[(&str, &str)] =
    &[("W2MEET_WEBHOOKS__ALLOW_HTTP", "true"), ("W2MEET_WEBHOOKS__ALLOW_NETWORKS", "127.0.0.1")];

async fn a_toy_owner_has_a_table_events_jobs_and_endpoints(shape: Shape) {
    let process = InProcess::start(shape, &[ROLE], &[], LOCAL_WEBHOOKS).await;
    let (client, webhooks) = (&process.client, Receiver::start());
    client.post("/api/users", json!({ "email": "ana@example.com", "name": "Ana" })).await.expect(201);
    let toy = json!({ "email": "ana@example.com", "webhook": webhooks.url });
    let with_key = [("content-type", "application/json"), ("idempotency-key", "the first toy")];
    let create = || client.send(Method::POST, "/api/toys", &with_key, Some(toy.to_string().into_bytes()));
    let (first, again) = (create().await.expect(201), create().await.expect(201));
    assert_eq!((&again.json, again.header("idempotency-replayed")), (&first.json, Some("true")));

    let owner = Owner::open(&process.settings, ROLE.name).expect("an owner");
    let count = async || -> i64 { read!(owner.db, |conn| toys::table.count().get_result(conn)).expect("it answers") };
    assert_eq!(count().await, 1, "a request with a key takes effect once");
    eventually("its job is done", async || {
        let jobs = client.get("/api/jobs?state=succeeded").await.expect(200).json;
        jobs["jobs"].as_array().is_some_and(|jobs| jobs.len() == 1).then_some(())
    })
    .await;
    assert_eq!(webhooks.hooks().len(), 1, "the worker does the jobs of every owner");
    eventually("its event is published", async || {
        let left: Result<i64, Error> = read!(owner.db, |conn| outbox::table.count().get_result(conn));
        (left.expect("it answers") == 0).then_some(())
    })
    .await;

    let document = client.get("/openapi.json").await.expect(200).json;
    assert_eq!(document["paths"]["/api/toys"]["post"]["operationId"], "create_toy");
    client.delete("/api/users/ana@example.com").await.expect(204);
    eventually("it has heard of the deletion", async || (count().await == 0).then_some(())).await;
}

#[actix_web::test]
async fn a_toy_owner_works_embedded() {
    a_toy_owner_has_a_table_events_jobs_and_endpoints(Shape::Embedded).await;
}

#[actix_web::test]
async fn a_toy_owner_works_over_services() {
    a_toy_owner_has_a_table_events_jobs_and_endpoints(Shape::Services).await;
}
