//! The handlers of users and their weeks.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::header::{ETAG, HeaderName, IF_NONE_MATCH, LOCATION};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::model::{Profile, PublicUsers, User};
use super::store::Users;
use crate::calendar::{Format, parse_week};
use crate::config::{Auth, FreeBusy};
use crate::platform::auth::{AuthMethod, Caller, Principal, Scope, forbidden};
use crate::platform::cache::aside::{CacheAside, LoadError, WriteOutcome};
use crate::platform::data::{Abort, Error};
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, Params, format};
use crate::platform::http::health::HealthCheck;
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::pagination::PageRequest;
use crate::platform::http::preconditions::{EntityTags, IfMatch};
use crate::platform::http::problem::{BAD_REQUEST, Problem};
use crate::platform::owner_service::queue_health;
use crate::platform::role::Context;
use crate::roles::user::api::{ByPerson, LookupRequest, People, PeopleRequest, Person, ROLE, unverified};
use crate::roles::user::store::{PathUser, Store};

pub(in crate::roles::user) type Cached = Data<CacheAside<Users>>;

/// `POST /users`
pub async fn create_user(
    req: HttpRequest,
    principal: Principal,
    users: Cached,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let format = requested_format(&req)?;
    let key = IdempotencyKey::read(&req, principal.account_id(), &body)?;
    let new = User::read(body)?;
    let response = |user: &User| {
        let location = format!("/api/users/{}", user.email.path_segment());
        let headers = [(LOCATION.as_str(), location), (ETAG.as_str(), etag(user).1)];
        StoredResponse::new(201, &headers, &json!(user.public(format))).about(&user.email)
    };
    let create = async |tombstone| users.source().create(&new, tombstone, key.as_ref(), None, &response).await;
    Ok(write(&users, &new.email, create).await?.respond())
}

/// `GET /users/{user}`
pub async fn find_user(req: HttpRequest, PathUser(email): PathUser, users: Cached) -> HttpResult {
    let format = requested_format(&req)?;
    let user = find(&users, &email).await?;
    Ok(unless_known(&req, &user)?.unwrap_or_else(|| user_response(&user, format)))
}

/// `PATCH /users/{user}`, an RFC 7396 merge patch
pub async fn update_user(
    req: HttpRequest,
    PathUser(email): PathUser,
    users: Cached,
    JsonBody(patch): JsonBody,
) -> HttpResult {
    let format = requested_format(&req)?;
    let user = change(&req, &users, &email, |user| user.profile.patched(patch.clone())).await?;
    Ok(user_response(&user, format))
}

/// `PUT /users/{user}`: replaces the profile. What the body leaves out gets its default
pub async fn replace_user(
    req: HttpRequest,
    PathUser(email): PathUser,
    users: Cached,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let format = requested_format(&req)?;
    let profile = Profile::replacing(body, &email)?;
    let user = change(&req, &users, &email, |_| Ok(profile.clone())).await?;
    Ok(user_response(&user, format))
}

