//! The endpoints of meetings: extract, call, answer.

use actix_web::http::header::{CONTENT_DISPOSITION, ETAG, LOCATION, RETRY_AFTER};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::access::{
    check_is_organizer, check_may_create, check_may_read, check_may_set_callback, check_verified, is_verified,
};
use super::changes::Change;
use super::model::Meeting;
use super::request::{self, MeetingDraft};
use super::store::unknown;
use crate::platform::auth::{Principal, forbidden};
use crate::platform::data::instant::{now, read};
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{Json, JsonBody, Params, PathId};
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::pagination::PageRequest;
use crate::platform::http::preconditions::IfMatch;
use crate::platform::http::problem::{NOT_FOUND, Problem};
use crate::platform::jobs::JobOwner as _;
use crate::platform::jobs::api::JobFilter;
use crate::platform::jobs::store::list_jobs;
use crate::platform::outbound::SsrfGuard;
use crate::platform::request_context::RequestContext;
use crate::roles::reservation::api::meetings::{ScheduledMeeting, Status};
use crate::roles::reservation::api::views::{AcceptedMeeting, Deliveries, Delivery, MeetingView, Meetings};
use crate::roles::reservation::jobs::order::invitation;
use crate::roles::reservation::store::Store;
use crate::roles::user::api::{Person, UserClient};

/// `POST /meetings`
pub async fn create_meeting(
    req: HttpRequest,
    principal: Principal,
    store: Data<Store>,
    users: Data<UserClient>,
    guard: Data<SsrfGuard>,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let key = IdempotencyKey::read(&req, principal.account_id(), &body)?;
    let now = now();
    let draft = MeetingDraft::read(body, &guard, now);
    Ok(create(&principal, &store, &users, key, draft, now, |change| (accepted(&change), change)).await?.respond())
}

/// `POST /internal/meetings`: one whose time suggestion has found already; gives the whole answer for the caller
pub async fn record_meeting(
    principal: Principal,
    store: Data<Store>,
    users: Data<UserClient>,
    guard: Data<SsrfGuard>,
    Json(mut scheduled): Json<ScheduledMeeting>,
) -> HttpResult {
    let now = now();
    let key = scheduled.key.take().map(|key| key.of(principal.account_id()));
    let (period, reason, mut body) = (scheduled.period, scheduled.reason.clone(), scheduled.answer.take());
    let draft = MeetingDraft::found(scheduled, &guard, now);
    let record = |change: Change| {
        let change = change.meeting.found(period, reason, now);
        body["meeting"] = json!(change.meeting.view());
        let location = (LOCATION.as_str(), format!("/api/meetings/{}", change.meeting.id));
        (StoredResponse::new(200, &[location], &body).about(change.meeting.id), change)
    };
    Ok(HttpResponse::Ok().json(create(&principal, &store, &users, key, draft, now, record).await?))
}

/// Creates a meeting, or gives the response that was saved under the key. `decide` gives the response, and what becomes of the
/// new meeting.
async fn create(
    principal: &Principal,
    store: &Store,
    users: &UserClient,
    key: Option<IdempotencyKey>,
    draft: Result<MeetingDraft, Problem>,
    now: Timestamp,
    decide: impl FnOnce(Change) -> (StoredResponse, Change),
) -> Result<StoredResponse, Problem> {
    let stored = async |problem: Problem| store.owner.stored_response(key.as_ref()).await?.ok_or(problem);
    let draft = match draft {
        Ok(draft) => draft,
        // the request may have been right when it came first: its start has passed since then
        Err(problem) => return stored(problem).await,
    };
    check_may_create(principal, &draft.organizer)?;
    check_verified(principal, &store.auth)?;
    check_may_set_callback(principal, None, draft.callback.as_ref())?;
    let people = match users.people(&draft.emails()).await {
        Ok(people) => people,
        // an attendee may have been deleted since then
        Err(problem) => return stored(problem).await,
    };
    let _turn = match principal.account_id() {
        Some(account) => Some(store.acquire_turn(account).await?),
        None => None,
    };
    let (response, change) = decide(Meeting::open(draft, &people, principal, &RequestContext::current_id(), now));
    store.create_meeting(&people.people, key.as_ref(), change, response).await
}

