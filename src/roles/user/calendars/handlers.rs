//! The handlers of imported calendars. Responses contain no event of a calendar.

use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff_diesel::DateTime;
use serde_json::{Value, json};
use url::Url;

use super::import::acquire_permit_soon;
use super::store::{CalendarInput, Entry, unknown};
use crate::calendar::Fault;
use crate::platform::data::instant::{now, read};
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::id_in_path;
use crate::platform::http::extract::{JsonBody, Params, RawBody, email_in_path, parsed};
use crate::platform::http::json;
use crate::platform::http::problem::{BAD_REQUEST, Problem, UNSUPPORTED_MEDIA};
use crate::platform::outbound::SsrfGuard;
use crate::platform::outbound::calendar_source::{CalendarSource as _, Fetched, File, Validators, text_of};
use crate::roles::user::store::Store;

/// The maximum length of a calendar's name.
const MAX_NAME: usize = 64;

/// `PUT /users/{email}/calendars/{name}`: iCalendar text, or the URL of a published calendar
pub async fn put_calendar(
    req: HttpRequest,
    store: Data<Store>,
    guard: Data<SsrfGuard>,
    RawBody(body): RawBody,
) -> HttpResult {
    let (email, name) = calendar_in_path(&req)?;
    Params::of_query(&req, None).finish(Some(()))?;
    let input = match content_kind(&req)? {
        Kind::Text => read_file(&store, &email, text_of(&body)).await?,
        Kind::Json => {
            let body = json::parse(&body);
            let body = body.map_err(|why| Problem::new(BAD_REQUEST, format!("the body is not valid JSON: {why}")))?;
            let mut fields = Params::of_body(body)?;
            let url = fields.required("url", |value| calendar_url(&guard, value));
            CalendarInput::Url(fields.finish(url)?)
        }
    };
    let (entry, first) = store.put_calendar(&email, &name, &input).await?;
    let location = format!("/api/users/{}/calendars/{name}", email.path_segment());
    Ok(match first {
        true => HttpResponse::Created().insert_header((LOCATION, location)).json(calendar_json(&entry)),
        false => HttpResponse::Ok().json(calendar_json(&entry)),
    })
}

/// `GET /users/{email}/calendars`
pub async fn list_calendars(req: HttpRequest, store: Data<Store>) -> HttpResult {
    let email = email_in_path(&req, 1)?;
    Params::of_query(&req, None).finish(Some(()))?;
    let found: Vec<Value> = all(&store, &email).await?.iter().map(calendar_json).collect();
    Ok(HttpResponse::Ok().json(json!({ "calendars": found })))
}

/// `GET /users/{email}/calendars/{name}`
pub async fn find_calendar(req: HttpRequest, store: Data<Store>) -> HttpResult {
    let (email, name) = calendar_in_path(&req)?;
    Params::of_query(&req, None).finish(Some(()))?;
    let all = all(&store, &email).await?;
    let found = all.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(&email, &name))?;
    Ok(HttpResponse::Ok().json(calendar_json(found)))
}

/// `DELETE /users/{email}/calendars/{name}`
pub async fn delete_calendar(req: HttpRequest, store: Data<Store>) -> HttpResult {
    let (email, name) = calendar_in_path(&req)?;
    store.delete_calendar(&email, &name).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /internal/jobs/{id}/calendar`: the report of a worker that has fetched a subscription
pub async fn refresh_calendar(req: HttpRequest, store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let report = serde_json::from_value(body);
    // the error may quote the calendar, so it is not disclosed
    let report = report.map_err(|_| Problem::new(BAD_REQUEST, "the body is no refresh report"))?;
    store.apply_refresh(id_in_path(&req)?, report).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn read_file(store: &Store, email: &Email, text: String) -> Result<CalendarInput, Problem> {
    let Fetched::Text { text, .. } = File(text).fetch(&Validators::default()).await else {
        return Err(Problem::internal("an uploaded file has no text"));
    };
    let expanded = store.expand(email, &text, now(), acquire_permit_soon().await?).await?;
    let import = expanded.map_err(|why| Problem::validation(vec![Fault::new("#", "not_a_calendar", why)]))?;
    Ok(CalendarInput::File { text, import })
}

async fn all(store: &Store, email: &Email) -> Result<Vec<Entry>, Problem> {
    let found = store.calendars_of(email).await?;
    found.ok_or_else(|| Problem::unknown_user(email.as_str()))
}

/// The calendar in responses to its owner. Only the origin of the URL is included, because its path is often a secret.
fn calendar_json(entry: &Entry) -> Value {
    let origin = Url::parse(&entry.url).ok().map(|url| url.origin().ascii_serialization());
    let at = |at: Option<DateTime>| at.and_then(read);
    json!({
        "name": entry.name, "kind": entry.kind, "origin": origin, "refreshed_at": at(entry.refreshed_at),
        "known_until": at(entry.refreshed_at.and(Some(entry.known_until))), "busy_periods": entry.periods,
        "error": entry.error,
    })
}

enum Kind {
    Text,
    Json,
}

/// The kind of the body, by its content type.
fn content_kind(req: &HttpRequest) -> Result<Kind, Problem> {
    let given = req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let encoded = req.headers().contains_key("content-encoding");
    match essence.as_str() {
        "text/calendar" if !encoded => Ok(Kind::Text),
        "application/json" if !encoded => Ok(Kind::Json),
        _ => {
            let detail = "send iCalendar as Content-Type: text/calendar, or {\"url\": …} as application/json; without Content-Encoding";
            Err(Problem::new(UNSUPPORTED_MEDIA, detail))
        }
    }
}

/// The owner and the name of the calendar in the path.
fn calendar_in_path(req: &HttpRequest) -> Result<(Email, String), Problem> {
    let email = email_in_path(req, 1)?;
    let name = req.uri().path().split('/').nth(4).unwrap_or_default();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= MAX_NAME && name.bytes().all(is_allowed) {
        return Ok((email, name.to_owned()));
    }
    let detail = "must be 1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit";
    Err(Problem::validation(vec![Fault::new("#/name", "not_a_name", detail)]))
}

/// Reads the URL of a subscription; some publishers write `webcal:` for `https:`.
fn calendar_url(guard: &SsrfGuard, value: &Value) -> Result<String, Vec<Fault>> {
    let secure = value.as_str().map(str::trim).map(|text| match text.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("webcal:") => Value::from(format!("https:{}", &text[7..])),
        _ => Value::from(text),
    });
    let read = |text: &str| guard.parse(text).map(|url| url.as_str().to_owned());
    parsed("not_a_calendar_url", read)(secure.as_ref().unwrap_or(value))
}
