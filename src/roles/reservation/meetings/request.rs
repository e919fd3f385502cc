//! Reading what somebody wants of a meeting: a new one, or a merge patch (RFC 7396) of one that is there. Pure.

use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};

use super::model::{Callback, Meeting};
use super::standing::first_reply;
use super::store::MeetingFilter;
use crate::calendar::{EventDetails, Fault, Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, email, lines, one_of, parsed, text};
use crate::platform::http::merge_patch::merge_members;
use crate::platform::http::problem::Problem;
use crate::platform::http::window::{self, Window};
use crate::platform::outbound::{Secret, SsrfGuard};
use crate::roles::reservation::api::meetings::{Attendance, Attendee, Participation, Period, ScheduledMeeting, Status};

const LONGEST_TITLE: usize = 200;
const LONGEST_DESCRIPTION: usize = 4000;
const LONGEST_URL: usize = 2048;
const MOST_ATTENDEES: usize = 500;

/// What somebody wants of a meeting.
#[derive(Clone)]
pub struct MeetingDraft {
    pub organizer: Email,
    /// The organizer among them.
    pub attendees: Vec<Attendee>,
    pub title: String,
    pub details: EventDetails,
    pub duration_minutes: u32,
    pub pick: Option<Preference>,
    pub seed: Option<u64>,
    pub step_minutes: u32,
    pub time_zone: Option<Zone>,
    pub window: Option<Window>,
    pub fixed: Option<Period>,
    pub callback: Option<Callback>,
    /// Whether the secret was given, or must be made.
    pub new_secret: bool,
}

/// The requested time, at a whole second that has not passed.
fn start_to_come(fields: &mut Params, now: Timestamp) -> Option<Timestamp> {
    let instant = parsed("not_an_instant", |text| text.parse::<Timestamp>().map_err(|_| INSTANT));
    let start = fields.optional("start", instant)?;
    if start.subsec_nanosecond() != 0 {
        let detail = "must be a whole second: leave out the fraction";
        fields.fault(Fault::new("#/start", "fraction_of_a_second", detail));
    }
    if start < now {
        fields.fault(Fault::new("#/start", "in_the_past", "is in the past: a meeting needs a time to come"));
    }
    Some(start)
}

impl MeetingDraft {
    /// Reads the body of a `POST /meetings`.
    pub fn read(body: Value, guard: &SsrfGuard, now: Timestamp) -> Result<MeetingDraft, Problem> {
        let mut fields = Params::of_body(body)?;
        let organizer = fields.required("organizer", email);
        let attendees = fields.required("attendees", attendees);
        let title = fields.optional("title", text(LONGEST_TITLE)).unwrap_or_else(|| "Meeting".to_owned());
        let details = details(&mut fields);
        let duration = window::duration(&mut fields).unwrap_or(60);
        let (pick, seed, step_minutes) =
            (window::pick(&mut fields), window::seed(&mut fields), window::step(&mut fields));
        let time_zone = fields.optional("time_zone", parsed("not_a_time_zone", Zone::parse));
        let by_week = fields.has("week");
        let window = Window::read(&mut fields);
        let start = start_to_come(&mut fields, now);
        let callback = fields.optional(
            "callback_url",
            parsed("not_a_callback", |text| guard.parse(text).map(|url| url.as_str().to_owned())),
        );
        let given = fields.optional("callback_secret", secret);
        if start.is_some() && window.is_some() {
            fields.fault(Fault::new("#/start", "start_and_window", "cannot come with dates: send one of them"));
        }
        if window.is_some_and(|dates| window::is_past(dates, time_zone.as_ref(), now)) {
            fields.fault(window::past_dates(by_week));
        }
        if given.is_some() && callback.is_none() {
            fields.fault(Fault::new("#/callback_secret", "no_callback", "needs callback_url: send both or neither"));
        }
        let duration_minutes = u32::try_from(duration).unwrap_or(60);
        let length = SignedDuration::from_mins(i64::from(duration_minutes));
        let fixed = start.map(|start| Period { start, end: start.saturating_add(length).unwrap_or(start) });
        let new_secret = given.is_some();
        let callback =
            callback.map(|url| Callback { url, secret: given.unwrap_or_else(|| Secret::generate().expose()) });
        let draft = organizer.zip(attendees).map(|(organizer, attendees)| {
            let attendees = with_organizer(attendees, &organizer);
            MeetingDraft {
                organizer,
                attendees,
                title,
                details,
                duration_minutes,
                pick,
                seed,
                step_minutes,
                time_zone,
                window,
                fixed,
                callback,
                new_secret,
            }
        });
        if draft.as_ref().is_some_and(|draft| draft.attendees.len() < 2) {
            fields.fault(Fault::new("#/attendees", "number_of_attendees", "must name somebody besides the organizer"));
        }
        fields.finish(draft)
    }