/// `POST /internal/answers`: what was answered under a key before, if anything was
pub async fn find_stored_response(
    principal: Principal,
    store: Data<Store>,
    Json(key): Json<IdempotencyKey>,
) -> HttpResult {
    Ok(HttpResponse::Ok().json(store.owner.stored_response(Some(&key.of(principal.account_id()))).await?))
}

/// `GET /meetings`, a page in the order of creation, of the meetings that the query selects; for an account its own
pub async fn list_meetings(req: HttpRequest, principal: Principal, store: Data<Store>) -> HttpResult {
    let mut fields = Params::of_query(&req, None);
    let page = PageRequest::read(&mut fields);
    let mut filter = request::filter(&mut fields);
    fields.finish(Some(()))?;
    if let Some(caller) = principal.restricted() {
        let attendee = filter.attendee.get_or_insert_with(|| caller.email.clone());
        if *attendee != caller.email {
            return Err(forbidden(
                "you may list your own meetings alone: leave attendee out, or send your own address",
            ));
        }
    }
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let found = match principal.restricted() {
        // another person may have registered the address
        Some(caller) if !is_verified(caller, &store.auth) => Vec::new(),
        _ => store.meetings(&filter, &after, page.rows()).await?,
    };
    let is_filter = |pair: &&str| !pair.is_empty() && !pair.starts_with("limit=") && !pair.starts_with("cursor=");
    let filters = req.query_string().split('&').filter(is_filter).map(|pair| format!("&{}", pair.replace('>', "%3E")));
    let next = page.next_cursor(&found, |meeting| meeting.id.to_string());
    let meetings = found.iter().map(|meeting| shown(meeting, &principal)).collect();
    Ok(page.respond(next, "/api/meetings", &filters.collect::<String>(), Meetings { meetings }))
}

/// `GET /meetings/{id}`
pub async fn find_meeting(req: HttpRequest, principal: Principal, store: Data<Store>) -> HttpResult {
    let meeting = find(&req, &store).await?;
    check_may_read(&principal, &meeting, &store.auth)?;
    Ok(show(&shown(&meeting, &principal)))
}

/// `GET /internal/meetings/{id}`: for a role that knows itself who may see it
pub async fn find_any_meeting(req: HttpRequest, store: Data<Store>) -> HttpResult {
    let meeting = find(&req, &store).await?;
    Ok(show(&meeting.view()))
}

/// `PATCH /meetings/{id}`, an RFC 7396 merge patch: changes what it is called, or looks for another time
pub async fn change_meeting(
    req: HttpRequest,
    principal: Principal,
    store: Data<Store>,
    users: Data<UserClient>,
    guard: Data<SsrfGuard>,
    JsonBody(patch): JsonBody,
) -> HttpResult {
    let condition = IfMatch::read(&req)?;
    let draft_of = |meeting: &Meeting, now| {
        check_is_organizer(&principal, meeting, &store.auth)?;
        condition.check(meeting.version)?;
        let draft = MeetingDraft::patch(meeting, patch.clone(), &guard, now)?;
        check_may_set_callback(&principal, meeting.callback.as_ref(), draft.callback.as_ref()).map(|()| draft)
    };
    let people = match patch.get("attendees") {
        None => Vec::new(),
        // the attendees of the patch take the place of those of the meeting, however it changes until it is locked
        Some(_) => users.people(&draft_of(&find(&req, &store).await?, now())?.emails()).await?.people,
    };
    let changed = |meeting: Meeting| {
        let now = now();
        let draft = draft_of(&meeting, now)?;
        meeting.changed(draft, now)
    };
    change(&req, &principal, &store, &people, changed).await
}

