//! Jobs of several owners: the gateway lists them as one list, and finds the owner of each.

use actix_web::HttpResponse;
use actix_web::web::{Data, Json};
use awc::http::Method;
use diesel_migrations::EmbeddedMigrations;
use serde_json::{Value, json};
use uuid::Uuid;
use w2meet::platform::auth::permissions::Access::Open;
use w2meet::platform::data::{DataOwner, Error, Owner};
use w2meet::platform::endpoint::{Endpoint, post};
use w2meet::platform::http::extract::PathId;
use w2meet::platform::http::problem::Problem;
use w2meet::platform::jobs::api::AttemptFailure;
use w2meet::platform::jobs::{self, JobKind, JobOwner, NewJob, create_job, store};
use w2meet::platform::owner_service::owner_service;
use w2meet::platform::role::Role;
use w2meet::platform::subscriptions::Subscriber;
use w2meet::{roles, transact};

use crate::support::in_process::InProcess;
use crate::support::meeting::next_page;
use crate::support::shell::{run_command, utf8};
use crate::support::{Client, Reply, Shape};

const UNKNOWN: &str = "01980000-0000-7000-8000-000000000000";
const KIND: JobKind = JobKind::new("wind_toy");

/// An owner whose jobs are about nothing.
#[derive(Clone)]
struct Toy(Owner);

const TOY: Role = Role {
    name: "toy",
    calls: &[],
    observes: &[],
    migrations: Some(|| EmbeddedMigrations::new(&[])),
    endpoints: toy_endpoints,
    open: |context| owner_service(context, Toy(Owner::open(&context.settings, "toy")?), |_| (), async {}),
    ..roles::worker::ROLE
};

/// An owner that runs in no process.
const LOST: Role = Role { name: "lost", uses_queue: false, endpoints: jobs::endpoints::<Toy>, ..TOY };

fn toy_endpoints() -> Vec<Endpoint> {
    let mut all = jobs::endpoints::<Toy>();
    all.push(post("/api/toys", Open, create_toy));
    all.push(post("/api/toys/{id}/start", Open, start_toy));
    all.push(post("/api/toys/{id}/fail", Open, fail_toy));
    all
}

async fn create_toy(toy: Data<Toy>) -> Result<HttpResponse, Problem> {
    let job = NewJob::new(&KIND, json!({}));
    let done: Result<(), Error> =
        transact!(toy.0.db, |conn| { create_job(conn, &toy.0, &job, Uuid::now_v7(), "toy").await });
    done?;
    Ok(HttpResponse::Ok().json(json!({ "id": job.id })))
}

async fn start_toy(PathId(id): PathId, toy: Data<Toy>) -> Result<HttpResponse, Problem> {
    let lease = store::start_job(&**toy, id).await?;
    Ok(HttpResponse::Ok().json(lease))
}

async fn fail_toy(PathId(id): PathId, toy: Data<Toy>, failure: Json<AttemptFailure>) -> Result<HttpResponse, Problem> {
    let job = store::fail_job(&**toy, id, &failure).await?;
    Ok(HttpResponse::Ok().json(toy.show(&job)))
}

impl DataOwner for Toy {
    fn owner(&self) -> &Owner {
        &self.0
    }
}

impl JobOwner for Toy {
    type Subject = ();

    const KINDS: &'static [JobKind] = &[KIND];
}

impl Subscriber for Toy {}

/// Every role but the worker, and these.
async fn start(more: &[Role]) -> InProcess {
    let absent: Vec<&str> = more.iter().map(|role| role.name).chain(["worker"]).collect();
    InProcess::start(Shape::Embedded, &[&[TOY], more].concat(), &absent, &[]).await
}

/// A job of toy.
async fn toy_job(client: &Client) -> String {
    client.post("/api/toys", json!({})).await.expect(200).json["id"].as_str().expect("an id").to_owned()
}

/// Jobs of both owners, one after the other.
async fn mixed_jobs(client: &Client) -> Vec<String> {
    let mut toys = Vec::new();
    for at in 0..3 {
        toys.push(toy_job(client).await);
        let request = json!({ "email": format!("somebody{at}@example.com") });
        client.post("/api/auth/password/forgot", request).await.expect(202);
    }
    toys
}

