//! When a user is busy, for other calendars: VFREEBUSY (RFC 5545, 3.6.4).

use actix_web::http::header::{ETAG, IF_NONE_MATCH};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use uuid::Uuid;

use super::handlers::pad_window;
use super::sources::Sources;
use crate::calendar::icalendar::VFreeBusy;
use crate::calendar::{CalAddress, Fault, Projector, SearchWindow, Zone};
use crate::platform::digest::sha256_number;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{Params, UserKey};
use crate::platform::http::preconditions::EntityTags;
use crate::platform::http::problem::Problem;
use crate::platform::http::window::Window;
use crate::roles::user::api::{Lookup, UserAvailability};

/// Days that are shown when the request names none.
const DAYS: i32 = 14;

/// What a calendar needs to know of a user.
#[derive(Deserialize)]
struct User {
    id: Uuid,
    name: String,
    #[serde(flatten)]
    availability: UserAvailability,
}

/// `GET /users/{user}/freebusy.ics`
pub async fn find_free_busy(req: HttpRequest, user: UserKey, sources: Data<Sources>) -> HttpResult {
    let mut fields = Params::of_query(&req, None);
    let window = Window::read(&mut fields);
    let window = fields.finish(Some(window))?;
    let email = sources.users.email_of(user).await?;
    let now = Timestamp::now();
    // the dates are those of the user's zone, which is not known yet
    let period = pad_window(window.unwrap_or_else(|| next_days(&Zone::utc(), now)));
    let found: Lookup<User> = sources.lookup(vec![email.clone()], Some(period), None).await?;
    let user = found.users.into_iter().next().ok_or_else(|| Problem::unknown_user(email.as_str()))?;
    let User { id, name, availability } = user;
    let frame =
        search_window(&availability.time_zone, window.unwrap_or_else(|| next_days(&availability.time_zone, now)))?;
    let (start, end) = (frame.instant(0), frame.instant(frame.len()));
    let busy = found.busy.into_iter().filter(|one| one.start < end && start < one.end);
    let busy: Vec<_> = busy.map(|one| (one.start, one.end)).collect();
    let who = CalAddress { name, email: email.to_string() };
    let (mut projector, zone) = (Projector::new(&frame), &availability.time_zone);
    let free = projector.project_with(&availability.availability, &availability.overrides, zone);
    let if_needed = projector.project_with(&availability.if_needed, &availability.overrides.cleared(), zone);
    let object = |dtstamp| {
        let uid = format!("{id}.freebusy@w2meet");
        VFreeBusy { uid, dtstamp, user: &who, window: &frame, free: &free, if_needed: &if_needed, busy: &busy }.to_ics()
    };
    // meetings change it and the account does not, so the tag depends on the content, whenever it is asked for
    let tag = sha256_number(object(Timestamp::UNIX_EPOCH).as_bytes());
    let etag = (ETAG, format!("W/\"{tag}\""));
    if EntityTags::read(&req, &IF_NONE_MATCH)?.is_some_and(|known| known.match_weakly(tag)) {
        return Ok(HttpResponse::NotModified().insert_header(etag).finish());
    }
    let content_type = "text/calendar; charset=utf-8; method=PUBLISH; component=VFREEBUSY";
    Ok(HttpResponse::Ok().insert_header(etag).content_type(content_type).body(object(now)))
}

/// The dates from today on.
fn next_days(zone: &Zone, now: Timestamp) -> Window {
    let today = zone.date_at(now);
    Window { from: today, to: today.saturating_add((DAYS - 1).days()) }
}

fn search_window(zone: &Zone, Window { from, to }: Window) -> Result<SearchWindow, Problem> {
    let refused = |detail: String| Problem::validation(vec![Fault::new("#/from", "not_a_window", detail)]);
    let window = SearchWindow::dates(zone.clone(), from, to).map_err(|why| refused(why.to_string()))?;
    match window.is_empty() {
        true => Err(refused(format!("{} never had these dates: ask for others", zone.name()))),
        false => Ok(window),
    }
}
