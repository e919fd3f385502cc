//! The page about a meeting behind the link in an e-mail, with the form for the attendee's reply.

use actix_web::http::StatusCode;
use maud::{Markup, html};

use super::model::Meeting;
use crate::calendar::{Zone, format_minutes};
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::page::page as framed;
use crate::platform::http::problem::Problem;
use crate::roles::reservation::api::meetings::{Attendee, Participation, Period, Status};
use crate::roles::reservation::store::Store;
use crate::roles::reservation::subjects::Subjects;

/// Attendees that the page lists.
const MAX_LISTED: usize = 20;

/// The replies, as requests name them.
pub const ANSWERS: [(&str, Participation); 3] = [
    ("accepted", Participation::Accepted),
    ("tentative", Participation::Tentative),
    ("declined", Participation::Declined),
];

/// What the attendee has done on the page so far.
pub enum Step {
    Opened,
    /// The attendee opened the link of this reply.
    Chosen(Participation),
    Saved,
    /// The reply was not possible.
    Refused(Problem),
}

/// The page about a meeting, for one attendee.
pub async fn page(store: &Store, meeting: &Meeting, who: &Email, key: &str, step: &Step) -> HttpResult {
    let people = store.subjects(&meeting.emails()).await?;
    // in the attendee's time zone, as in the invitation
    let theirs = people.get(who.as_str()).and_then(|subject| Zone::parse(&subject.time_zone).ok());
    let zone = theirs.unwrap_or_else(|| meeting.time_zone.clone());
    let is_cancelled = meeting.status == Status::Cancelled;
    let current = meeting.attendees.iter().find(|one| one.email == *who).map(|one| one.participation);
    let content = html! {
        @if is_cancelled { p { strong { "This meeting is cancelled." } " No reply is needed any more." } }
        (facts(meeting, &people, &zone))
        @if is_cancelled {
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

/// What the attendee needs to know of the meeting, as a list of labels and values.
fn facts(meeting: &Meeting, people: &Subjects, zone: &Zone) -> Markup {
    let is_cancelled = meeting.status == Status::Cancelled;
    // a cancelled meeting keeps the time that it had
    let time = if is_cancelled { meeting.period } else { meeting.time() };
    let minutes = time.map_or(meeting.duration_minutes, minutes_of);
    let details = &meeting.details;
    let unlisted = meeting.attendees.len().saturating_sub(MAX_LISTED);
    html! {
        dl {
            dt { @if is_cancelled { "Was planned for" } @else { "When" } }
            dd {
                @match time {
                    Some(period) => @for line in zone.format_period(period.start, period.end) { div { (line) } },
                    None => "There is no time yet.",
                }
            }
            dt { "Length" }
            dd { (format_minutes(minutes)) }
            @if let Some(location) = &details.location { dt { "Where" } dd dir="auto" { (location) } }
            @if let Some(url) = &details.url { dt { "Video" } dd { a href=(url) rel="noopener noreferrer" { (url) } } }
            @if let Some(description) = &details.description { dt { "About" } dd { (lines(description)) } }
            dt { "Organizer" }
            dd dir="auto" { (name(people, &meeting.organizer)) }
            dt { "Attendees" }
            dd {
                ul {
                    @for one in meeting.attendees.iter().take(MAX_LISTED) {
                        li dir="auto" { (name(people, &one.email)) (reply_of(one)) }
                    }
                    @if unlisted > 0 { li { "and " (unlisted) " more" } }
                }
            }
        }
    }
}

fn minutes_of(period: Period) -> u32 {
    u32::try_from(period.end.duration_since(period.start).as_mins()).unwrap_or_default()
}

fn lines(text: &str) -> Markup {
    html! {
        @for line in text.lines() { div dir="auto" { @if line.is_empty() { br; } @else { (line) } } }
    }
}

fn name(people: &Subjects, email: &Email) -> String {
    let known = people.get(email.as_str()).map(|subject| subject.name.clone()).filter(|name| !name.is_empty());
    known.map_or_else(|| email.to_string(), |name| format!("{name} ({email})"))
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
