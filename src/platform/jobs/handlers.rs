//! The endpoints of an owner's jobs: for workers, for the gateway's callback, and for administrators.

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::JobState;
use super::store::{self, JobFilter, unknown};
use super::{JobOwner, api};
use crate::platform::http::extract::{JsonBody, Params, id_in_path, parsed};
use crate::platform::http::problem::{BAD_REQUEST, Problem, UNAUTHORIZED};

type Answer = Result<HttpResponse, Problem>;

/// Jobs in one page.
const PAGE: u64 = 50;

/// `POST /internal/jobs/{id}/start`
///
/// # Errors
/// See [`store::start_job`].
pub async fn start_job<O: JobOwner>(req: HttpRequest, own: Data<O>) -> Answer {
    let lease = store::start_job(&**own, id_in_path(&req)?).await;
    Ok(HttpResponse::Ok().json(lease.map_err(|abort| own.owner().problem(abort))?))
}

/// `POST /internal/jobs/{id}/retry`: an attempt has failed
///
/// # Errors
/// See [`store::fail_job`].
pub async fn fail_job<O: JobOwner>(req: HttpRequest, own: Data<O>, JsonBody(body): JsonBody) -> Answer {
    let failure: api::AttemptFailure = read_report(body)?;
    let job = store::fail_job(&**own, id_in_path(&req)?, &failure).await;
    Ok(HttpResponse::Ok().json(own.show(&job.map_err(|abort| own.owner().problem(abort))?)))
}

/// `POST /callbacks/jobs/{id}`: an attempt has succeeded; opened by the job's own token
///
/// # Errors
/// See [`store::finish_job`].
pub async fn finish_job<O: JobOwner>(req: HttpRequest, own: Data<O>, JsonBody(body): JsonBody) -> Answer {
    let given = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let needs = || Problem::new(UNAUTHORIZED, "send the job's token as Authorization: Bearer");
    let (scheme, token) = given.split_once(' ').ok_or_else(needs)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(needs());
    }
    let report: api::JobReport<Value> = read_report(body)?;
    let finished = store::finish_job(&**own, id_in_path(&req)?, token.trim(), &report).await;
    finished.map_err(|abort| own.owner().problem(abort))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /jobs`, a page in the order of creation; of one state or meeting if that is asked
///
/// # Errors
/// 422 for parameters that cannot be read.
pub async fn list_jobs<O: JobOwner>(req: HttpRequest, own: Data<O>) -> Answer {
    let mut fields = Params::of_query(&req, None);
    let read_state =
        |text: &str| JobState::parse(text).ok_or("must be queued, running, retryable, succeeded, dead or cancelled");
    let state = fields.optional("state", parsed("not_a_state", read_state));
    let id = |text: &str| Uuid::parse_str(text).map_err(|_| "must be a UUID");
    let subject = fields.optional("meeting_id", parsed("not_an_id", id));
    let limit = fields.number("limit", 1..=200).unwrap_or(PAGE);
    let after = fields.optional("cursor", parsed("not_a_cursor", id));
    fields.finish(Some(()))?;
    let filter = JobFilter { state, subject, after, limit: limit.cast_signed() };
    let found = store::list_jobs(own.owner(), &filter).await.map_err(|why| own.owner().read_problem(&why))?;
    let mut answer = HttpResponse::Ok();
    if let Some(last) = found.last().filter(|_| found.len() as u64 == limit) {
        let state = state.map_or_else(String::new, |state| format!("&state={}", state.name()));
        let meeting = subject.map_or_else(String::new, |id| format!("&meeting_id={id}"));
        let next = format!("</api/jobs?limit={limit}{state}{meeting}&cursor={}>; rel=\"next\"", last.id);
        answer.insert_header((actix_web::http::header::LINK, next));
    }
    Ok(answer.json(json!({ "jobs": found.iter().map(|job| own.show(job)).collect::<Vec<_>>() })))
}

/// `GET /jobs/{id}`
///
/// # Errors
/// 404 for an unknown job.
pub async fn find_job<O: JobOwner>(req: HttpRequest, own: Data<O>) -> Answer {
    let id = id_in_path(&req)?;
    let job = store::find_job(own.owner(), id).await.map_err(|why| own.owner().read_problem(&why))?;
    Ok(HttpResponse::Ok().json(own.show(&job.ok_or_else(|| unknown(id))?)))
}

/// `POST /jobs/{id}/retry`: retries a job that failed
///
/// # Errors
/// See [`store::retry_job`].
pub async fn retry_job<O: JobOwner>(req: HttpRequest, own: Data<O>) -> Answer {
    let job = store::retry_job(&**own, id_in_path(&req)?).await;
    Ok(HttpResponse::Accepted().json(own.show(&job.map_err(|abort| own.owner().problem(abort))?)))
}

fn read_report<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|why| Problem::new(BAD_REQUEST, format!("the body is not a report: {why}")))
}
