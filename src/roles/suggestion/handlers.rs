//! The endpoints of the suggestion role: extract, call, answer.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::api::ROLE;
use super::arrange::Notify;
use super::model::Request;
use crate::platform::extract::{Fields, JsonBody, read_as};
use crate::platform::health::Report;
use crate::platform::idempotency::Key;
use crate::platform::problem::Problem;
use crate::roles::availability::api::{Availabilities, Detail, Question};
use crate::roles::user::api::Users;

type Answer = Result<HttpResponse, Problem>;

/// `GET /suggestions`
pub async fn find_suggestions_by_query(req: HttpRequest, times: Data<Availabilities>) -> Answer {
    let fields = Fields::of_query(&req, Some(("attendee", "attendees")));
    let (request, question) = Request::read(fields, asked)?;
    let detail = times.detail(&question).await?;
    Ok(HttpResponse::Ok().json(request.answer(detail, rand::random)?))
}

/// `POST /suggestions`, for lists that no query string holds; with `notify` the meeting is arranged, too
pub async fn find_suggestions_by_body(
    req: HttpRequest,
    times: Data<Availabilities>,
    users: Data<Users>,
    JsonBody(body): JsonBody,
) -> Answer {
    let key = Key::read(&req, &body)?;
    let mut fields = Fields::of_body(body)?.without_query(&req);
    if fields.has("detail") {
        // the worker has asked availability itself
        let whom = |fields: &mut Fields| {
            fields.required("detail", read_as::<Detail>).map(|detail| (detail.attendees.len(), detail)).map(swap)
        };
        let (request, detail) = Request::read(fields, whom)?;
        return Ok(HttpResponse::Ok().json(request.answer(detail, rand::random)?));
    }
    let notify = Notify::read(&mut fields, key);
    let (request, question) = Request::read(fields, asked)?;
    let Some(notify) = notify else {
        let detail = times.detail(&question).await?;
        return Ok(HttpResponse::Ok().json(request.answer(detail, rand::random)?));
    };
    Ok(notify.arrange(&times, &users, &request, question).await?.respond())
}

fn asked(fields: &mut Fields) -> Option<(Question, usize)> {
    Question::read(fields).map(|question| (question.attendees.len(), question)).map(swap)
}

fn swap<A, B>((a, b): (A, B)) -> (B, A) {
    (b, a)
}

/// `GET /health`
pub async fn health(times: Data<Availabilities>) -> HttpResponse {
    Report::new(ROLE, vec![times.peer().health().await], Vec::new()).answer()
}
