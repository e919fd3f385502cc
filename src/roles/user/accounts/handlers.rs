//! The endpoints of the user role: extract, call, answer.

use std::sync::Arc;

use actix_web::http::header::{ETAG, IF_NONE_MATCH, LINK, LOCATION};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::json;

use super::model::{NewUser, Profile, User};
use super::store::Users;
use crate::calendar::{Format, parse_week};
use crate::platform::cache::aside::{CacheAside, LoadError, WriteOutcome};
use crate::platform::data::Abort;
use crate::platform::data::Error;
use crate::platform::email::Email;
use crate::platform::http::extract::{JsonBody, Params, email_in_path, format, parsed};
use crate::platform::http::health::Report;
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::preconditions::{EntityTags, IfMatch};
use crate::platform::http::problem::{BAD_REQUEST, Problem};
use crate::roles::user::api::{ByPerson, LookupRequest, ROLE};

pub(in crate::roles::user) type Cached = Data<CacheAside<Users>>;
pub(in crate::roles::user) type Answer = Result<HttpResponse, Problem>;

const PAGE: u64 = 50;

/// `POST /users`
pub async fn create_user(req: HttpRequest, users: Cached, JsonBody(body): JsonBody) -> Answer {
    let format = asked_format(&req)?;
    let key = IdempotencyKey::read(&req, &body)?;
    let new = NewUser::read(body)?;
    let answer = |user: &User| {
        let location = format!("/api/users/{}", user.email.path_segment());
        let headers = [(LOCATION.as_str(), location), (ETAG.as_str(), format!("\"{}\"", user.version))];
        StoredResponse::new(201, &headers, &json!(user.public(format))).about(&user.email)
    };
    let made = async |barred| users.source().create(&new, barred, key.as_ref(), None, &answer).await;
    Ok(write(&users, &new.email, made).await?.respond())
}

/// `GET /users/{email}`
pub async fn find_user(req: HttpRequest, users: Cached) -> Answer {
    let (email, format) = asked(&req)?;
    let user = find(&users, &email).await?;
    Ok(unless_known(&req, &user)?.unwrap_or_else(|| show(HttpResponse::Ok(), &user, format)))
}

/// `PATCH /users/{email}`, an RFC 7396 merge patch
pub async fn update_user(req: HttpRequest, users: Cached, JsonBody(patch): JsonBody) -> Answer {
    let (email, format) = asked(&req)?;
    let user = change(&req, &users, &email, |user| user.profile().patched(patch.clone())).await?;
    Ok(show(HttpResponse::Ok(), &user, format))
}

