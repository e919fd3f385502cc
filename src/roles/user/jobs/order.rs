//! From a job as it is stored to the order that a worker gets: everything it needs, and nothing more. Pure.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use super::kinds::{Callback, CodeMail, INVITE, Invitation as Letter, LETTER, SCHEDULE, WEBHOOK};
use crate::calendar::{self, Invitation, Invitee, Method, Zone};
use crate::platform::data::Error;
use crate::platform::email::Email;
use crate::platform::jobs::model::Job;
use crate::roles::user::api::jobs::{InvitationMail, JobPayload, Recipient, Webhook};
use crate::roles::user::api::letters::AccountMail;
use crate::roles::user::api::meetings::{Attendance, Attendee, Period};
use crate::roles::user::meetings::model::Meeting;

/// A user's name, address as typed, and time zone.
pub type Person = (String, String, String);

/// Whom a job must know about.
pub fn people(job: &Job, payload: &str) -> Result<Vec<Email>, Error> {
    if job.kind == LETTER.name {
        let note: CodeMail = read(job, payload)?;
        return Ok(vec![note.email]);
    }
    if job.kind != INVITE.name {
        return Ok(Vec::new());
    }
    let letter: Letter = read(job, payload)?;
    let mut people = letter.meeting.emails();
    people.extend(letter.recipients);
    people.push(letter.meeting.organizer);
    people.sort();
    people.dedup();
    Ok(people)
}

/// The input of the worker's handler, for an attempt that begins now; not for [`super::kinds::REFRESH`].
pub fn of(
    job: &Job,
    payload: &str,
    meeting: Option<&Meeting>,
    people: &HashMap<String, Person>,
    secret: &str,
    now: Timestamp,
) -> Result<JobPayload, Error> {
    Ok(match meeting {
        Some(meeting) if job.kind == SCHEDULE.name => JobPayload::ScheduleMeeting(meeting.search(now)),
        _ if job.kind == INVITE.name => JobPayload::SendInvitations(mailing(read(job, payload)?, people, secret)),
        _ if job.kind == WEBHOOK.name => {
            let Callback { url, secret, body } = read(job, payload)?;
            JobPayload::DeliverWebhook(Webhook { url, id: format!("msg_{}", job.id.simple()), body, secret })
        }
        _ if job.kind == LETTER.name => JobPayload::SendLetter(account_letter(job, read(job, payload)?, people)),
        _ => JobPayload::Other,
    })
}

fn read<T: DeserializeOwned>(job: &Job, payload: &str) -> Result<T, Error> {
    serde_json::from_str(payload).map_err(|why| Error::Corrupt(format!("the payload of job {}: {why}", job.id)))
}

fn account_letter(job: &Job, mail: CodeMail, people: &HashMap<String, Person>) -> AccountMail {
    let CodeMail { purpose, email, code, minutes } = mail;
    let typed_email = named(people, &email).email;
    let path = purpose.link(&code);
    AccountMail { purpose, email, typed_email, path, minutes, stamp: job.created_at }
}

fn mailing(letter: Letter, people: &HashMap<String, Person>, secret: &str) -> InvitationMail {
    let Letter { cancel, sequence, meeting, recipients } = letter;
    let person = |email: &Email| named(people, email);
    let recipient = |email: Email| {
        // who is no user any more gets no letter
        let (_, _, zone) = people.get(email.as_str())?;
        let key = answer_key(secret, &meeting, &email);
        let path = format!("/api/meetings/{}/participation?email={}&key={key}", meeting.id, email.path_segment());
        let time_zone = Zone::parse(zone).unwrap_or_else(|_| Zone::utc());
        Some(Recipient { email: email.clone(), person: person(&email), time_zone, answer_path: path })
    };
    let nowhen = Period { start: Timestamp::UNIX_EPOCH, end: Timestamp::UNIX_EPOCH };
    InvitationMail {
        cancel,
        sequence,
        stamp: meeting.updated_at,
        title: meeting.title.clone(),
        period: meeting.period.unwrap_or(nowhen),
        organizer: person(&meeting.organizer),
        attendees: meeting.attendees.iter().map(|one| guest(people, one)).collect(),
        recipients: recipients.into_iter().filter_map(recipient).collect(),
    }
}

/// The meeting for a calendar (RFC 5545, METHOD:PUBLISH); none before it has a time.
pub fn invitation(meeting: &Meeting, people: &HashMap<String, Person>) -> Option<Invitation> {
    let period = meeting.period.filter(|_| meeting.status.holds())?;
    Some(Invitation {
        method: Method::Publish,
        meeting_id: meeting.id,
        sequence: meeting.sequence,
        dtstamp: meeting.updated_at,
        title: meeting.title.clone(),
        start: period.start,
        end: period.end,
        organizer: named(people, &meeting.organizer),
        attendees: meeting.attendees.iter().map(|one| guest(people, one)).collect(),
    })
}

/// Who that is; by the address where there is no user any more.
fn named(people: &HashMap<String, Person>, email: &Email) -> calendar::CalAddress {
    match people.get(email.as_str()) {
        Some((name, typed, _)) => calendar::CalAddress { name: name.clone(), email: typed.clone() },
        None => calendar::CalAddress { name: email.to_string(), email: email.to_string() },
    }
}

fn guest(people: &HashMap<String, Person>, one: &Attendee) -> Invitee {
    Invitee {
        person: named(people, &one.email),
        required: one.attendance == Attendance::Required,
        participation: one.participation,
    }
}

/// What proves that a link was taken out of this attendee's letter: an HMAC-SHA256, in base64url.
pub fn answer_key(secret: &str, meeting: &Meeting, email: &Email) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("participation {} {email}", meeting.id).as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
