//! The legacy API: the paths and formats of an earlier implementation, kept for its clients and its test suite. To remove it,
//! delete this folder and its lines in `mod.rs` and `endpoints.rs` of the gateway; no other file refers to it.
//!
//! It has whole hours, no time zones, and lists of errors. The handlers translate requests to the API, and responses from it.

mod endpoints;
mod errors;
#[expect(dead_code, reason = "the fields of requests are parsed one by one")]
mod requests;
mod responses;

use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

pub use self::endpoints::endpoints;
use self::errors::legacy_error;
use self::responses::{ReferenceAccepted, ReferenceCommon, ReferenceSlot, ReferenceSuggestions, ReferenceUser};
use super::handlers::Peers;
use crate::calendar::{Fault, Format, Preference, Week, parse_week, week_to_json};
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, Params, UserKey, email, parsed};
use crate::platform::http::health::{Report, Status};
use crate::platform::http::problem::{ErrorFormat, Problem};
use crate::platform::request_context::RequestContext;
use crate::platform::role::Context;
use crate::platform::rpc::request::RpcRequest;
use crate::roles::suggestion::api::Suggestions;
use crate::roles::user::api::problems::USER_EXISTS;

/// The legacy API has no time zones.
const NO_ZONE: &str = "time_zone=floating";

/// The legacy API has whole hours only.
const MINUTES_PER_HOUR: u32 = 60;

/// Field names of the API, and of the legacy API.
const FIELD_NAMES: [(&str, &str); 2] = [("availability", "availabilities"), ("preference", "preferences")];

/// The form of every error under the legacy paths.
pub const ERROR_FORMAT: ErrorFormat = ErrorFormat(legacy_error);

async fn role_health(role: &'static str, peers: Data<Peers>) -> HttpResponse {
    let unhealthy = || {
        let service = format!("{role}-service");
        let (case_id, dependencies) = (RequestContext::current_id(), Default::default());
        Report { case_id, service, status: Status::Unhealthy, dependencies }.answer()
    };
    let Some(peer) = peers.find(role) else {
        return unhealthy();
    };
    match peer.exchange(&RpcRequest::get("/health")).await {
        Ok((status, body)) => HttpResponse::build(status).content_type("application/json").body(body),
        Err(_) => unhealthy(),
    }
}

async fn create_user(req: HttpRequest, peers: Data<Peers>, body: JsonBody) -> HttpResult {
    refuse_query(&req)?;
    let has_name = body.0.get("name").is_some();
    let user = to_native_user(body.0)?;
    let request = RpcRequest::new(Method::POST, "/users?format=hours").json(&user)?;
    match peers.call::<ReferenceUser>("user", request).await {
        Ok(created) => Ok(HttpResponse::Created().json(created)),
        Err(problem) if problem.kind == USER_EXISTS => {
            let address = user["email"].as_str().and_then(|typed| Email::parse(typed).ok());
            let address = address.ok_or_else(|| Problem::internal("no address"))?;
            let existing = peers.user(&UserKey::Email(address)).await?;
            let is_named = !has_name || existing.name == user["name"];
            if is_named && is_same(&user, &existing) {
                return Ok(HttpResponse::Ok().json(existing));
            }
            let email = existing.email;
            let detail = format!("{email} exists with other values: change them with PUT /users/users/{email}");
            Err(Problem::new(USER_EXISTS, detail))
        }
        Err(problem) => Err(problem),
    }
}

async fn find_user(req: HttpRequest, user: UserKey, peers: Data<Peers>) -> HttpResult {
    refuse_query(&req)?;
    Ok(HttpResponse::Ok().json(peers.user(&user).await?))
}

async fn find_user_by_query(req: HttpRequest, peers: Data<Peers>) -> HttpResult {
    let address = Params::of_query(&req, None).only("user1email", email)?;
    Ok(HttpResponse::Ok().json(peers.user(&UserKey::Email(address)).await?))
}