/// A worker's report of the first attempt.
async fn report(client: &Client, path: &str, token: &str) -> Reply {
    let headers = [("content-type", "application/json"), ("authorization", &format!("Bearer {token}"))];
    let body = json!({ "attempt": 1, "result": {} }).to_string();
    client.send(Method::POST, path, &headers, Some(body.into_bytes())).await
}

async fn pages(client: &Client, query: &str) -> Vec<Value> {
    let (mut next, mut seen) = (Some(format!("/api/jobs?{query}")), Vec::new());
    while let Some(page) = next {
        let reply = client.get(&page).await.expect(200);
        seen.extend(reply.json["jobs"].as_array().expect("a list").clone());
        assert!(seen.len() < 9, "the pages come to an end");
        next = next_page(&reply);
    }
    seen
}

#[actix_web::test]
async fn the_jobs_of_all_owners_are_one_list_in_the_order_of_creation() {
    let process = start(&[]).await;
    let client = &process.client;
    let toys = mixed_jobs(client).await;
    for limit in [1, 2, 4, 6, 50] {
        let jobs = pages(client, &format!("limit={limit}")).await;
        let kinds: Vec<&str> = jobs.iter().map(|job| job["kind"].as_str().expect("a kind")).collect();
        assert_eq!(kinds, ["wind_toy", "send_letter"].repeat(3), "{limit}");
    }
    assert_eq!(pages(client, "limit=2&state=queued").await.len(), 6);
    assert_eq!(pages(client, "state=dead").await, [Value::Null; 0]);
    let listed = run_command(&["jobs", "list", "--url", client.base()], &[]);
    let listed = utf8(&listed.stdout);
    assert_eq!((listed.matches("wind_toy").count(), listed.matches("send_letter").count()), (3, 3), "{listed}");
    let shown = run_command(&["jobs", "show", &toys[0], "--url", client.base()], &[]);
    assert!(utf8(&shown.stdout).contains("wind_toy"), "{}", utf8(&shown.stderr));
}

#[actix_web::test]
async fn a_job_is_found_finished_and_retried_at_its_owner() {
    let process = start(&[]).await;
    let client = &process.client;
    let toys = mixed_jobs(client).await;
    for job in pages(client, "").await {
        let path = format!("/api/jobs/{}", job["id"].as_str().expect("an id"));
        assert_eq!(client.get(&path).await.expect(200).json, job);
        client.post(&format!("{path}/retry"), json!({})).await.expect_problem(
            "409 job-not-yours",
            &format!("{path}/retry"),
            "it has not failed",
        );
    }
    let unknown = format!("/api/jobs/{UNKNOWN}");
    client.get(&unknown).await.expect_problem("404 unknown-job", &unknown, "no owner knows it");
    let lease = client.post(&format!("/api/toys/{}/start", toys[0]), json!({})).await.expect(200).json;
    let path = format!("/api/callbacks/jobs/{}", toys[0]);
    report(client, &path, "wrong").await.expect_problem("401 unauthorized", &path, "another token");
    report(client, &path, lease["token"].as_str().expect("a token")).await.expect(204);
    assert_eq!(client.get(&format!("/api/jobs/{}", toys[0])).await.expect(200).json["state"], "succeeded");
    client.post(&format!("/api/toys/{}/start", toys[1]), json!({})).await.expect(200);
    let failure = json!({ "attempt": 1, "decision": { "then": "discard" }, "error": "it is broken" });
    client.post(&format!("/api/toys/{}/fail", toys[1]), failure).await.expect(200);
    assert_eq!(pages(client, "state=dead").await.len(), 1);
    let retried = run_command(&["jobs", "retry", "--all-dead", "--url", client.base()], &[]);
    assert!(retried.status.success(), "{}", utf8(&retried.stderr));
    assert_eq!(client.get(&format!("/api/jobs/{}", toys[1])).await.expect(200).json["state"], "queued");
}

#[actix_web::test]
async fn an_owner_that_is_away_is_named_and_hides_no_job() {
    let process = start(&[LOST]).await;
    let client = &process.client;
    let job = toy_job(client).await;
    assert_eq!(client.get(&format!("/api/jobs/{job}")).await.expect(200).json["kind"], KIND.name);
    let unknown = format!("/api/jobs/{UNKNOWN}");
    for reply in [
        client.get(&unknown).await,
        client.post(&format!("{unknown}/retry"), json!({})).await,
        client.get("/api/jobs").await,
    ] {
        assert_eq!((reply.status, &reply.json["upstream"]), (503, &json!("lost")), "{}", reply.text);
    }
}
