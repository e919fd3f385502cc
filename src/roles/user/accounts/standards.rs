//! What an account tells other calendars in their own formats, and takes from them: VFREEBUSY and VAVAILABILITY.

use actix_web::guard::GuardContext;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};

use super::handlers::{Cached, change, etag, find, requested_format, show_week, unless_known};
use super::model::{Profile, User};
use crate::calendar::CalAddress;
use crate::calendar::icalendar::{VAvailability, VAvailabilityError, parse_vavailability};
use crate::platform::data::instant::now;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{Params, RawBody};
use crate::platform::http::problem::{BAD_REQUEST, Problem, UNSUPPORTED_MEDIA};
use crate::roles::user::store::PathUser;

/// Faults that one answer lists.
const MOST_FAULTS: usize = 100;

/// `GET /users/{user}/availability.ics`
pub async fn find_availability_for_calendars(req: HttpRequest, PathUser(email): PathUser, users: Cached) -> HttpResult {
    Params::of_query(&req, None).finish(Some(()))?;
    let user = find(&users, &email).await?;
    if let Some(known) = unless_known(&req, &user)? {
        return Ok(known);
    }
    let availability = VAvailability {
        user_id: user.id,
        dtstamp: user.updated_at,
        since: user.created_at,
        user: &CalAddress { name: user.profile.name.clone(), email: user.email.to_string() },
        zone: &user.profile.time_zone,
        week: &user.profile.availability,
    };
    Ok(HttpResponse::Ok()
        .insert_header(etag(&user))
        .content_type("text/calendar; charset=utf-8; component=VAVAILABILITY")
        .body(availability.to_ics()))
}

/// `PUT /users/{user}/availability` with a VAVAILABILITY
pub async fn replace_availability_by_calendar(
    req: HttpRequest,
    PathUser(email): PathUser,
    users: Cached,
    RawBody(body): RawBody,
) -> HttpResult {
    let format = requested_format(&req)?;
    check_encoding(&req)?;
    let text = std::str::from_utf8(&body).map_err(|_| Problem::new(BAD_REQUEST, "the body is not UTF-8"))?;
    let replaced = |user: &User| {
        let zone = &user.profile.time_zone;
        let availability = parse_vavailability(text, zone, zone.date_at(now())).map_err(refused)?;
        Ok(Profile { availability, ..user.profile.clone() })
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