    /// What suggestion has found a time for, whoever calls it being asked to come as well.
    pub fn found(found: ScheduledMeeting, guard: &SsrfGuard, now: Timestamp) -> Result<MeetingDraft, Problem> {
        let first = found.attendees.first().cloned();
        let minutes = found.period.end.duration_since(found.period.start).as_mins();
        let attendance =
            |email| if found.optional.contains(email) { Attendance::Optional } else { Attendance::Required };
        let attendee = |email| json!({ "email": email, "attendance": attendance(email) });
        let attendees: Vec<Value> = found.attendees.iter().map(attendee).collect();
        let body = json!({
            "organizer": found.organizer.or(first), "attendees": attendees, "title": found.title,
            "duration_minutes": minutes, "pick": found.pick, "time_zone": found.time_zone,
        });
        MeetingDraft::read(body, guard, now)
    }

    /// Reads the body of a `PATCH /meetings/{id}` as the meeting that would come of it.
    pub fn patch(meeting: &Meeting, patch: Value, guard: &SsrfGuard, now: Timestamp) -> Result<MeetingDraft, Problem> {
        if !patch.is_object() {
            return Err(Problem::validation(vec![Fault::new("#", "not_an_object", "must be a JSON object")]));
        }
        let gives = |name: &str| patch.get(name).is_some_and(|value| !value.is_null());
        // the placeholder of a deleted account is no address that a request may name
        let people = meeting.attendees.iter().filter(|one| !one.email.is_placeholder());
        let people: Vec<Value> =
            people.map(|one| json!({ "email": one.email, "attendance": one.attendance })).collect();
        let keeps_attendees = patch.get("attendees").is_none();
        let mut document = json!({
            "organizer": meeting.organizer, "title": meeting.title, "location": meeting.details.location,
            "description": meeting.details.description, "url": meeting.details.url,
            "duration_minutes": meeting.duration_minutes,
            "attendees": people,
            "pick": meeting.pick, "seed": meeting.seed, "step_minutes": meeting.step_minutes, "time_zone": meeting.time_zone,
            "callback_url": meeting.callback.as_ref().map(|it| &it.url),
        });
        let (gives_callback, gives_secret) = (gives("callback_url"), gives("callback_secret"));
        let dates = gives("week") || gives("from") || gives("to");
        match (meeting.fixed, meeting.window) {
            (Some(fixed), _) if !dates => document["start"] = json!(fixed.start),
            (None, Some(window)) if !gives("start") && !gives("week") => {
                (document["from"], document["to"]) = (json!(window.from), json!(window.to));
            }
            _ => {}
        }
        // a time and dates that are there already may have passed
        let keeps_time = !dates && patch.get("start").is_none();
        merge_members(&mut document, patch);
        if meeting.callback.is_none() && gives_callback && !gives_secret {
            let detail = "is required with a first callback_url: a secret is told only when a meeting is made";
            return Err(Problem::validation(vec![Fault::new("#/callback_secret", "missing", detail)]));
        }
        let mut draft = MeetingDraft::read(document, guard, if keeps_time { Timestamp::MIN } else { now })?;
        if keeps_attendees {
            draft.attendees = meeting.attendees.iter().map(|one| asked(one.email.clone(), one.attendance)).collect();
        }
        if draft.organizer != meeting.organizer {
            let fault = Fault::new("#/organizer", "not_changeable", "cannot change; make a new meeting");
            return Err(Problem::validation(vec![fault]));
        }
        Ok(draft)
    }

    /// The addresses of all attendees.
    pub fn emails(&self) -> Vec<Email> {
        self.attendees.iter().map(|one| one.email.clone()).collect()
    }

    /// Whether somebody is asked to come.
    pub fn has_attendee(&self, email: &Email) -> bool {
        self.attendees.iter().any(|one| one.email == *email)
    }
}

/// Takes the place, the description, and the video conference.
fn details(fields: &mut Params) -> EventDetails {
    EventDetails {
        location: fields.optional("location", text(LONGEST_TITLE)),
        description: fields.optional("description", lines(LONGEST_DESCRIPTION)),
        url: fields.optional("url", parsed("not_a_url", conference_url)),
    }
}

