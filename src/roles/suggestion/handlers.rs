//! The handlers of the suggestion role: they parse, call availability, and rank.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::api::{ROLE, RankRequest};
use super::booking::Booking;
use super::model::Candidates;
use super::relaxations;
use super::request::SuggestionRequest;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{Json, JsonBody, Params};
use crate::platform::http::health::HealthCheck;
use crate::platform::http::idempotency::IdempotencyKey;
use crate::platform::http::problem::Problem;
use crate::roles::availability::api::{AvailabilityClient, QUERY_LISTS};
use crate::roles::reservation::api::ReservationClient;

/// `GET /suggestions`
pub async fn find_suggestions_by_query(req: HttpRequest, availability: Data<AvailabilityClient>) -> HttpResult {
    find_suggestions(Params::of_query(&req, QUERY_LISTS), &availability).await
}

/// `POST /suggestions`, for long lists; with `notify` it also books the meeting
pub async fn find_suggestions_by_body(
    req: HttpRequest,
    availability: Data<AvailabilityClient>,
    reservation: Data<ReservationClient>,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let key = IdempotencyKey::read(&req, None, &body)?;
    let mut params = Params::of_body(body)?.without_query(&req);
    match Booking::parse(&mut params, key) {
        None => find_suggestions(params, &availability).await,
        Some(booking) => {
            let (request, question) = SuggestionRequest::parse(params)?;
            Ok(booking.book(&availability, &reservation, &request, question).await?.respond())
        }
    }
}

async fn find_suggestions(params: Params, availability: &AvailabilityClient) -> HttpResult {
    let (request, question) = SuggestionRequest::parse(params)?;
    let detail = availability.detail(&question).await?;
    let candidates = Candidates::from_detail(&request, detail, rand::random);
    let mut candidates = candidates.map_err(|fault| Problem::internal(fault.detail))?;
    let mut answer = candidates.suggest();
    relaxations::extend(availability, &request, &question, &mut answer).await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// `POST /internal/suggestions/rank`, for a worker that has the answer of availability already
pub async fn rank_group(Json(rank): Json<RankRequest>) -> HttpResult {
    let request = SuggestionRequest::for_ranking(&rank);
    let invalid = |fault: crate::calendar::Fault| Problem::validation(vec![fault.under("#/detail")]);
    let mut candidates = Candidates::from_detail(&request, rank.detail, rand::random).map_err(invalid)?;
    Ok(HttpResponse::Ok().json(candidates.suggest()))
}

/// `GET /health`
pub async fn health(
    req: HttpRequest,
    availability: Data<AvailabilityClient>,
    check: Data<HealthCheck>,
) -> HttpResponse {
    let peers = async { vec![availability.peer().health().await] };
    check.respond(&req, ROLE, async { Default::default() }, peers).await
}
