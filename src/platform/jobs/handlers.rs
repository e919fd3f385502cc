//! The handlers of [`super::endpoints`].

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::store::{self, unknown};
use super::{JobOwner, api};
use crate::platform::http::extract::{JsonBody, PathId};
use crate::platform::http::problem::{BAD_REQUEST, Problem, UNAUTHORIZED};

type Answer = Result<HttpResponse, Problem>;

/// `POST /internal/jobs/{id}/start`
///
/// # Errors
/// See [`store::start_job`].
pub async fn start_job<O: JobOwner>(PathId(id): PathId, own: Data<O>) -> Answer {
    let lease = store::start_job(&**own, id).await;
    Ok(HttpResponse::Ok().json(lease?))
}

/// `POST /internal/jobs/{id}/fail`: an attempt has failed
///
/// # Errors
/// See [`store::fail_job`].
pub async fn fail_job<O: JobOwner>(PathId(id): PathId, own: Data<O>, JsonBody(body): JsonBody) -> Answer {
    let failure: api::AttemptFailure = read_body(body)?;
    let job = store::fail_job(&**own, id, &failure).await;
    Ok(HttpResponse::Ok().json(own.show(&job?)))
}

/// `POST /internal/jobs/{id}/finish`: an attempt has succeeded; the job's own token authorizes the report
///
/// # Errors
/// See [`store::finish_job`].
pub async fn finish_job<O: JobOwner>(
    req: HttpRequest,
    PathId(id): PathId,
    own: Data<O>,
    JsonBody(body): JsonBody,
) -> Answer {
    let given = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let needs = || Problem::new(UNAUTHORIZED, "send the job's token as Authorization: Bearer");
    let (scheme, token) = given.split_once(' ').ok_or_else(needs)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(needs());
    }
    let report: api::JobReport<Value> = read_body(body)?;
    let finished = store::finish_job(&**own, id, token.trim(), &report).await;
    finished?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /internal/jobs/lookup`: a page of jobs
///
/// # Errors
/// 503 while the database does not answer.
pub async fn list_jobs<O: JobOwner>(own: Data<O>, JsonBody(body): JsonBody) -> Answer {
    let found = store::list_jobs(own.owner(), &read_body(body)?).await;
    Ok(HttpResponse::Ok().json(found?.iter().map(|job| own.show(job)).collect::<Vec<_>>()))
}

/// `GET /internal/jobs/{id}`
///
/// # Errors
/// 404 for an unknown job.
pub async fn find_job<O: JobOwner>(PathId(id): PathId, own: Data<O>) -> Answer {
    let job = store::find_job(own.owner(), id).await?;
    Ok(HttpResponse::Ok().json(own.show(&job.ok_or_else(|| unknown(id))?)))
}

/// `POST /internal/jobs/{id}/retry`: an administrator retries a job
///
/// # Errors
/// See [`store::retry_job`].
pub async fn retry_job<O: JobOwner>(PathId(id): PathId, own: Data<O>) -> Answer {
    let job = store::retry_job(&**own, id).await;
    Ok(HttpResponse::Accepted().json(own.show(&job?)))
}

fn read_body<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|why| Problem::new(BAD_REQUEST, format!("the body cannot be read: {why}")))
}
