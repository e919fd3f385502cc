//! The paths and shapes of an earlier implementation, kept for its clients and its test suite. Delete this folder and what
//! the gateway's `mod.rs` says of it, and they are gone; no other file knows of them.
//!
//! Its hours are whole, its clocks have no zone, its errors are lists. Everything is translated here, to and from the API.

mod endpoints;
mod errors;
mod openapi;

use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};

pub use self::endpoints::endpoints;
use self::errors::told;
use super::handlers::Peers;
use crate::calendar::{Fault, Format, parse_week, week_to_json};
use crate::platform::email::Email;
use crate::platform::http::extract::{JsonBody, Params, email, email_in_path, parsed};
use crate::platform::http::health::{Report, Status};
use crate::platform::http::problem::{Problem, USER_EXISTS};
use crate::platform::request_context::RequestContext;
use crate::platform::role::Context;
use crate::platform::rpc::request::RpcRequest;
use crate::roles::suggestion::api::Suggestions;

/// The reference has no zones, and no quarters.
const PLAIN: &str = "time_zone=floating";

/// Their names for our fields.
const NAMES: [(&str, &str); 2] = [("availability", "availabilities"), ("preference", "preferences")];

type Answer = Result<HttpResponse, Problem>;
type Body = Result<JsonBody, Problem>;

async fn role_health(role: &'static str, peers: Data<Peers>) -> HttpResponse {
    let dead = || {
        let (case_id, service) = (RequestContext::current_id(), format!("{role}-service"));
        Report { case_id, service, status: Status::Unhealthy, dependencies: Default::default() }.answer()
    };
    let Some(peer) = peers.find(role) else {
        return dead();
    };
    match peer.exchange(&RpcRequest::get("/health")).await {
        Ok((status, body)) => HttpResponse::build(status).content_type("application/json").body(body),
        Err(_) => dead(),
    }
}

async fn create_user(peers: Data<Peers>, body: Body) -> HttpResponse {
    told("body", async {
        let body = body?.0;
        let named = body.get("name").is_some();
        let wanted = translated(body)?;
        match peers.call::<Value>("user", RpcRequest::new(Method::POST, "/users?format=hours").json(&wanted)?).await {
            Ok(user) => Ok(HttpResponse::Created().json(shown(&user))),
            Err(problem) if problem.kind == USER_EXISTS => {
                let address = wanted["email"].as_str().and_then(|typed| Email::parse(typed).ok());
                let there = peers.user(&address.ok_or_else(|| Problem::internal("no address"))?).await?;
                let same = ["name", "preference", "availability"]
                    .iter()
                    .skip(usize::from(!named))
                    .all(|key| same(&wanted[*key], &there[*key], key));
                if same { Ok(HttpResponse::Ok().json(shown(&there))) } else { Err(problem) }
            }
            Err(problem) => Err(problem),
        }
    })
    .await
}

async fn find_user(req: HttpRequest, peers: Data<Peers>) -> HttpResponse {
    let segment = if req.path().starts_with("/users/user-avail/") { 3 } else { 2 };
    told("path", async { Ok(HttpResponse::Ok().json(shown(&peers.user(&email_in_path(&req, segment)?).await?))) }).await
}

async fn find_user_by_query(req: HttpRequest, peers: Data<Peers>) -> HttpResponse {
    told("query", async {
        let mut fields = Params::of_query(&req, None);
        let asked = fields.required("user1email", email);
        Ok(HttpResponse::Ok().json(shown(&peers.user(&fields.finish(asked)?).await?)))
    })
    .await
}

async fn replace_user(req: HttpRequest, peers: Data<Peers>, body: Body) -> HttpResponse {
    told("body", async {
        let address = email_in_path(&req, 2)?;
        let mut patch = body?.0;
        if let Some(object) = patch.as_object_mut() {
            let other = object.shift_remove("email").is_some_and(|it| email(&it).as_ref() != Ok(&address));
            if other {
                let fault = Fault::new("#/email", "not_changeable", "must be the address in the path, or be left out");
                return Err(Problem::validation(vec![fault]));
            }
        }
        let patch = renamed(patch);
        let path = format!("/users/{}?format=hours", address.path_segment());
        let user: Value = peers.call("user", RpcRequest::new(Method::PATCH, path).json(&patch)?).await?;
        Ok(HttpResponse::Ok().json(shown(&user)))
    })
    .await
}