/// `DELETE /users/{email}`
pub async fn delete_user(req: HttpRequest, users: Cached) -> Answer {
    let (email, _) = asked(&req)?;
    let guard = IfMatch::read(&req)?;
    guard.check(find(&users, &email).await?.version)?;
    users.source().anonymize_past_meetings(&email).await.map_err(|stop| users.source().store.owner.problem(stop))?;
    let gone = async |barred| users.source().delete(&email, barred, |version| guard.check(version)).await;
    write(&users, &email, gone).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /users/{email}/availability`
pub async fn find_availability(req: HttpRequest, users: Cached) -> Answer {
    let (email, format) = asked(&req)?;
    let user = find(&users, &email).await?;
    Ok(unless_known(&req, &user)?.unwrap_or_else(|| show_week(&user, format)))
}

/// `PUT /users/{email}/availability`
pub async fn replace_availability(req: HttpRequest, users: Cached, JsonBody(body): JsonBody) -> Answer {
    let (email, format) = asked(&req)?;
    let week = parse_week(&body)
        .map_err(|faults| Problem::validation(faults.into_iter().map(|fault| fault.under("#")).collect()))?;
    let replaced = |user: &User| Ok(Profile { availability: week, ..user.profile() });
    let user = change(&req, &users, &email, replaced).await?;
    Ok(show_week(&user, format))
}

/// `GET /users`, a page in the order of creation
pub async fn list_users(req: HttpRequest, users: Cached) -> Answer {
    let mut fields = Params::of_query(&req, None);
    let format = fields.optional("format", format).unwrap_or_default();
    let limit = fields.number("limit", 1..=200).unwrap_or(PAGE);
    let cursor = fields.optional("cursor", parsed("not_a_cursor", |text| Ok::<_, String>(text.to_owned())));
    let cursor = fields.finish(Some(cursor))?;
    let after = match &cursor {
        Some(text) => uuid::Uuid::parse_str(text)
            .map_err(|_| Problem::new(BAD_REQUEST, "this cursor is none of ours; take it from the Link header"))?
            .to_string(),
        None => String::new(),
    };
    let page = users
        .source()
        .page(&after, limit as i64)
        .await
        .map_err(|why| why.problem(users.source().store.owner.db.name()))?;
    let mut answer = HttpResponse::Ok();
    if let Some(last) = page.last().filter(|_| page.len() as u64 == limit) {
        answer.insert_header((
            LINK,
            format!("</api/users?limit={limit}&format={}&cursor={}>; rel=\"next\"", format.name(), last.id),
        ));
    }
    let shown: Vec<_> = page.iter().map(|user| user.public(format)).collect();
    Ok(answer.json(json!({ "users": shown })))
}

/// `POST /internal/users/lookup`
pub async fn lookup_users(users: Cached, body: Bytes) -> Answer {
    let LookupRequest { emails, busy_in } = serde_json::from_slice(&body)
        .map_err(|why| Problem::new(BAD_REQUEST, format!("the body is no lookup: {why}")))?;
    let keys: Vec<&str> = emails.iter().map(Email::as_str).collect();
    let found = users.get(&keys).await.map_err(|why| unavailable(&users, why))?;
    let unknown: Vec<&Email> = emails.iter().zip(&found).filter(|(_, user)| user.is_none()).map(|(it, _)| it).collect();
    // what the cache holds is JSON already: it is passed on as it is
    let known: Vec<&[u8]> = found.iter().flatten().map(AsRef::as_ref).collect();
    let mut answer = b"{\"users\":[".to_vec();
    answer.extend(known.join(&b","[..]));
    answer.extend_from_slice(b"],\"unknown\":");
    serde_json::to_writer(&mut answer, &unknown).map_err(Problem::internal)?;
    if let Some(period) = busy_in {
        let store = &users.source().store;
        let mut busy = store.busy(&keys, period).await.map_err(|why| store.owner.read_problem(&why))?;
        busy.extend(store.imported(&keys, period).await.map_err(|why| store.owner.read_problem(&why))?);
        answer.extend_from_slice(b",\"busy\":");
        serde_json::to_writer(&mut answer, &ByPerson(&busy)).map_err(Problem::internal)?;
    }
    answer.push(b'}');
    Ok(HttpResponse::Ok().content_type("application/json").body(answer))
}

/// `GET /health`
pub async fn health(users: Cached) -> HttpResponse {
    let (db, cache) = (&users.source().store.owner.db, users.cache());
    let (db_health, cache_health) = futures_util::future::join(db.health(), cache.health()).await;
    let report =
        Report::new(ROLE, vec![(db.name().to_owned(), db_health)], vec![(cache.name().to_owned(), cache_health)]);
    report.answer()
}

/// Whom a path names, and the format that the query asks for.
pub(super) fn asked(req: &HttpRequest) -> Result<(Email, Format), Problem> {
    Ok((email_in_path(req, 1)?, asked_format(req)?))
}

fn asked_format(req: &HttpRequest) -> Result<Format, Problem> {
    let mut fields = Params::of_query(req, None);
    let asked = fields.optional("format", format).unwrap_or_default();
    fields.finish(Some(asked))
}

/// Finds one user, in the cache first.
pub(super) async fn find(users: &CacheAside<Users>, email: &Email) -> Result<User, Problem> {
    let found = users.get(&[email.as_str()]).await.map_err(|why| unavailable(users, why))?;
    match found.into_iter().next().flatten() {
        Some(text) => decode(&text),
        None => Err(Problem::unknown_user(email.as_str())),
    }
}

/// Changes a profile, if the caller's precondition holds.
pub(super) async fn change(
    req: &HttpRequest,
    users: &CacheAside<Users>,
    email: &Email,
    change: impl Fn(&User) -> Result<Profile, Problem> + Send + Sync,
) -> Result<User, Problem> {
    let guard = IfMatch::read(req)?;
    let guarded = |user: &User| guard.check(user.version).and_then(|()| change(user));
    write(users, email, async |barred| users.source().change(email, barred, &guarded).await).await
}

/// Runs a transaction on one user under the cache's protocol, then warms the cache by the ordinary road.
pub(in crate::roles::user) async fn write<T>(
    users: &CacheAside<Users>,
    email: &Email,
    transaction: impl AsyncFn(Option<i64>) -> Result<(T, i64), Abort>,
) -> Result<T, Problem> {
    let written = users.write(email.as_str(), async |barred| match transaction(barred).await {
        Ok((value, epoch)) => Ok(WriteOutcome::Committed { value: Ok(value), epoch }),
        Err(Abort::Rejected(problem)) => Ok(WriteOutcome::Committed { value: Err(problem), epoch: 0 }),
        Err(Abort::OtherEpoch(epoch)) => Ok(WriteOutcome::OtherEpoch(epoch)),
        Err(Abort::Database(why)) => Err(why),
    });
    let value = written.await.map_err(|why: Error| why.problem(users.source().store.owner.db.name()))??;
    users.source().store.owner.outbox_notify.notify_one();
    if let Err(why) = users.get(&[email.as_str()]).await {
        tracing::debug!(?why, "the cache stays cold");
    }
    Ok(value)
}

fn unavailable(users: &CacheAside<Users>, why: LoadError<Arc<Error>>) -> Problem {
    let database = users.source().store.owner.db.name();
    match why {
        LoadError::Source(why) => why.problem(database),
        LoadError::Timeout => {
            Problem::unavailable(database, "the database does not answer in time; try again in a moment")
        }
    }
}

fn decode(text: &[u8]) -> Result<User, Problem> {
    serde_json::from_slice(text).map_err(Problem::internal)
}

fn show(mut answer: HttpResponseBuilder, user: &User, format: Format) -> HttpResponse {
    answer.insert_header((ETAG, format!("\"{}\"", user.version))).json(user.public(format))
}

pub(super) fn show_week(user: &User, format: Format) -> HttpResponse {
    let etag = (ETAG, format!("\"{}\"", user.version));
    HttpResponse::Ok().insert_header(etag).json(user.graded(format))
}

/// 304 for a caller who says by `If-None-Match` that it has this version already.
pub(super) fn unless_known(req: &HttpRequest, user: &User) -> Result<Option<HttpResponse>, Problem> {
    let known = match EntityTags::read(req, &IF_NONE_MATCH)? {
        Some(tags) => tags.match_weakly(user.version),
        None => false,
    };
    let etag = (ETAG, format!("\"{}\"", user.version));
    Ok(known.then(|| HttpResponse::NotModified().insert_header(etag).finish()))
}
