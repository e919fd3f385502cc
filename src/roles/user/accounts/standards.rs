//! What an account tells other calendars in their own formats, and takes from them: VFREEBUSY and VAVAILABILITY.

use actix_web::guard::GuardContext;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use super::handlers::{Answer, Cached, asked, change, find, show_week, unless_known};
use super::model::{Profile, User};
use crate::calendar::icalendar::{VAvailability, VAvailabilityError, VFreeBusy, parse_vavailability};
use crate::calendar::{CalAddress, Fault, Projector, SearchWindow};
use crate::platform::data::instant::now;
use crate::platform::http::extract::{Params, RawBody, email_in_path};
use crate::platform::http::preconditions::EntityTags;
use crate::platform::http::problem::{BAD_REQUEST, Problem, UNSUPPORTED_MEDIA};
use crate::platform::http::window::Window;
use crate::roles::user::api::meetings::Period;

/// Days that are told when nobody says which.
const DAYS: i32 = 14;
/// Faults that one answer lists.
const MOST_FAULTS: usize = 100;

/// `GET /users/{email}/freebusy.ics`
pub async fn find_free_busy(req: HttpRequest, users: Cached) -> Answer {
    let email = email_in_path(&req, 1)?;
    let mut fields = Params::of_query(&req, None);
    let window = Window::read(&mut fields);
    let window = fields.finish(Some(window))?;
    let user = find(&users, &email).await?;
    let now = now();
    let frame = frame(&user, window, now)?;
    let period = Period { start: frame.instant(0), end: frame.instant(frame.len()) };
    let store = &users.source().store;
    let mut busy = store.busy(&[email.as_str()], period).await.map_err(|why| store.owner.read_problem(&why))?;
    busy.extend(store.imported(&[email.as_str()], period).await.map_err(|why| store.owner.read_problem(&why))?);
    let busy: Vec<_> = busy.into_iter().map(|one| (one.start, one.end)).collect();
    let (mut projector, zone, who) = (Projector::new(&frame), &user.time_zone, person(&user));
    let free = projector.project_with(&user.availability, &user.overrides, zone);
    let if_needed = projector.project_with(&user.if_needed, &user.overrides.cleared(), zone);
    let object = |dtstamp| {
        let uid = format!("{}.freebusy@w2meet", user.id);
        VFreeBusy { uid, dtstamp, user: &who, window: &frame, free: &free, if_needed: &if_needed, busy: &busy }.to_ics()
    };
    // Meetings change it and the account does not: its tag is what it says, whenever it says so.
    let tag = tag(&object(Timestamp::UNIX_EPOCH));
    let etag = (ETAG, format!("W/\"{tag}\""));
    if EntityTags::read(&req, &IF_NONE_MATCH)?.is_some_and(|known| known.match_weakly(tag)) {
        return Ok(HttpResponse::NotModified().insert_header(etag).finish());
    }
    let content_type = "text/calendar; charset=utf-8; method=PUBLISH; component=VFREEBUSY";
    Ok(HttpResponse::Ok().insert_header(etag).content_type(content_type).body(object(now)))
}

/// `GET /users/{email}/availability.ics`
pub async fn find_availability_for_calendars(req: HttpRequest, users: Cached) -> Answer {
    let email = email_in_path(&req, 1)?;
    Params::of_query(&req, None).finish(Some(()))?;
    let user = find(&users, &email).await?;
    if let Some(known) = unless_known(&req, &user)? {
        return Ok(known);
    }
    let availability = VAvailability {
        user_id: user.id,
        dtstamp: user.updated_at,
        since: user.created_at,
        user: &person(&user),
        zone: &user.time_zone,
        week: &user.availability,
    };
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, format!("\"{}\"", user.version)))
        .content_type("text/calendar; charset=utf-8; component=VAVAILABILITY")
        .body(availability.to_ics()))
}

/// `PUT /users/{email}/availability` with a VAVAILABILITY
pub async fn replace_availability_by_calendar(req: HttpRequest, users: Cached, RawBody(body): RawBody) -> Answer {
    let (email, format) = asked(&req)?;
    check_encoding(&req)?;
    let text = std::str::from_utf8(&body).map_err(|_| Problem::new(BAD_REQUEST, "the body is not UTF-8"))?;
    let replaced = |user: &User| {
        let today = user.time_zone.date_at(now());
        let week = parse_vavailability(text, &user.time_zone, today).map_err(refused)?;
        Ok(Profile { availability: week, ..user.profile() })
    };
    let user = change(&req, &users, &email, replaced).await?;
    Ok(show_week(&user, format))
}

/// Whether a body is sent as `text/calendar`.
pub fn is_calendar(context: &GuardContext<'_>) -> bool {
    let given = context.head().headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("text/calendar"))
}

fn check_encoding(req: &HttpRequest) -> Result<(), Problem> {
    let given = req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.to_ascii_lowercase();
    let mut charsets = given.split(';').filter_map(|one| one.trim().strip_prefix("charset="));
    match charsets.all(|it| it.trim_matches('"') == "utf-8") && !req.headers().contains_key(CONTENT_ENCODING) {
        true => Ok(()),
        false => Err(Problem::new(UNSUPPORTED_MEDIA, "send text/calendar in UTF-8, without Content-Encoding")),
    }
}

fn refused(why: VAvailabilityError) -> Problem {
    match why {
        VAvailabilityError::Syntax(why) => Problem::new(BAD_REQUEST, format!("the body is not a calendar: {why}")),
        VAvailabilityError::Unsupported(mut faults) => {
            faults.truncate(MOST_FAULTS);
            Problem::validation(faults.into_iter().map(|fault| fault.under("#")).collect())
        }
    }
}

/// The dates asked for on the user's own clock, or those from today on.
fn frame(user: &User, window: Option<Window>, now: Timestamp) -> Result<SearchWindow, Problem> {
    let today = user.time_zone.date_at(now);
    let next = Window { from: today, to: today.saturating_add((DAYS - 1).days()) };
    let Window { from, to } = window.unwrap_or(next);
    let refused = |detail: String| Problem::validation(vec![Fault::new("#/from", "not_a_window", detail)]);
    let frame = SearchWindow::dates(user.time_zone.clone(), from, to).map_err(|why| refused(why.to_string()))?;
    match frame.is_empty() {
        true => Err(refused(format!("{} never had these dates: ask for others", user.time_zone.name()))),
        false => Ok(frame),
    }
}

fn person(user: &User) -> CalAddress {
    CalAddress { name: user.name.clone(), email: user.email.to_string() }
}

/// A number that stands for a text.
fn tag(text: &str) -> i64 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let first = std::array::from_fn(|index| digest[index]);
    i64::from_le_bytes(first) & i64::MAX
}
