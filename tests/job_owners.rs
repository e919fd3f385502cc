//! Jobs of several owners: the gateway lists them as one list, and finds the owner of each.

use std::sync::Arc;

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use awc::http::Method;
use diesel_migrations::EmbeddedMigrations;
use serde_json::{Value, json};
use uuid::Uuid;
use w2meet::platform::auth::permissions::Access::Open;
use w2meet::platform::data::instant::now;
use w2meet::platform::data::{Abort, Connection, Error, Owner};
use w2meet::platform::endpoint::{Endpoint, post};
use w2meet::platform::http::extract::id_in_path;
use w2meet::platform::http::problem::Problem;
use w2meet::platform::jobs::api::{AttemptFailure, JobReport};
use w2meet::platform::jobs::endpoints::endpoints as job_endpoints;
use w2meet::platform::jobs::model::{Backoff, Job, JobKind, NewJob, Retention};
use w2meet::platform::jobs::rows::{JobRow, create_job};
use w2meet::platform::jobs::{JobOwner, spawn_tasks, store};
use w2meet::platform::role::{Context, Role, Service};
use w2meet::{config, launch, roles, transact};

use crate::support::cluster::{Env, make_temp_folder};
use crate::support::meeting::next_page;
use crate::support::servers::free_port;
use crate::support::shell::{run_command, utf8};
use crate::support::{Client, Reply, within};

const UNKNOWN: &str = "01980000-0000-7000-8000-000000000000";
const KIND: JobKind = JobKind {
    name: "wind_toy",
    backoff: Backoff::Polynomial,
    redact_on_success: false,
    replayable: false,
    retention: Retention::Keep,
};

/// An owner whose jobs are about nothing.
#[derive(Clone)]
struct Toy(Owner);

const TOY: Role = Role {
    name: "toy",
    calls: &[],
    observes: &[],
    owns_data: true,
    keeps_cache: false,
    uses_queue: true,
    endpoints: toy_endpoints,
    open: open_toy,
    ..roles::worker::ROLE
};

/// An owner that runs in no process.
const LOST: Role = Role { name: "lost", uses_queue: false, endpoints: job_endpoints::<Toy>, ..TOY };

fn toy_endpoints() -> Vec<Endpoint> {
    let mut all = job_endpoints::<Toy>();
    all.push(post("/api/toys", Open, create_toy));
    all.push(post("/api/toys/{id}/start", Open, start_toy));
    all.push(post("/api/toys/{id}/fail", Open, fail_toy));
    all
}

fn open_toy(context: &Context) -> anyhow::Result<Service> {
    let (settings, queue) = (Arc::clone(&context.settings), context.queue()?);
    let toy = Toy(Owner::open(&settings, TOY.name)?);
    let data = Data::new(toy.clone());
    Ok(Service {
        configure: Arc::new(move |config| {
            config.app_data(data.clone());
        }),
        auth: Arc::new(Context::service_auth),
        prepare: Box::pin(async move {
            toy.0.prepare(&settings, || EmbeddedMigrations::new(&[])).await;
            spawn_tasks(&toy, queue, false);
            Ok(())
        }),
        work: None,
    })
}

async fn create_toy(toy: Data<Toy>) -> Result<HttpResponse, Problem> {
    let job = NewJob::new(&KIND, json!({}));
    let row = JobRow::new(&toy.0, &job, Uuid::now_v7(), "toy", now());
    let done: Result<(), Error> = transact!(toy.0.db, |conn| { create_job(conn, &toy.0, &row).await });
    done.map_err(|why| toy.0.read_problem(&why))?;
    Ok(HttpResponse::Ok().json(json!({ "id": job.id })))
}

async fn start_toy(req: HttpRequest, toy: Data<Toy>) -> Result<HttpResponse, Problem> {
    let lease = store::start_job(&**toy, id_in_path(&req)?).await.map_err(|abort| toy.0.problem(abort))?;
    Ok(HttpResponse::Ok().json(lease))
}

async fn fail_toy(req: HttpRequest, toy: Data<Toy>, failure: Json<AttemptFailure>) -> Result<HttpResponse, Problem> {
    let job = store::fail_job(&**toy, id_in_path(&req)?, &failure).await.map_err(|abort| toy.0.problem(abort))?;
    Ok(HttpResponse::Ok().json(toy.show(&job)))
}

impl JobOwner for Toy {
    type Subject = ();

    const KINDS: &'static [JobKind] = &[KIND];