/// `DELETE /users/{user}`
pub async fn delete_user(
    req: HttpRequest,
    PathUser(email): PathUser,
    principal: Principal,
    users: Cached,
) -> HttpResult {
    requested_format(&req)?;
    if let Principal::Account(Caller { email: own, method: AuthMethod::Key { .. }, .. }) = &principal
        && *own == email
    {
        return Err(forbidden("an API key does not delete its own account; sign in with the password"));
    }
    let guard = IfMatch::read(&req)?;
    guard.check(find(&users, &email).await?.version)?;
    let delete = async |tombstone| users.source().delete(&email, tombstone, |version| guard.check(version)).await;
    write(&users, &email, delete).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /users/{user}/availability`
pub async fn find_availability(req: HttpRequest, PathUser(email): PathUser, users: Cached) -> HttpResult {
    let format = requested_format(&req)?;
    let user = find(&users, &email).await?;
    Ok(unless_known(&req, &user)?.unwrap_or_else(|| show_week(&user, format)))
}

/// `PUT /users/{user}/availability`
pub async fn replace_availability(
    req: HttpRequest,
    PathUser(email): PathUser,
    users: Cached,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let format = requested_format(&req)?;
    let week = parse_week(&body)
        .map_err(|faults| Problem::validation(faults.into_iter().map(|fault| fault.under("#")).collect()))?;
    let replace = |user: &User| Ok(Profile { availability: week, ..user.profile.clone() });
    let user = change(&req, &users, &email, replace).await?;
    Ok(show_week(&user, format))
}

/// `GET /users`, a page in the order of creation
pub async fn list_users(req: HttpRequest, users: Cached) -> HttpResult {
    let mut fields = Params::of_query(&req, None);
    let format = fields.optional("format", format).unwrap_or_default();
    let page = PageRequest::read(&mut fields);
    fields.finish(Some(())).map_err(|problem| match problem.errors.as_slice() {
        [fault] if fault.code == "not_a_cursor" => {
            Problem::new(BAD_REQUEST, "the cursor is invalid; take it from the Link header")
        }
        _ => problem,
    })?;
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let found = users.source().page(&after, page.rows()).await?;
    let next = page.next_cursor(&found, |user| user.id.to_string());
    let body = PublicUsers { users: found.iter().map(|user| user.public(format)).collect() };
    Ok(page.respond(next, "/api/users", &format!("&format={}", format.name()), body))
}

/// `POST /internal/users/lookup`
pub async fn lookup_users(caller: Option<Caller>, users: Cached, body: Bytes) -> HttpResult {
    let LookupRequest { emails, busy_in } = read_lookup(&body)?;
    let is_trusted = caller.as_ref().is_none_or(|caller| is_trusted(caller, &users.source().store));
    // an account that has not verified its mailbox asks about itself alone: anybody can have such an account
    if !is_trusted && caller.as_ref().is_some_and(|caller| emails.iter().any(|email| *email != caller.email)) {
        return Err(unverified());
    }
    let keys: Vec<&str> = emails.iter().map(Email::as_str).collect();
    let found = users.get(&keys).await.map_err(|why| unavailable(&users, why))?;
    let unknown: Vec<&Email> = emails.iter().zip(&found).filter(|(_, user)| user.is_none()).map(|(it, _)| it).collect();
    // cached values are JSON already, and are copied unchanged
    let known: Vec<&[u8]> = found.iter().flatten().map(AsRef::as_ref).collect();
    let mut json = b"{\"users\":[".to_vec();
    json.extend(known.join(&b","[..]));
    json.extend_from_slice(b"],\"unknown\":");
    serde_json::to_writer(&mut json, &unknown).map_err(Problem::internal)?;
    if let Some(period) = busy_in {
        let store = &users.source().store;
        let busy = store.imported(&keys, period).await?;
        json.extend_from_slice(b",\"busy\":");
        serde_json::to_writer(&mut json, &ByPerson(&busy)).map_err(Problem::internal)?;
    }
    // without a caller, a worker asks for a meeting
    let hidden = caller.map_or_else(Vec::new, |caller| hidden_from(&caller, &users.source().store.auth, &emails));
    if !hidden.is_empty() {
        json.extend_from_slice(b",\"hidden\":");
        serde_json::to_writer(&mut json, &hidden).map_err(Problem::internal)?;
    }
    if !is_trusted {
        json.extend_from_slice(b",\"hides_meetings\":true");
    }
    json.push(b'}');
    Ok(HttpResponse::Ok().content_type("application/json").body(json))
}

/// Whether a caller is the person whose address the account has, as far as this installation must know.
fn is_trusted(caller: &Caller, store: &Store) -> bool {
    caller.email_verified || caller.scope == Scope::Admin || !store.requires_proof()
}

/// The people whose free and busy time the settings hide from a caller who may ask.
fn hidden_from<'a>(caller: &Caller, settings: &Auth, emails: &'a [Email]) -> Vec<&'a Email> {
    let is_colleague = |email: &Email| email.domain() == caller.email.domain();
    let is_shown_to_others = |email: &Email| match settings.free_busy {
        FreeBusy::Installation => true,
        FreeBusy::Domain => is_colleague(email),
        FreeBusy::Organizers => false,
    };
    let is_shown = |email: &Email| caller.scope == Scope::Admin || *email == caller.email || is_shown_to_others(email);
    emails.iter().filter(|email| !is_shown(email)).collect()
}

/// `POST /internal/people`
pub async fn find_people(users: Cached, body: Bytes) -> HttpResult {
    let PeopleRequest { emails } = read_lookup(&body)?;
    let keys: Vec<&str> = emails.iter().map(Email::as_str).collect();
    let found = users.get(&keys).await.map_err(|why| unavailable(&users, why))?;
    let unverified = users.source().store.unverified(&keys).await?;
    let mut people = People { people: Vec::new(), unknown: Vec::new(), uid_domain: users.source().store.uid_domain() };
    for (email, user) in emails.into_iter().zip(found) {
        match user {
            Some(user) => {
                let mut person: Person = serde_json::from_slice(&user).map_err(Problem::internal)?;
                // another person may have chosen the name
                if unverified.contains(person.email.as_str()) {
                    person.name = person.email.to_string();
                }
                people.people.push(person);
            }
            None => people.unknown.push(email),
        }
    }
    Ok(HttpResponse::Ok().json(people))
}

fn read_lookup<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|why| Problem::new(BAD_REQUEST, format!("the body is no look-up request: {why}")))
}

/// `GET /health`
pub async fn health(req: HttpRequest, users: Cached, context: Data<Context>, check: Data<HealthCheck>) -> HttpResponse {
    let (owner, cache) = (&users.source().store.owner, users.cache());
    let own = async {
        let (database, cached) = futures_util::future::join(owner.db_health(), cache.health()).await;
        (vec![database], vec![(cache.name().to_owned(), cached), queue_health(owner, &context)])
    };
    check.respond(&req, ROLE, own, async { Vec::new() }).await
}

/// The format of weeks that the query asks for.
pub(super) fn requested_format(req: &HttpRequest) -> Result<Format, Problem> {
    let mut fields = Params::of_query(req, None);
    let requested = fields.optional("format", format).unwrap_or_default();
    fields.finish(Some(requested))
}

/// Finds a user, in the cache first.
pub(super) async fn find(users: &CacheAside<Users>, email: &Email) -> Result<User, Problem> {
    let found = users.get(&[email.as_str()]).await.map_err(|why| unavailable(users, why))?;
    match found.into_iter().next().flatten() {
        Some(text) => serde_json::from_slice(&text).map_err(Problem::internal),
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
    let checked = |user: &User| guard.check(user.version).and_then(|()| change(user));
    let caller = req.extensions().get::<Rc<Caller>>().map(|caller| Caller::clone(caller));
    write(users, email, async |tombstone| users.source().change(email, tombstone, caller.as_ref(), &checked).await)
        .await
}

/// Runs a transaction on one user under the cache's protocol, and then loads the user into the cache.
pub(in crate::roles::user) async fn write<T>(
    users: &CacheAside<Users>,
    email: &Email,
    transaction: impl AsyncFn(Option<i64>) -> Result<(T, i64), Abort>,
) -> Result<T, Problem> {
    let written = users.write(email.as_str(), async |tombstone| match transaction(tombstone).await {
        Ok((value, epoch)) => Ok(WriteOutcome::Committed { value: Ok(value), epoch }),
        Err(Abort::Rejected(problem)) => Ok(WriteOutcome::Committed { value: Err(problem), epoch: 0 }),
        Err(Abort::OtherEpoch(epoch)) => Ok(WriteOutcome::OtherEpoch(epoch)),
        Err(Abort::Database(why)) => Err(why),
    });
    let value = written.await??;
    users.source().store.owner.outbox_notify.notify_one();
    if let Err(why) = users.get(&[email.as_str()]).await {
        tracing::debug!(?why, "the cache could not be filled");
    }
    Ok(value)
}

fn unavailable(users: &CacheAside<Users>, why: LoadError<Arc<Error>>) -> Problem {
    let database = users.source().store.owner.db.name();
    match why {
        LoadError::Source(why) => Problem::from(&*why),
        LoadError::Timeout => {
            Problem::unavailable(database, "the database did not respond in time; try again in a moment")
        }
    }
}

/// The version of a user as a header.
pub(super) fn etag(user: &User) -> (HeaderName, String) {
    (ETAG, format!("\"{}\"", user.version))
}

fn user_response(user: &User, format: Format) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(user)).json(user.public(format))
}

pub(super) fn show_week(user: &User, format: Format) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(user)).json(user.week_with_preferences(format))
}

/// 304, if the client has this version already by `If-None-Match`.
pub(super) fn unless_known(req: &HttpRequest, user: &User) -> Result<Option<HttpResponse>, Problem> {
    let known = match EntityTags::read(req, &IF_NONE_MATCH)? {
        Some(tags) => tags.match_weakly(user.version),
        None => false,
    };
    Ok(known.then(|| HttpResponse::NotModified().insert_header(etag(user)).finish()))
}