/// `DELETE /meetings/{id}`: calls it off; it stays to be read
pub async fn cancel_meeting(req: HttpRequest, principal: Principal, store: Data<Store>) -> HttpResult {
    let condition = IfMatch::read(&req)?;
    let cancelled = |meeting: Meeting| {
        check_is_organizer(&principal, &meeting, &store.auth)?;
        condition.check(meeting.version)?;
        Ok(match meeting.status {
            Status::Cancelled => meeting.unchanged(),
            _ => meeting.given_up(Status::Cancelled, "cancelled by the organizer".to_owned(), now()),
        })
    };
    change(&req, &principal, &store, &[], cancelled).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /meetings/{id}/deliveries`: every attempt to deliver an invitation or a callback
pub async fn list_deliveries(req: HttpRequest, principal: Principal, store: Data<Store>) -> HttpResult {
    let meeting = find(&req, &store).await?;
    check_is_organizer(&principal, &meeting, &store.auth)?;
    deliveries_about(&store, meeting.id).await
}

/// The response with every attempt to deliver something about a meeting, or to a webhook.
pub async fn deliveries_about(store: &Store, subject: Uuid) -> HttpResult {
    let rows = store.deliveries(subject).await?;
    let all = JobFilter { subject: Some(subject), limit: 200, ..JobFilter::default() };
    let jobs = list_jobs(&store.owner, &all).await?;
    let deliveries = rows.iter().map(|row| Delivery {
        id: &row.id,
        job_id: &row.job_id,
        kind: &row.kind,
        target: &row.target,
        attempt: row.attempt,
        outcome: &row.outcome,
        detail: &row.detail,
        at: read(row.created_at),
    });
    let jobs = jobs.iter().map(|job| store.show(job)).collect();
    Ok(HttpResponse::Ok().json(Deliveries { deliveries: deliveries.collect(), jobs }))
}

/// `GET /meetings/{id}/invite.ics`: the meeting for a calendar
pub async fn download_invitation(req: HttpRequest, principal: Principal, store: Data<Store>) -> HttpResult {
    let meeting = find(&req, &store).await?;
    check_may_read(&principal, &meeting, &store.auth)?;
    let people = store.subjects(&meeting.emails()).await?;
    let Some(invitation) = invitation(&meeting, &people) else {
        let detail = format!("the meeting is {} and has no time", meeting.status.name());
        return Err(Problem::new(NOT_FOUND, detail));
    };
    let name = format!("attachment; filename=\"{}.ics\"", meeting.id);
    Ok(HttpResponse::Ok()
        .content_type("text/calendar; charset=utf-8; method=PUBLISH; component=VEVENT")
        .insert_header((CONTENT_DISPOSITION, name))
        .body(invitation.to_ics()))
}

pub(super) async fn find(req: &HttpRequest, store: &Store) -> Result<Meeting, Problem> {
    let id = PathId::read(req)?;
    store.meeting(id).await?.ok_or_else(|| unknown(id))
}

async fn change(
    req: &HttpRequest,
    principal: &Principal,
    store: &Store,
    people: &[Person],
    decide: impl Fn(Meeting) -> Result<Change, Problem> + Send + Sync,
) -> HttpResult {
    let meeting = store.change_meeting(PathId::read(req)?, Some(principal), people, decide).await?;
    Ok(show(&meeting.view()))
}

fn shown<'a>(meeting: &'a Meeting, principal: &Principal) -> MeetingView<'a> {
    meeting.shown(principal.may_act_for(&meeting.organizer))
}

fn show(meeting: &MeetingView<'_>) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, format!("\"{}\"", meeting.version))).json(meeting)
}

/// The response to a new meeting. No other response contains the generated secret.
fn accepted(change: &Change) -> StoredResponse {
    let meeting = &change.meeting;
    let body = AcceptedMeeting {
        meeting: meeting.view(),
        callback_secret: meeting.callback.as_ref().map(|callback| callback.secret.as_str()),
        job_id: change.jobs.first().map(|job| job.id),
    };
    let headers = [
        (LOCATION.as_str(), format!("/api/meetings/{}", meeting.id)),
        (ETAG.as_str(), format!("\"{}\"", meeting.version)),
        (RETRY_AFTER.as_str(), "1".to_owned()),
    ];
    StoredResponse::new(202, &headers, &json!(body)).about(meeting.id)
}