async fn replace_user(req: HttpRequest, user: UserKey, peers: Data<Peers>, body: JsonBody) -> HttpResult {
    refuse_query(&req)?;
    let mut patch = body.0;
    if let Some(given) = patch.as_object_mut().and_then(|object| object.shift_remove("email")) {
        let address = match &user {
            UserKey::Email(address) => address.clone(),
            UserKey::Id(_) => peers.user(&user).await?.email,
        };
        if email(&given).as_ref() != Ok(&address) {
            let fault = Fault::new("#/email", "not_changeable", "must be the address in the path, or be left out");
            return Err(Problem::validation(vec![fault]));
        }
    }
    let patch = to_native_fields(patch);
    let path = format!("/users/{}?format=hours", user.path_segment());
    let user: ReferenceUser = peers.call("user", RpcRequest::new(Method::PATCH, path).json(&patch)?).await?;
    Ok(HttpResponse::Ok().json(user))
}

async fn delete_user(req: HttpRequest, user: UserKey, peers: Data<Peers>) -> HttpResult {
    refuse_query(&req)?;
    let path = format!("/users/{}", user.path_segment());
    peers.get("user")?.call_no_content(&RpcRequest::new(Method::DELETE, path)).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn find_common(req: HttpRequest, peers: Data<Peers>) -> HttpResult {
    let query = two_attendees_query(Params::of_query(&req, None))?.0;
    let found: Value =
        peers.call("availability", RpcRequest::get(format!("/availability?{query}&format=hours"))).await?;
    let preference = |at: usize| found["attendees"][at]["preference"].clone();
    let second = if preference(1).is_null() { preference(0) } else { preference(1) };
    Ok(HttpResponse::Ok().json(ReferenceCommon {
        common_availabilities: found["common"].clone(),
        user1preference: preference(0),
        user2preference: second,
    }))
}

async fn find_suggestions(req: HttpRequest, peers: Data<Peers>) -> HttpResult {
    let (query, pick) = two_attendees_query(Params::of_query(&req, None))?;
    let pick = pick.map_or_else(String::new, |pick| format!("&pick={}", pick.name()));
    let path = format!("/suggestions?{query}&step_minutes={MINUTES_PER_HOUR}{pick}");
    let found: Suggestions = peers.call("suggestion", RpcRequest::get(path)).await?;
    // with a preference, the legacy API returns one suggestion
    let limit = if found.pick.is_some() { 1 } else { usize::MAX };
    let hour = |clock: &str| clock.get(..2).and_then(|hour| hour.parse::<u32>().ok()).unwrap_or_default();
    let slot = |start: &str| [hour(start), hour(start) + 1];
    let slots = found.suggestions.into_iter().take(limit);
    let suggestions = slots.map(|it| ReferenceSlot { day: it.day, slot: slot(&it.start) }).collect();
    Ok(HttpResponse::Ok().json(ReferenceSuggestions { case_id: RequestContext::current_id(), suggestions }))
}

async fn create_task(req: HttpRequest, context: Data<Context>, peers: Data<Peers>, body: JsonBody) -> HttpResult {
    refuse_query(&req)?;
    let (one, two, pick) = two_attendees(Params::of_body(body.0)?)?;
    if one == two {
        let fault = Fault::new("#/userId2", "same_user", "must be another user than userId1");
        return Err(Problem::validation(vec![fault]));
    }
    let meeting = json!({ "organizer": one, "attendees": [one, two], "pick": pick, "step_minutes": MINUTES_PER_HOUR });
    let request = RpcRequest::new(Method::POST, "/meetings").json(&meeting)?;
    let accepted: Value = peers.call("reservation", request).await.map_err(to_legacy_faults)?;
    Ok(HttpResponse::Accepted().json(ReferenceAccepted {
        case_id: RequestContext::current_id(),
        status: "enqueued",
        job_id: &accepted["job_id"],
        queue: &context.settings.queue.name,
        meeting_id: &accepted["id"],
    }))
}

/// The faults of a meeting at the fields of the task that it was made of, each once.
fn to_legacy_faults(problem: Problem) -> Problem {
    let mut errors: Vec<Fault> = Vec::new();
    for fault in problem.errors {
        let pointer = match fault.pointer.strip_prefix("#/").and_then(|path| path.split('/').next()) {
            Some("organizer") => "#/userId1",
            Some("attendees") if fault.pointer.starts_with("#/attendees/0") => "#/userId1",
            Some("attendees") => "#/userId2",
            Some("pick") => "#/preference",
            _ => &fault.pointer,
        };
        let fault = Fault { pointer: pointer.to_owned(), ..fault };
        if errors.iter().all(|one| one.pointer != fault.pointer) {
            errors.push(fault);
        }
    }
    Problem { errors, ..problem }
}

/// Refuses a query where none is read.
fn refuse_query(req: &HttpRequest) -> Result<(), Problem> {
    Params::of_query(req, None).finish(Some(()))
}

/// The attendees of a legacy query as a query of the API, and the pick.
fn two_attendees_query(fields: Params) -> Result<(String, Option<Preference>), Problem> {
    let (one, two, pick) = two_attendees(fields)?;
    Ok((format!("attendee={}&attendee={}&{NO_ZONE}", one.path_segment(), two.path_segment()), pick))
}

/// The two users of a request, and the pick.
fn two_attendees(mut fields: Params) -> Result<(Email, Email, Option<Preference>), Problem> {
    let users = (fields.required("userId1", email), fields.required("userId2", email));
    let known = |text: &str| Preference::parse(text).ok_or("must be first, last, random or best");
    let pick = fields.optional("preference", parsed("not_a_preference", known));
    fields.finish(users.0.zip(users.1)).map(|(one, two)| (one, two, pick))
}

impl Peers {
    async fn call<T: serde::de::DeserializeOwned>(&self, role: &str, call: RpcRequest) -> Result<T, Problem> {
        self.get(role)?.call(call).await
    }

    async fn user(&self, user: &UserKey) -> Result<ReferenceUser, Problem> {
        self.call("user", RpcRequest::get(format!("/users/{}?format=hours", user.path_segment()))).await
    }
}

/// A legacy user as a user of the API. The default name is the local part of the address.
fn to_native_user(body: Value) -> Result<Value, Problem> {
    let mut user = to_native_fields(body);
    let object = user
        .as_object_mut()
        .ok_or_else(|| Problem::validation(vec![Fault::new("#", "not_an_object", "must be a JSON object")]))?;
    if !object.contains_key("name") {
        let typed = object.get("email").and_then(Value::as_str).unwrap_or_default();
        let name = typed.rsplit_once('@').map_or(typed, |(local, _)| local).to_owned();
        object.insert("name".to_owned(), if name.is_empty() { "-".into() } else { name.into() });
    }
    Ok(user)
}

/// Renames legacy fields, and completes a week: absent days have no time.
fn to_native_fields(body: Value) -> Value {
    let Value::Object(body) = body else { return body };
    let native = |name: String| match FIELD_NAMES.iter().find(|(_, legacy)| *legacy == name) {
        Some((native, _)) => (*native).to_owned(),
        // a name of the API is unknown in the legacy API: the space makes it unknown
        None if FIELD_NAMES.iter().any(|(native, _)| *native == name) => format!("{name} "),
        None => name,
    };
    let mut object: Map<String, Value> = body.into_iter().map(|(name, value)| (native(name), value)).collect();
    if let Some(week) = object.get_mut("availability")
        && let Ok(read) = parse_week(week)
    {
        *week = week_to_json(&read, Format::Ranges);
    }
    object.into()
}

/// Whether a new user has the preference and the week of the existing one; an absent value stands for its default.
fn is_same(new: &Value, existing: &ReferenceUser) -> bool {
    let week = if new["availability"].is_null() { Ok(Week::default()) } else { parse_week(&new["availability"]) };
    new["preference"].as_str().unwrap_or("first") == existing.preferences.name()
        && week.is_ok_and(|week| week_to_json(&week, Format::Hours) == existing.availabilities)
}
