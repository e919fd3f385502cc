//! The reply of an attendee: by the API, or by the link in an invitation, which opens a small page.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{FromRequest as _, HttpMessage as _, HttpRequest, HttpResponse};
use maud::{Markup, html};
use subtle::ConstantTimeEq as _;

use super::access::check_may_reply;
use super::handlers::find;
use super::model::Meeting;
use super::store::unknown;
use crate::calendar::Zone;
use crate::platform::auth::Principal;
use crate::platform::data::instant::now;
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, Params, PathId, email, one_of, parsed, payload_problem};
use crate::platform::http::page::page as framed;
use crate::platform::http::problem::{Problem, UNAUTHORIZED};
use crate::roles::reservation::api::meetings::{Attendee, Participation, Status};
use crate::roles::reservation::api::problems::UNKNOWN_MEETING;
use crate::roles::reservation::jobs::order::answer_key;
use crate::roles::reservation::store::Store;

/// Attendees that the page lists.
const MAX_LISTED: usize = 20;

const ANSWERS: [(&str, Participation); 3] = [
    ("accepted", Participation::Accepted),
    ("tentative", Participation::Tentative),
    ("declined", Participation::Declined),
];

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

/// What the attendee has done on the page so far.
enum Step {
    Opened,
    /// The attendee opened the link of this reply.
    Chosen(Participation),
    Saved,
    /// The reply was not possible.
    Refused(Problem),
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

async fn page(store: &Store, meeting: &Meeting, who: &Email, key: &str, step: &Step) -> HttpResult {
    let people = store.subjects(&meeting.emails()).await?;
    // in the attendee's time zone, as in the invitation
    let theirs = people.get(who.as_str()).and_then(|subject| Zone::parse(&subject.time_zone).ok());
    let zone = theirs.unwrap_or_else(|| meeting.time_zone.clone());
    let is_cancelled = meeting.status == Status::Cancelled;
    let current = meeting.attendees.iter().find(|one| one.email == *who).map(|one| one.participation);
    let when = match (is_cancelled, meeting.time()) {
        (true, _) => "This meeting is cancelled.".to_owned(),
        (false, Some(period)) => format!("{} ({})", zone.format_long(period.start), zone.name()),
        (false, None) => "This meeting has no time yet.".to_owned(),
    };
    let name = |email: &Email| {
        let known = people.get(email.as_str()).map(|subject| subject.name.clone()).filter(|name| !name.is_empty());
        known.map_or_else(|| email.to_string(), |name| format!("{name} ({email})"))
    };
    let others = meeting.attendees.len().saturating_sub(MAX_LISTED);
    let content = html! {
        p { (when) br; (meeting.duration_minutes) " minutes, organized by " (name(&meeting.organizer)) }
        ul {
            @for one in meeting.attendees.iter().take(MAX_LISTED) { li dir="auto" { (name(&one.email)) (reply_of(one)) } }
            @if others > 0 { li { "and " (others) " more" } }
        }
        @if is_cancelled {
            p { "No reply is needed any more." }
        } @else if *who == meeting.organizer {
            p { "You organize this meeting." }
        } @else {
            (note(step, current))
            form method="post" {
                input type="hidden" name="email" value=(who);
                input type="hidden" name="key" value=(key);
                @for answer in ANSWERS { (button(answer, step, current)) }
            }
            p { "You reply as " (who) "." }
        }
    };
    Ok(framed(StatusCode::OK, &meeting.title, &content))
}

/// What an attendee has replied.
fn reply_of(attendee: &Attendee) -> &'static str {
    match attendee.participation {
        Participation::NeedsAction => "",
        Participation::Accepted => ": yes",
        Participation::Tentative => ": maybe",
        Participation::Declined => ": no",
    }
}

fn note(step: &Step, current: Option<Participation>) -> Markup {
    match (step, current) {
        (Step::Refused(problem), _) => html! { p role="alert" { "That was not possible: " (problem.detail) "." } },
        (Step::Saved, _) => html! { p role="status" { "Thank you, your reply is noted. You can change it here." } },
        (Step::Chosen(_), _) => html! { p { "Press the highlighted button to confirm." } },
        (Step::Opened, Some(Participation::NeedsAction) | None) => html! { p { "Can you come?" } },
        (Step::Opened, Some(_)) => html! { p { "Your reply is noted. You can change it here." } },
    }
}

fn button((name, reply): (&str, Participation), step: &Step, current: Option<Participation>) -> Markup {
    let label = match reply {
        Participation::Accepted => "Yes",
        Participation::Tentative => "Maybe",
        _ => "No",
    };
    // the keyboard reaches the chosen button first
    let is_chosen = matches!(step, Step::Chosen(chosen) if *chosen == reply);
    let pressed = (!is_chosen && current == Some(reply)).then_some("true");
    html! {
        button name="participation" value=(name) class=[is_chosen.then_some("ready")] autofocus[is_chosen]
            aria-pressed=[pressed] { (label) }
    }
}
