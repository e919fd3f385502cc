//! From a job as it is stored to the order that a worker gets: everything it needs, and nothing more. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use super::kinds::{self, Callback, DELIVER_WEBHOOK, SCHEDULE_MEETING, SEND_INVITATIONS};
use crate::calendar::{self, Invitation, Invitee, Method, Zone};
use crate::platform::data::Error;
use crate::platform::email::Email;
use crate::platform::jobs::model::Job;
use crate::roles::reservation::api::jobs::{InvitationMail, JobPayload, Recipient, Webhook};
use crate::roles::reservation::api::meetings::{Attendance, Attendee, Period};
use crate::roles::reservation::meetings::model::Meeting;
use crate::roles::reservation::subjects::Subjects;

/// Whom a job must know about.
pub fn people(job: &Job, payload: &str) -> Result<Vec<Email>, Error> {
    if job.kind != SEND_INVITATIONS.name {
        return Ok(Vec::new());
    }
    let invitation: kinds::Invitation = read(job, payload)?;
    let mut people = invitation.meeting.emails();
    people.extend(invitation.recipients);
    people.push(invitation.meeting.organizer);
    people.sort();
    people.dedup();
    Ok(people)
}

/// The input of the worker's handler, for an attempt that begins now.
pub fn of(
    job: &Job,
    payload: &str,
    meeting: &Meeting,
    people: &Subjects,
    secret: &str,
    now: Timestamp,
) -> Result<JobPayload, Error> {
    Ok(match &job.kind {
        kind if *kind == SCHEDULE_MEETING.name => JobPayload::ScheduleMeeting(meeting.search(now)),
        kind if *kind == SEND_INVITATIONS.name => {
            JobPayload::SendInvitations(mailing(read(job, payload)?, people, secret))
        }
        kind if *kind == DELIVER_WEBHOOK.name => {
            let Callback { url, secret, body } = read(job, payload)?;
            JobPayload::DeliverWebhook(Webhook { url, id: format!("msg_{}", job.id.simple()), body, secret })
        }
        _ => JobPayload::Other,
    })
}

fn read<T: DeserializeOwned>(job: &Job, payload: &str) -> Result<T, Error> {
    serde_json::from_str(payload).map_err(|why| Error::Corrupt(format!("the payload of job {}: {why}", job.id)))
}

fn mailing(invitation: kinds::Invitation, people: &Subjects, secret: &str) -> InvitationMail {
    let kinds::Invitation { cancel, sequence, meeting, recipients } = invitation;
    let person = |email: &Email| named(people, email);
    let recipient = |email: Email| {
        // who is no user any more gets no letter
        let subject = people.get(email.as_str())?;
        let key = answer_key(secret, &meeting, &email);
        let path = format!("/api/meetings/{}/participation?email={}&key={key}", meeting.id, email.path_segment());
        let time_zone = Zone::parse(&subject.time_zone).unwrap_or_else(|_| Zone::utc());
        Some(Recipient { email: email.clone(), person: person(&email), time_zone, answer_path: path })
    };
    let nowhen = Period { start: Timestamp::UNIX_EPOCH, end: Timestamp::UNIX_EPOCH };
    InvitationMail {
        cancel,
        uid_domain: meeting.uid_domain.clone(),
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
pub fn invitation(meeting: &Meeting, people: &Subjects) -> Option<Invitation> {
    let period = meeting.time()?;
    Some(Invitation {
        method: Method::Publish,
        meeting_id: meeting.id,
        uid_domain: meeting.uid_domain.clone(),
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
fn named(people: &Subjects, email: &Email) -> calendar::CalAddress {
    match people.get(email.as_str()) {
        Some(subject) => calendar::CalAddress { name: subject.name.clone(), email: subject.typed_email.clone() },
        None => calendar::CalAddress { name: email.to_string(), email: email.to_string() },
    }
}

fn guest(people: &Subjects, one: &Attendee) -> Invitee {
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
