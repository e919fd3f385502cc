//! The endpoints of jobs: for workers, for the gateway's callback, and for whoever looks after this installation.

use actix_web::http::header::{AUTHORIZATION, LINK};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::model::{Job, State};
use super::store::unknown;
use crate::platform::http::extract::{JsonBody, Params, parsed};
use crate::platform::http::problem::{BAD_REQUEST, Problem, UNAUTHORIZED};
use crate::roles::user::meetings::handlers::id_in_path;
use crate::roles::user::store::Store;

type Answer = Result<HttpResponse, Problem>;

const PAGE: u64 = 50;

/// `POST /internal/jobs/{id}/start`
pub async fn start_job(req: HttpRequest, store: Data<Store>) -> Answer {
    let order = store.start_job(id_in_path(&req)?).await.map_err(|stop| store.problem(stop))?;
    Ok(HttpResponse::Ok().json(order))
}

/// `POST /internal/jobs/{id}/retry`: an attempt has failed
pub async fn fail_job(req: HttpRequest, store: Data<Store>, JsonBody(body): JsonBody) -> Answer {
    let job = store.fail_job(id_in_path(&req)?, &read(body)?).await.map_err(|stop| store.problem(stop))?;
    Ok(HttpResponse::Ok().json(job.public()))
}

/// `POST /callbacks/jobs/{id}`: an attempt has done its work; opened by the job's own token
pub async fn finish_job(req: HttpRequest, store: Data<Store>, JsonBody(body): JsonBody) -> Answer {
    let given = req.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let needs = || Problem::new(UNAUTHORIZED, "send the job's token as Authorization: Bearer");
    let (scheme, token) = given.split_once(' ').ok_or_else(needs)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(needs());
    }
    let done = read(body)?;
    store.finish_job(id_in_path(&req)?, token.trim(), &done).await.map_err(|stop| store.problem(stop))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /jobs`, a page in the order of creation; of one state or meeting if that is asked
pub async fn list_jobs(req: HttpRequest, store: Data<Store>) -> Answer {
    let mut fields = Params::of_query(&req, None);
    let state = fields.optional(
        "state",
        parsed("not_a_state", |text| {
            State::parse(text).ok_or("must be queued, running, retryable, succeeded, dead or cancelled")
        }),
    );
    let id = |text: &str| Uuid::parse_str(text).map_err(|_| "must be a UUID");
    let meeting = fields.optional("meeting_id", parsed("not_an_id", id));
    let limit = fields.number("limit", 1..=200).unwrap_or(PAGE);
    let cursor = fields.optional("cursor", parsed("not_a_cursor", id));
    fields.finish(Some(()))?;
    let after = cursor.map(|id| id.to_string()).unwrap_or_default();
    let found = store.jobs(state, meeting, &after, limit.cast_signed()).await.map_err(|why| store.unread(&why))?;
    let mut answer = HttpResponse::Ok();
    if let Some(last) = found.last().filter(|_| found.len() as u64 == limit) {
        let state = state.map_or_else(String::new, |state| format!("&state={}", state.name()));
        let meeting = meeting.map_or_else(String::new, |id| format!("&meeting_id={id}"));
        let next = format!("</api/jobs?limit={limit}{state}{meeting}&cursor={}>; rel=\"next\"", last.id);
        answer.insert_header((LINK, next));
    }
    Ok(answer.json(json!({ "jobs": found.iter().map(Job::public).collect::<Vec<_>>() })))
}

/// `GET /jobs/{id}`
pub async fn find_job(req: HttpRequest, store: Data<Store>) -> Answer {
    let id = id_in_path(&req)?;
    let job = store.job(id).await.map_err(|why| store.unread(&why))?.ok_or_else(|| unknown(id))?;
    Ok(HttpResponse::Ok().json(job.public()))
}

/// `POST /jobs/{id}/retry`: takes up again what was given up
pub async fn retry_job(req: HttpRequest, store: Data<Store>) -> Answer {
    let job = store.retry_job(id_in_path(&req)?).await.map_err(|stop| store.problem(stop))?;
    Ok(HttpResponse::Accepted().json(job.public()))
}

fn read<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    serde_json::from_value(body).map_err(|why| Problem::new(BAD_REQUEST, format!("the body is no report: {why}")))
}