/// Reads the URL of a video conference. A user name before the host would hide the host from attendees: `https://zoom.us@evil.example/`.
fn conference_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).ok().filter(|_| text.len() <= LONGEST_URL);
    let url = url.filter(|url| url.scheme() == "https" && url.has_host());
    let url = url.ok_or_else(|| format!("must be a URL with https of at most {LONGEST_URL} characters"))?;
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(url.into()),
        false => Err("must not hold a user name or a password".to_owned()),
    }
}

/// Takes the filters of a list of meetings.
pub fn filter(fields: &mut Params) -> MeetingFilter {
    let (attendee, organizer) = (fields.optional("attendee", email), fields.optional("organizer", email));
    let status = fields.optional("status", one_of("not_a_status", Status::ALL.map(|status| (status.name(), status))));
    let (from, to) = (fields.optional("from", window::date), fields.optional("to", window::date));
    let zone = fields.optional("time_zone", parsed("not_a_time_zone", Zone::parse)).unwrap_or_else(Zone::utc);
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        fields.fault(Fault::new("#/to", "not_a_window", "must not be before from"));
    }
    let (since, until) =
        (from.map(|date| zone.start_of(date)), to.map(|date| zone.start_of(date.saturating_add(1.day()))));
    MeetingFilter { attendee, organizer, status, since, until }
}

const INSTANT: &str = "must be an instant such as 2026-03-23T09:00:00+01:00";

fn secret(value: &Value) -> Result<String, Vec<Fault>> {
    parsed("not_a_secret", |text| Secret::parse(text).map(|secret| secret.expose()))(value)
}

/// The organizer comes too; first, unless the list says otherwise.
fn with_organizer(mut attendees: Vec<Attendee>, organizer: &Email) -> Vec<Attendee> {
    if attendees.iter().all(|one| one.email != *organizer) {
        attendees.insert(0, asked(organizer.clone(), Attendance::Required));
    }
    attendees.iter_mut().for_each(|one| one.participation = first_reply(&one.email, organizer));
    attendees
}

fn asked(email: Email, attendance: Attendance) -> Attendee {
    Attendee { email, attendance, participation: Participation::NeedsAction }
}

/// Addresses, as texts or as objects with `email` and `attendance`; who stands there twice counts once.
fn attendees(value: &Value) -> Result<Vec<Attendee>, Vec<Fault>> {
    let wrong = |detail: String| vec![Fault::new("", "number_of_attendees", detail)];
    let list =
        value.as_array().ok_or_else(|| vec![Fault::new("", "not_a_list", "must be a list of e-mail addresses")])?;
    if list.is_empty() || list.len() > MOST_ATTENDEES {
        return Err(wrong(format!("must name 1 to {MOST_ATTENDEES} attendees, not {}", list.len())));
    }
    let mut attendees: Vec<Attendee> = Vec::with_capacity(list.len());
    let mut faults = Vec::new();
    for (at, item) in list.iter().enumerate() {
        match attendee(item) {
            Ok(one) if attendees.iter().all(|known| known.email != one.email) => attendees.push(one),
            Ok(_) => {}
            Err(wrong) => faults.extend(wrong.into_iter().map(|fault| fault.under(&format!("/{at}")))),
        }
    }
    if faults.is_empty() { Ok(attendees) } else { Err(faults) }
}

fn attendee(item: &Value) -> Result<Attendee, Vec<Fault>> {
    let Some(object) = item.as_object() else {
        return Ok(asked(email(item)?, Attendance::Required));
    };
    if let Some(name) = object.keys().find(|name| !["email", "attendance"].contains(&name.as_str())) {
        return Err(vec![Fault::new(
            format!("/{name}"),
            "unknown_field",
            "is not a field of an attendee: use email and attendance",
        )]);
    }
    let at = |place: &'static str| {
        move |faults: Vec<Fault>| faults.into_iter().map(|it| it.under(place)).collect::<Vec<_>>()
    };
    let attendance = object.get("attendance").filter(|value| !value.is_null());
    let attendance = attendance.map(window::attendance).transpose().map_err(at("/attendance"))?.unwrap_or_default();
    let email = email(object.get("email").unwrap_or(&Value::Null)).map_err(at("/email"))?;
    Ok(asked(email, attendance))
}