async fn delete_user(req: HttpRequest, peers: Data<Peers>) -> HttpResponse {
    told("path", async {
        let path = format!("/users/{}", email_in_path(&req, 2)?.path_segment());
        let peer = peers.find("user").ok_or_else(|| Problem::internal("no peer"))?;
        peer.order(&RpcRequest::new(Method::DELETE, path)).await?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

async fn find_common(req: HttpRequest, peers: Data<Peers>) -> HttpResponse {
    told("query", async {
        let both = both(Params::of_query(&req, None))?.0;
        let found: Value =
            peers.call("availability", RpcRequest::get(format!("/availability?{both}&format=hours"))).await?;
        let preference = |at: usize| found["attendees"][at]["preference"].clone();
        let second = if preference(1).is_null() { preference(0) } else { preference(1) };
        Ok(HttpResponse::Ok().json(json!({
            "common_availabilities": found["common"], "user1preference": preference(0), "user2preference": second,
        })))
    })
    .await
}

async fn find_suggestions(req: HttpRequest, peers: Data<Peers>) -> HttpResponse {
    told("query", async {
        let (both, pick) = both(Params::of_query(&req, None))?;
        let pick = pick.map_or_else(String::new, |pick| format!("&pick={pick}"));
        let path = format!("/suggestions?{both}&step_minutes=60{pick}");
        let found: Suggestions = peers.call("suggestion", RpcRequest::get(path)).await?;
        // one preference gives one suggestion, whatever it is
        let most = if found.pick.is_some() { 1 } else { usize::MAX };
        let hour = |clock: &str| clock.get(..2).and_then(|hour| hour.parse::<u32>().ok()).unwrap_or_default();
        let slot = |start: &str| [hour(start), hour(start) + 1];
        let list = found.suggestions.iter().take(most).map(|it| json!({ "day": it.day, "slot": slot(&it.start) }));
        let list: Vec<Value> = list.collect();
        Ok(HttpResponse::Ok().json(json!({ "case_id": RequestContext::current_id(), "suggestions": list })))
    })
    .await
}

async fn create_task(context: Data<Context>, peers: Data<Peers>, body: Body) -> HttpResponse {
    told("task", async {
        let (one, two, pick) = pair(Params::of_body(body?.0)?)?;
        let meeting = json!({ "organizer": one, "attendees": [one, two], "pick": pick });
        let accepted: Value = peers.call("user", RpcRequest::new(Method::POST, "/meetings").json(&meeting)?).await?;
        Ok(HttpResponse::Accepted().json(json!({
            "case_id": RequestContext::current_id(), "status": "enqueued", "job_id": accepted["job_id"],
            "queue": context.settings.queue.name, "meeting_id": accepted["id"],
        })))
    })
    .await
}

/// The two attendees of a query as ours, and the pick.
fn both(fields: Params) -> Result<(String, Option<String>), Problem> {
    let (one, two, pick) = pair(fields)?;
    Ok((format!("attendee={}&attendee={}&{PLAIN}", one.path_segment(), two.path_segment()), pick))
}

/// Two users, and the pick.
fn pair(mut fields: Params) -> Result<(Email, Email, Option<String>), Problem> {
    let users = (fields.required("userId1", email), fields.required("userId2", email));
    let pick = fields.optional(
        "preference",
        parsed("not_a_preference", |text| {
            let known = ["first", "last", "random", "best"].contains(&text);
            known.then(|| text.to_owned()).ok_or("must be first, last, random or best")
        }),
    );
    fields.finish(users.0.zip(users.1)).map(|(one, two)| (one, two, pick))
}

impl Peers {
    async fn call<T: serde::de::DeserializeOwned>(&self, role: &str, call: RpcRequest) -> Result<T, Problem> {
        self.find(role).ok_or_else(|| Problem::internal("no peer"))?.call(call).await
    }

    async fn user(&self, email: &Email) -> Result<Value, Problem> {
        self.call("user", RpcRequest::get(format!("/users/{}?format=hours", email.path_segment()))).await
    }
}

/// Their body as ours; a name that is left out is the address' local part.
fn translated(body: Value) -> Result<Value, Problem> {
    let mut ours = renamed(body);
    let object = ours
        .as_object_mut()
        .ok_or_else(|| Problem::validation(vec![Fault::new("#", "not_an_object", "must be a JSON object")]))?;
    if !object.contains_key("name") {
        let typed = object.get("email").and_then(Value::as_str).unwrap_or_default();
        let name = typed.rsplit_once('@').map_or(typed, |(local, _)| local).to_owned();
        object.insert("name".to_owned(), if name.is_empty() { "-".into() } else { name.into() });
    }
    Ok(ours)
}

/// Our names for their fields; a week stands for all seven days.
fn renamed(body: Value) -> Value {
    let Value::Object(body) = body else { return body };
    let ours = |name: String| match NAMES.iter().find(|(_, theirs)| *theirs == name) {
        Some((ours, _)) => (*ours).to_owned(),
        // our own names are no names of theirs
        None if NAMES.iter().any(|(ours, _)| *ours == name) => format!("{name} "),
        None => name,
    };
    let mut object: Map<String, Value> = body.into_iter().map(|(name, value)| (ours(name), value)).collect();
    if let Some(week) = object.get_mut("availability")
        && let Ok(read) = parse_week(week)
    {
        *week = week_to_json(&read, Format::Ranges);
    }
    object.into()
}

/// Whether what is wanted is there; what is left out is wanted as its default.
fn same(wanted: &Value, there: &Value, key: &str) -> bool {
    match key {
        "availability" => {
            let week = if wanted.is_null() { Ok(Default::default()) } else { parse_week(wanted) };
            week.is_ok_and(|week| week_to_json(&week, Format::Hours) == *there)
        }
        "preference" if wanted.is_null() => there == "first",
        _ => wanted == there,
    }
}

fn shown(user: &Value) -> Value {
    json!({
        "email": user["email"],
        "availabilities": user["availability"],
        "preferences": user["preference"],
        "created_at": user["created_at"],
    })
}
