//! The reply of an attendee: by the API, or by the link in an invitation, which opens a small page.

use actix_web::web::{Bytes, Data, Payload};
use actix_web::{FromRequest as _, HttpMessage as _, HttpRequest, HttpResponse};
use subtle::ConstantTimeEq as _;

use super::access::check_may_reply;
use super::handlers::find;
use super::model::Meeting;
use super::page::{ANSWERS, Step, page};
use super::store::unknown;
use crate::platform::auth::Principal;
use crate::platform::data::instant::now;
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, Params, PathId, email, one_of, parsed, payload_problem};
use crate::platform::http::problem::{Problem, UNAUTHORIZED};
use crate::roles::reservation::api::problems::UNKNOWN_MEETING;
use crate::roles::reservation::jobs::order::answer_key;
use crate::roles::reservation::store::Store;

/// `POST /meetings/{id}/participation`: JSON from a program, a form from the page
pub async fn answer(
    req: HttpRequest,
    principal: Result<Principal, Problem>,
    store: Data<Store>,
    body: Payload,
) -> HttpResult {
    let by_form = req.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let mut body = body.into_inner();
    let mut fields = match by_form {
        true => Params::of_form(&Bytes::from_request(&req, &mut body).await.map_err(|why| payload_problem(&why))?),
        false => Params::of_body(JsonBody::from_request(&req, &mut body).await?.0)?,
    };
    let who = fields.required("email", email);
    let says = fields.required("participation", one_of("not_a_participation", ANSWERS));
    let key = fields.optional("key", parsed("not_a_key", |text| Ok::<_, String>(text.to_owned())));
    let (who, says) = fields.finish(who.zip(says))?;
    if !by_form && key.is_none() {
        principal.as_ref().map_err(Clone::clone)?;
    }
    let secret = store.owner.secret().to_owned();
    let answered = |meeting: Meeting| {
        // the key of a link authenticates the attendee; without a key the caller must be signed in
        match &principal {
            _ if by_form || key.is_some() => check_key(&secret, &meeting, &who, key.as_deref())?,
            Ok(principal) => check_may_reply(principal, &meeting, &who, &store.auth)?,
            Err(unknown) => return Err(unknown.clone()),
        }
        meeting.answered(&who, says, now())
    };
    let id = PathId::read(&req)?;
    // the holder of a link answers in person
    let account = principal.as_ref().ok().filter(|_| !by_form && key.is_none());
    let changed = store.change_meeting(id, account, &[], answered).await.map_err(Problem::from);
    if !by_form {
        let leads =
            |meeting: &Meeting| principal.as_ref().is_ok_and(|principal| principal.may_act_for(&meeting.organizer));
        return changed.map(|meeting| HttpResponse::Ok().json(meeting.shown(leads(&meeting))));
    }
    let key = key.as_deref().unwrap_or_default();
    match changed {
        Ok(meeting) => page(&store, &meeting, &who, key, &Step::Saved).await,
        Err(problem) if problem.status().is_client_error() && may_see_page(&problem) => {
            page(&store, &find(&req, &store).await?, &who, key, &Step::Refused(problem)).await
        }
        Err(problem) => Err(problem),
    }
}

/// `GET /meetings/{id}/participation?email=&key=&answer=`: the page behind the link, with one reply highlighted. It changes
/// nothing: mail scanners open links.
pub async fn ask(req: HttpRequest, store: Data<Store>) -> HttpResult {
    let mut fields = Params::of_query(&req, None);
    let who = fields.required("email", email);
    let key = fields.optional("key", parsed("not_a_key", |text| Ok::<_, String>(text.to_owned())));
    let ready = fields.optional("answer", one_of("not_a_participation", ANSWERS));
    let who = fields.finish(who)?;
    let meeting = find(&req, &store).await?;
    check_key(store.owner.secret(), &meeting, &who, key.as_deref())?;
    let step = ready.map_or(Step::Opened, Step::Chosen);
    page(&store, &meeting, &who, key.as_deref().unwrap_or_default(), &step).await
}

/// Whether a refusal of a reply is for somebody whose link is right.
fn may_see_page(refusal: &Problem) -> bool {
    ![UNAUTHORIZED, UNKNOWN_MEETING].contains(&refusal.kind)
}

/// Checks the key of a link. For those who were taken out of the meeting, it is a meeting that does not exist.
fn check_key(secret: &str, meeting: &Meeting, who: &Email, key: Option<&str>) -> Result<(), Problem> {
    let right = answer_key(secret, meeting, who);
    match key.is_some_and(|key| !right.is_empty() && bool::from(key.as_bytes().ct_eq(right.as_bytes()))) {
        true if meeting.has_attendee(who) => Ok(()),
        true => Err(unknown(meeting.id)),
        false => Err(Problem::new(UNAUTHORIZED, "this link is not complete; open the one in your invitation again")),
    }
}
