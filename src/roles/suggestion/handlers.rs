//! The endpoints of the suggestion role: extract, call, answer.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::api::ROLE;
use super::booking::Booking;
use super::model::Candidates;
use super::relaxations;
use super::request::{Request, Whom};
use crate::platform::email::Email;
use crate::platform::http::extract::{JsonBody, Params, read_as};
use crate::platform::http::health::Report;
use crate::platform::http::idempotency::IdempotencyKey;
use crate::platform::http::problem::Problem;
use crate::roles::availability::api::{AvailabilityClient, GroupDetail, IN_A_QUERY, Question, quorum};
use crate::roles::user::api::UserClient;

type Answer = Result<HttpResponse, Problem>;

/// `GET /suggestions`
pub async fn find_suggestions_by_query(req: HttpRequest, times: Data<AvailabilityClient>) -> Answer {
    find(Params::of_query(&req, IN_A_QUERY), &times).await
}

/// `POST /suggestions`, for lists that no query string holds; with `notify` the meeting is arranged, too
pub async fn find_suggestions_by_body(
    req: HttpRequest,
    times: Data<AvailabilityClient>,
    users: Data<UserClient>,
    JsonBody(body): JsonBody,
) -> Answer {
    let key = IdempotencyKey::read(&req, &body)?;
    let mut fields = Params::of_body(body)?.without_query(&req);
    if fields.has("detail") {
        return rank(fields);
    }
    match Booking::read(&mut fields, key) {
        None => find(fields, &times).await,
        Some(notify) => {
            let (request, question) = Request::read(fields, asked)?;
            Ok(notify.arrange(&times, &users, &request, question).await?.respond())
        }
    }
}

async fn find(fields: Params, times: &AvailabilityClient) -> Answer {
    let (request, question) = Request::read(fields, asked)?;
    let detail = times.detail(&question).await?;
    let mut room =
        Candidates::enter(&request, detail, rand::random).map_err(|fault| Problem::internal(fault.detail))?;
    let mut answer = room.answer();
    relaxations::look(times, &request, &question, &mut answer).await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// Whoever hands in the detail has asked availability already: nobody is asked again.
fn rank(fields: Params) -> Answer {
    let whom = |fields: &mut Params, _: Option<&Email>| {
        let detail = fields.required("detail", read_as::<GroupDetail>);
        let names = detail.as_ref().map(|detail| detail.attendees.len() + detail.unknown.len());
        let quorum = quorum(fields, names);
        Some(Whom { what: detail?, names: names?, quorum })
    };
    let (request, detail) = Request::read(fields, whom)?;
    let wrong = |fault: crate::calendar::Fault| Problem::validation(vec![fault.under("#/detail")]);
    let mut room = Candidates::enter(&request, detail, rand::random).map_err(wrong)?;
    Ok(HttpResponse::Ok().json(room.answer()))
}

fn asked(fields: &mut Params, organizer: Option<&Email>) -> Option<Whom<Question>> {
    let question = Question::read(fields, organizer)?;
    Some(Whom { names: question.attendees.len(), quorum: question.quorum, what: question })
}

/// `GET /health`
pub async fn health(times: Data<AvailabilityClient>) -> HttpResponse {
    Report::new(ROLE, vec![times.peer().health().await], Vec::new()).answer()
}
