//! The handlers of the availability role: they parse, look up, and combine.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::answer::AnswerFormat;
use super::api::{QUERY_LISTS, Question, ROLE, Window};
use super::model::{GroupAvailability, combine};
use super::sources::Sources;
use crate::calendar::{Fault, Format, Zone};
use crate::config::Settings;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{Json, JsonBody, Params, format};
use crate::platform::http::health::HealthCheck;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::Period;

/// View digits in one answer: a few megabytes.
const MAX_DIGITS: u64 = 10_000_000;

/// `GET /availability`
pub async fn find_common_by_query(req: HttpRequest, sources: Data<Sources>) -> HttpResult {
    find_common(Params::of_query(&req, QUERY_LISTS), &sources).await
}

/// `POST /availability`, for long lists
pub async fn find_common_by_body(req: HttpRequest, sources: Data<Sources>, JsonBody(body): JsonBody) -> HttpResult {
    find_common(Params::of_body(body)?.without_query(&req), &sources).await
}

/// `POST /internal/availability/detail`
pub async fn find_detail(
    sources: Data<Sources>,
    settings: Data<Settings>,
    Json(question): Json<Question>,
) -> HttpResult {
    let key = settings.auth.service_secret.expose();
    Ok(HttpResponse::Ok().json(group_availability(&question, &sources).await?.detail(key)))
}

/// `GET /health`
pub async fn health(req: HttpRequest, sources: Data<Sources>, check: Data<HealthCheck>) -> HttpResponse {
    check.respond(&req, ROLE, async { Default::default() }, sources.health()).await
}

async fn find_common(mut params: Params, sources: &Sources) -> HttpResult {
    let format: Option<Format> = params.optional("format", format);
    let view = params.number("view_minutes", 15..=60);
    let question = Question::parse(&mut params, None, Timestamp::now());
    if format.is_some() && question.as_ref().is_some_and(|question| question.window.is_some()) {
        params.fault(Fault::new(
            "#/format",
            "window_and_week",
            "is for the typical week: leave it out, or leave out the dates",
        ));
    }
    if view.is_some_and(|minutes| ![15, 30, 60].contains(&minutes)) {
        params.fault(Fault::new("#/view_minutes", "not_a_step", "must be 15, 30 or 60"));
    } else if let (Some(minutes), Some(question)) = (view, &question)
        && count_digits(question, minutes) > MAX_DIGITS
    {
        let detail = format!("makes an answer of more than {MAX_DIGITS} digits: ask for fewer attendees or dates");
        params.fault(Fault::new("#/view_minutes", "answer_too_long", detail));
    }
    let question = params.finish(question)?;
    let view = view.and_then(|minutes| usize::try_from(minutes / 15).ok());
    let format = AnswerFormat { format: format.unwrap_or_default(), view };
    Ok(HttpResponse::Ok().json(group_availability(&question, sources).await?.answer(format)))
}

/// About how many digits the views of all attendees have.
fn count_digits(question: &Question, minutes: u64) -> u64 {
    let days =
        question.window.map_or(7, |Window { from, to }| to.duration_since(from).as_hours().unsigned_abs() / 24 + 1);
    question.attendees.len() as u64 * days * 1440 / minutes
}

/// Answers a question with one look-up, whatever the number of attendees.
async fn group_availability(question: &Question, sources: &Sources) -> Result<GroupAvailability, Problem> {
    let (emails, busy_in) = (question.emails(), question.window.map(pad_window));
    combine(question, sources.lookup(emails, busy_in, question.except).await?, today)
}

/// The dates as instants, with a day more on both sides: their zone is not known yet.
pub(super) fn pad_window(window: Window) -> Period {
    let instant = |date: Date| date.to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp());
    Period { start: instant(window.from.saturating_sub(1.day())), end: instant(window.to.saturating_add(2.days())) }
}

fn today(zone: &Zone) -> Date {
    zone.date_at(Timestamp::now())
}
