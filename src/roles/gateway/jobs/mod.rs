//! The jobs of all owners. The gateway asks every owner: none knows where a job is but the one that has it.

#[expect(dead_code, reason = "the fields of requests are parsed one by one")]
pub mod openapi;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, Params, PathId, RawBody, parsed};
use crate::platform::http::pagination::PageRequest;
use crate::platform::http::problem::{Problem, UNKNOWN_JOB};
use crate::platform::jobs::api::{JobClient, JobFilter};
use crate::platform::jobs::model::JobState;
use crate::platform::role::Context;

/// The owners of jobs, as one worker thread sees them.
pub struct Owners(Vec<JobClient>);

impl Owners {
    pub fn new(context: &Context) -> Owners {
        Owners(JobClient::all(context).into_values().collect())
    }

    /// The answer of the owner that knows a job. The job is unknown only if every owner says so.
    async fn ask<T>(&self, call: impl AsyncFn(&JobClient) -> Result<T, Problem>) -> Result<T, Problem> {
        let mut answers: FuturesUnordered<_> = self.0.iter().map(|owner| call(owner)).collect();
        let mut outcome = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Err(problem) if problem.kind == UNKNOWN_JOB => drop(outcome.get_or_insert(problem)),
                Err(problem) if problem.kind.status >= 500 => outcome = Some(problem),
                known => return known,
            }
        }
        Err(outcome.unwrap_or_else(|| Problem::new(UNKNOWN_JOB, "this installation has no jobs")))
    }
}

/// `GET /api/jobs`, a page in the order of creation; of one state or meeting if that is asked
pub async fn list_jobs(req: HttpRequest, owners: Data<Owners>) -> HttpResult {
    let mut fields = Params::of_query(&req, None);
    let read_state =
        |text: &str| JobState::parse(text).ok_or("must be queued, running, retryable, succeeded, dead or cancelled");
    let state = fields.optional("state", parsed("not_a_state", read_state));
    let id = |text: &str| Uuid::parse_str(text).map_err(|_| "must be a UUID");
    let subject = fields.optional("meeting_id", parsed("not_an_id", id));
    let page = PageRequest::read(&mut fields);
    fields.finish(Some(()))?;
    let filter = JobFilter { state, subject, after: page.after, limit: page.rows() };
    let mut jobs = try_join_all(owners.0.iter().map(|owner| owner.list(&filter))).await?.concat();
    // ids are UUIDv7: their order is that of creation
    jobs.sort_by(|one, other| id_of(one).cmp(id_of(other)));
    jobs.truncate(page.limit as usize);
    let state = state.map_or_else(String::new, |state| format!("&state={}", state.name()));
    let meeting = subject.map_or_else(String::new, |id| format!("&meeting_id={id}"));
    let next = page.next_cursor(&jobs, |job| id_of(job).to_owned());
    Ok(page.respond(next, "/api/jobs", &format!("{state}{meeting}"), json!({ "jobs": jobs })))
}

fn id_of(job: &Value) -> &str {
    job["id"].as_str().unwrap_or_default()
}

/// `GET /api/jobs/{id}`
pub async fn find_job(PathId(id): PathId, owners: Data<Owners>) -> HttpResult {
    Ok(HttpResponse::Ok().json(owners.ask(async |owner| owner.find(id).await).await?))
}

/// `POST /api/jobs/{id}/retry`: retries a job that failed
pub async fn retry_job(PathId(id): PathId, owners: Data<Owners>, _ignored: RawBody) -> HttpResult {
    Ok(HttpResponse::Accepted().json(owners.ask(async |owner| owner.retry(id).await).await?))
}

/// `POST /api/callbacks/jobs/{id}`: an attempt has succeeded; the owner checks the job's token
pub async fn finish_job(PathId(id): PathId, owners: Data<Owners>, JsonBody(report): JsonBody) -> HttpResult {
    owners.ask(async |owner| owner.pass_report(id, &report).await).await?;
    Ok(HttpResponse::NoContent().finish())
}
