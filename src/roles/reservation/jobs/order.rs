//! From a job as it is stored to the order that a worker gets: everything it needs, and nothing more. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use super::kinds::{self, Callback, DELIVER_WEBHOOK, NoticeAbout, SCHEDULE_MEETING, SEND_INVITATIONS, SEND_NOTICE};
use crate::calendar::{CalAddress, Invitation, Invitee, Method, Participation, Zone};
use crate::platform::data::Error;
use crate::platform::email::Email;
use crate::platform::jobs::model::Job;
use crate::roles::reservation::api::jobs::{InvitationMail, JobPayload, Notice, NoticeMail, Recipient, Webhook};
use crate::roles::reservation::api::meetings::{Attendance, Attendee, Period, Status};
use crate::roles::reservation::meetings::model::Meeting;
use crate::roles::reservation::subjects::Subjects;

/// Whom a job must know about.
pub fn people(job: &Job, payload: &str, meeting: &Meeting) -> Result<Vec<Email>, Error> {
    if job.kind == SEND_NOTICE.name {
        return Ok(meeting.emails());
    }
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

/// The recipients of a job that mails invitations.
pub fn recipients(job: &Job, payload: &str) -> Result<Option<Vec<Email>>, Error> {
    if job.kind != SEND_INVITATIONS.name {
        return Ok(None);
    }
    read(job, payload).map(|invitation: kinds::Invitation| Some(invitation.recipients))
}

/// The input of the worker's handler, for an attempt that begins now; none if the job is not wanted any more.
pub fn of(
    job: &Job,
    payload: &str,
    meeting: &Meeting,
    people: &Subjects,
    secret: &str,
    now: Timestamp,
) -> Result<Option<JobPayload>, Error> {
    Ok(Some(match &job.kind {
        kind if *kind == SCHEDULE_MEETING.name => JobPayload::ScheduleMeeting(meeting.search(now)),
        kind if *kind == SEND_INVITATIONS.name => {
            JobPayload::SendInvitations(mailing(read(job, payload)?, people, secret))
        }
        kind if *kind == SEND_NOTICE.name => {
            let about: NoticeAbout = read(job, payload)?;
            return Ok(notice(about, meeting, people, secret).map(JobPayload::SendNotice));
        }
        kind if *kind == DELIVER_WEBHOOK.name => {
            let Callback { url, secret, body } = read(job, payload)?;
            webhook(job, url, secret, body)
        }
        _ => JobPayload::Other,
    }))
}

/// A webhook that this job sends: every attempt has the same id.
pub fn webhook(job: &Job, url: String, secret: String, body: String) -> JobPayload {
    JobPayload::DeliverWebhook(Webhook { url, id: format!("msg_{}", job.id.simple()), body, secret })
}

/// Reads the payload of a job.
pub fn read<T: DeserializeOwned>(job: &Job, payload: &str) -> Result<T, Error> {
    serde_json::from_str(payload).map_err(|why| Error::Corrupt(format!("the payload of job {}: {why}", job.id)))
}

fn mailing(invitation: kinds::Invitation, people: &Subjects, secret: &str) -> InvitationMail {
    let kinds::Invitation { cancel, cause, sequence, meeting, recipients, new } = invitation;
    let nowhen = Period { start: Timestamp::UNIX_EPOCH, end: Timestamp::UNIX_EPOCH };
    let known = recipients.iter().filter_map(|email| recipient(email, &meeting, people, secret));
    InvitationMail {
        cancel,
        cause,
        uid_domain: meeting.uid_domain.clone(),
        sequence,
        stamp: meeting.updated_at,
        title: meeting.title.clone(),
        details: meeting.details.clone(),
        period: meeting.period.unwrap_or(nowhen),
        organizer: named(people, &meeting.organizer),
        organizer_time_zone: time_zone(people, &meeting.organizer),
        attendees: meeting.attendees.iter().map(|one| guest(people, one)).collect(),
        recipients: known.map(|to| Recipient { is_new: new.contains(&to.email), ..to }).collect(),
    }
}

/// A notice about the meeting as it is; none if there is nothing to tell any more.
fn notice(notice: NoticeAbout, meeting: &Meeting, people: &Subjects, secret: &str) -> Option<NoticeMail> {
    let NoticeAbout { about, requested } = notice;
    let has_declined = |one: &&Attendee| one.participation == Participation::Declined && one.email != meeting.organizer;
    let declined = meeting.attendees.iter().filter(has_declined).filter(|_| about == Notice::Declined);
    let declined: Vec<CalAddress> = declined.map(|one| named(people, &one.email)).collect();
    let is_result = |status| matches!(status, Status::Suggested | Status::NoCommonTime | Status::Failed);
    let result = meeting.history.iter().rev().find(|noted| is_result(noted.status));
    // a meeting that has stood before stands again in the same instant
    let results = || meeting.history.iter().filter(|noted| result.is_some_and(|result| result.at == noted.at));
    let found = |status| results().find(|noted| noted.status == status);
    let result = match about {
        Notice::Declined => None,
        Notice::NoCommonTime => Some(found(Status::NoCommonTime)?),
        Notice::Failed => Some(found(Status::Failed)?),
    };
    let is_current = meeting.status != Status::Cancelled && (result.is_some() || !declined.is_empty());
    let recipient = recipient(&meeting.organizer, meeting, people, secret).filter(|_| is_current)?;
    Some(NoticeMail {
        about,
        version: meeting.version,
        stamp: meeting.updated_at,
        title: meeting.title.clone(),
        period: meeting.period.filter(|_| meeting.status.holds()),
        requested,
        reason: result.and_then(|result| result.reason.clone()),
        declined,
        recipient,
    })
}

/// A recipient of a mail; none for a user who was deleted.
fn recipient(email: &Email, meeting: &Meeting, people: &Subjects, secret: &str) -> Option<Recipient> {
    people.get(email.as_str())?;
    let key = answer_key(secret, meeting, email);
    let answer_path = format!("/api/meetings/{}/participation?email={}&key={key}", meeting.id, email.path_segment());
    let (person, time_zone) = (named(people, email), time_zone(people, email));
    Some(Recipient { email: email.clone(), person, time_zone, answer_path, is_new: false })
}

/// The time zone of a user.
fn time_zone(people: &Subjects, email: &Email) -> Zone {
    people.get(email.as_str()).and_then(|subject| Zone::parse(&subject.time_zone).ok()).unwrap_or_else(Zone::utc)
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
        details: meeting.details.clone(),
        start: period.start,
        end: period.end,
        organizer: named(people, &meeting.organizer),
        attendees: meeting.attendees.iter().map(|one| guest(people, one)).collect(),
    })
}

/// Who that is; by the address where there is no user any more.
fn named(people: &Subjects, email: &Email) -> CalAddress {
    match people.get(email.as_str()) {
        Some(subject) => CalAddress { name: subject.name.clone(), email: subject.typed_email.clone() },
        None => CalAddress { name: email.to_string(), email: email.to_string() },
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
