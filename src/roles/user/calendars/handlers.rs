//! The handlers of imported calendars. Responses contain no event of a calendar.

use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use url::Url;
use utoipa::ToSchema;

use super::import::acquire_turn_soon;
use super::store::{CalendarInput, Entry, unknown};
use crate::calendar::Fault;
use crate::calendar::icalendar::CalendarWarning;
use crate::platform::auth::Caller;
use crate::platform::data::instant::{now, read};
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, Params, PathId, RawBody, parsed};
use crate::platform::http::json;
use crate::platform::http::problem::{BAD_REQUEST, Problem, UNSUPPORTED_MEDIA};
use crate::platform::outbound::calendar_source::{is_gzip, text_of};
use crate::platform::outbound::{FeedUrl, SsrfGuard};
use crate::roles::user::store::{PathUser, Store};

/// The maximum length of a calendar's name.
const MAX_NAME: usize = 64;

/// An imported calendar, without its events.
#[derive(Serialize, ToSchema)]
pub struct Calendar {
    name: String,
    kind: CalendarKind,
    /// The origin of a subscription's URL. The path is not shown, because it may be secret.
    origin: Option<String>,
    /// The time of the last successful fetch.
    refreshed_at: Option<Timestamp>,
    /// The end of the months whose busy times are known.
    known_until: Option<Timestamp>,
    /// The number of known busy periods.
    #[schema(minimum = 0)]
    busy_periods: i32,
    /// The reason why the last fetch failed.
    error: Option<String>,
    /// What of the calendar was left out or assumed, in the order of the lines. If there are more than 50, one more entry says how
    /// many are not listed.
    warnings: Vec<CalendarWarning>,
}

/// The kind of a calendar.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CalendarKind {
    /// An uploaded file.
    File,
    /// A subscription.
    Url,
}

/// The calendars of a user, in the order of their names.
#[derive(Serialize, ToSchema)]
pub struct Calendars {
    calendars: Vec<Calendar>,
}

impl From<Entry> for Calendar {
    fn from(entry: Entry) -> Calendar {
        Calendar {
            name: entry.name,
            kind: if entry.url.is_empty() { CalendarKind::File } else { CalendarKind::Url },
            origin: Url::parse(&entry.url).ok().map(|url| url.origin().ascii_serialization()),
            refreshed_at: entry.refreshed_at.and_then(read),
            known_until: entry.refreshed_at.and_then(|_| read(entry.known_until)),
            busy_periods: entry.periods,
            error: entry.error,
            warnings: serde_json::from_str(&entry.warnings).unwrap_or_default(),
        }
    }
}

/// `PUT /users/{user}/calendars/{name}`: iCalendar text, or the URL of a published calendar
pub async fn put_calendar(
    req: HttpRequest,
    PathUser(email): PathUser,
    caller: Option<Caller>,
    store: Data<Store>,
    guard: Data<SsrfGuard>,
    RawBody(body): RawBody,
) -> HttpResult {
    let name = name_in_path(&req)?;
    Params::of_query(&req, None).finish(Some(()))?;
    let input = match content_kind(&req)? {
        Kind::Text if is_gzip(&body) => {
            let detail = "the calendar is a gzip file: unpack it, and send its text";
            return Err(Problem::new(UNSUPPORTED_MEDIA, detail));
        }
        Kind::Text => read_file(&store, &email, text_of(&body)).await?,
        Kind::Json => {
            let body = json::parse(&body);
            let body = body.map_err(|why| Problem::new(BAD_REQUEST, format!("the body is not valid JSON: {why}")))?;
            CalendarInput::Url(Params::of_body(body)?.only("url", |value| calendar_url(&guard, value))?)
        }
    };
    let (entry, is_new) = store.put_calendar(caller.as_ref(), &email, &name, &input).await?;
    let location = format!("/api/users/{}/calendars/{name}", email.path_segment());
    let mut response = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
    if is_new {
        response.insert_header((LOCATION, location));
    }
    Ok(response.json(Calendar::from(entry)))
}

/// `GET /users/{user}/calendars`
pub async fn list_calendars(req: HttpRequest, PathUser(email): PathUser, store: Data<Store>) -> HttpResult {
    Params::of_query(&req, None).finish(Some(()))?;
    let calendars = all(&store, &email).await?.into_iter().map(Calendar::from).collect();
    Ok(HttpResponse::Ok().json(Calendars { calendars }))
}

/// `GET /users/{user}/calendars/{name}`
pub async fn find_calendar(req: HttpRequest, PathUser(email): PathUser, store: Data<Store>) -> HttpResult {
    let name = name_in_path(&req)?;
    Params::of_query(&req, None).finish(Some(()))?;
    let mut all = all(&store, &email).await?.into_iter();
    let found = all.find(|entry| entry.name == name).ok_or_else(|| unknown(&email, &name))?;
    Ok(HttpResponse::Ok().json(Calendar::from(found)))
}

/// `DELETE /users/{user}/calendars/{name}`
pub async fn delete_calendar(req: HttpRequest, PathUser(email): PathUser, store: Data<Store>) -> HttpResult {
    let name = name_in_path(&req)?;
    store.delete_calendar(&email, &name).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /internal/jobs/{id}/calendar`: the report of a worker that has fetched a subscription
pub async fn refresh_calendar(PathId(id): PathId, store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let report = serde_json::from_value(body);
    // the error may quote the calendar, so it is not disclosed
    let report = report.map_err(|_| Problem::new(BAD_REQUEST, "the body is no refresh report"))?;
    store.apply_refresh(id, report).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn read_file(store: &Store, email: &Email, text: String) -> Result<CalendarInput, Problem> {
    let expanded = store.expand(email, &text, now(), acquire_turn_soon(email).await?).await?;
    let import = expanded.map_err(|why| Problem::validation(vec![Fault::new("#", "not_a_calendar", why)]))?;
    Ok(CalendarInput::File { text, import })
}

async fn all(store: &Store, email: &Email) -> Result<Vec<Entry>, Problem> {
    let found = store.calendars_of(email).await?;
    found.ok_or_else(|| Problem::unknown_user(email.as_str()))
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

/// The name of the calendar in the path.
fn name_in_path(req: &HttpRequest) -> Result<String, Problem> {
    let name = req.uri().path().split('/').nth(4).unwrap_or_default();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= MAX_NAME && name.bytes().all(is_allowed) {
        return Ok(name.to_owned());
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
    let read = |text: &str| FeedUrl::parse(guard, text).map(|feed| feed.to_secret_text());
    parsed("not_a_calendar_url", read)(secure.as_ref().unwrap_or(value))
}
