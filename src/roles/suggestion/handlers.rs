//! The endpoints of the suggestion role: extract, call, answer.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::api::ROLE;
use super::model::Request;
use crate::platform::extract::{Fields, JsonBody};
use crate::platform::health::Report;
use crate::platform::problem::Problem;
use crate::roles::availability::api::Availabilities;

type Answer = Result<HttpResponse, Problem>;

/// `GET /suggestions`
pub async fn find_suggestions_by_query(req: HttpRequest, times: Data<Availabilities>) -> Answer {
    find_suggestions(Fields::of_query(&req, Some(("attendee", "attendees"))), &times).await
}

/// `POST /suggestions`, for lists that no query string holds
pub async fn find_suggestions_by_body(
    req: HttpRequest,
    times: Data<Availabilities>,
    JsonBody(body): JsonBody,
) -> Answer {
    find_suggestions(Fields::of_body(body)?.without_query(&req), &times).await
}

/// `GET /health`
pub async fn health(times: Data<Availabilities>) -> HttpResponse {
    Report::new(ROLE, vec![times.peer().health().await], Vec::new()).answer()
}

async fn find_suggestions(fields: Fields, times: &Availabilities) -> Answer {
    let request = Request::read(fields)?;
    let detail = times.detail(&request.question).await?;
    Ok(HttpResponse::Ok().json(request.answer(detail, rand::random)?))
}