    fn owner(&self) -> &Owner {
        &self.0
    }
    async fn lock(&self, _: &mut Connection, _: &str, _: Uuid) -> Result<(), Abort> {
        Ok(())
    }
    async fn start(&self, _: &mut Connection, _: &Job, _: &str, (): &()) -> Result<Option<Value>, Abort> {
        Ok(Some(json!({ "kind": KIND.name })))
    }
    async fn finish(&self, _: &mut Connection, _: &Job, (): &(), _: &JobReport<Value>) -> Result<(), Abort> {
        Ok(())
    }
    async fn fail(&self, _: &mut Connection, _: &Job, _: &str, (): &(), _: &AttemptFailure) -> Result<(), Abort> {
        Ok(())
    }
    async fn retry(&self, _: &mut Connection, _: &Job, (): &()) -> Result<(), Abort> {
        Ok(())
    }
}

/// Every role but the worker, and `more`, in this process. They run until the test ends.
async fn serve(more: &[Role], absent: &[Role], env: &[(&str, &str)]) -> Client {
    let address = format!("127.0.0.1:{}", free_port());
    let mut table: Vec<Role> = more.iter().chain(absent).copied().collect();
    table.extend(roles::ALL.iter().filter(|role| role.name != "worker"));
    let table: &'static [Role] = table.leak();
    let run: Vec<&'static Role> =
        table.iter().filter(|role| absent.iter().all(|absent| absent.name != role.name)).collect();
    let mut all: Env = vec![
        ("W2MEET_DATA_DIR".into(), make_temp_folder().display().to_string()),
        ("W2MEET_GATEWAY__LISTEN".into(), address.clone()),
        ("W2MEET_SERVER__WORKERS".into(), "1".into()),
    ];
    all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let mut settings = config::load_from(None, all.into_iter()).expect("settings").settings;
    for role in absent {
        settings.upstreams.insert(role.name.to_owned(), config::Addresses(vec!["http://127.0.0.1:9".to_owned()]));
    }
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime").block_on(launch::serve(settings, &run, table)).expect("it runs");
    });
    let client = Client::new(&format!("http://{address}"));
    within(std::time::Duration::from_secs(30), "it is ready", async || {
        let ready = client.try_send(Method::GET, "/readyz", &[], None).await;
        ready.is_ok_and(|reply| reply.status == 200).then_some(())
    })
    .await;
    client
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
    let client = serve(&[TOY], &[], &[]).await;
    let toys = mixed_jobs(&client).await;
    for limit in [1, 2, 4, 6, 50] {
        let jobs = pages(&client, &format!("limit={limit}")).await;
        let kinds: Vec<&str> = jobs.iter().map(|job| job["kind"].as_str().expect("a kind")).collect();
        assert_eq!(kinds, ["wind_toy", "send_letter"].repeat(3), "{limit}");
    }
    assert_eq!(pages(&client, "limit=2&state=queued").await.len(), 6);
    assert_eq!(pages(&client, "state=dead").await, [Value::Null; 0]);
    let listed = run_command(&["jobs", "list", "--url", client.base()], &[]);
    let listed = utf8(&listed.stdout);
    assert_eq!((listed.matches("wind_toy").count(), listed.matches("send_letter").count()), (3, 3), "{listed}");
    let shown = run_command(&["jobs", "show", &toys[0], "--url", client.base()], &[]);
    assert!(utf8(&shown.stdout).contains("wind_toy"), "{}", utf8(&shown.stderr));
}

#[actix_web::test]
async fn a_job_is_found_finished_and_retried_at_its_owner() {
    let client = serve(&[TOY], &[], &[]).await;
    let toys = mixed_jobs(&client).await;
    for job in pages(&client, "").await {
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
    report(&client, &path, "wrong").await.expect_problem("401 unauthorized", &path, "another token");
    report(&client, &path, lease["token"].as_str().expect("a token")).await.expect(204);
    assert_eq!(client.get(&format!("/api/jobs/{}", toys[0])).await.expect(200).json["state"], "succeeded");
    client.post(&format!("/api/toys/{}/start", toys[1]), json!({})).await.expect(200);
    let failure = json!({ "attempt": 1, "decision": { "then": "discard" }, "error": "it is broken" });
    client.post(&format!("/api/toys/{}/fail", toys[1]), failure).await.expect(200);
    assert_eq!(pages(&client, "state=dead").await.len(), 1);
    let retried = run_command(&["jobs", "retry", "--all-dead", "--url", client.base()], &[]);
    assert!(retried.status.success(), "{}", utf8(&retried.stderr));
    assert_eq!(client.get(&format!("/api/jobs/{}", toys[1])).await.expect(200).json["state"], "queued");
}

#[actix_web::test]
async fn an_owner_that_is_away_is_named_and_hides_no_job() {
    let client = serve(&[TOY], &[LOST], &[]).await;
    let job = toy_job(&client).await;
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
