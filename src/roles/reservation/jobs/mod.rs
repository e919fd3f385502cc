//! What the jobs of this role mean for its meetings.

pub mod kinds;
pub mod order;
pub mod outcome;

use diesel::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::data::instant::{now, stored};
use crate::platform::data::schema::{deliveries, jobs};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, shared};
use crate::platform::http::problem::{BAD_REQUEST, Problem};
use crate::platform::jobs::api::{AttemptFailure, DeliveryOutcome, JobReport};
use crate::platform::jobs::model::{Job, JobKind, JobState, OPEN};
use crate::platform::jobs::rows::{scrub_jobs, set_payload};
use crate::platform::jobs::{JobOwner, JobSubject};
use crate::roles::reservation::api::jobs::JobResult;
use crate::roles::reservation::api::meetings::Status;
use crate::roles::reservation::meetings::hold_limit::find_exhausted;
use crate::roles::reservation::meetings::mails::mark_sent;
use crate::roles::reservation::meetings::model::Meeting;
use crate::roles::reservation::meetings::rows::{lock_meeting, save_change};
use crate::roles::reservation::schema::subjects;
use crate::roles::reservation::store::Store;
use crate::roles::reservation::subjects::{find_subjects, lock_attendees};
use crate::roles::reservation::webhooks::model::Webhook;
use crate::roles::reservation::webhooks::store::{find_event_body, find_webhook};
use kinds::{DELIVER_EVENT, EventDelivery, SCHEDULE_MEETING, SEND_INVITATIONS};

/// What a job of this role is about.
pub enum Subject {
    /// A meeting.
    Meeting(Box<Meeting>),
    /// A webhook of an account; none for one that was deleted.
    Webhook(Option<Webhook>),
}

impl JobSubject for Subject {
    async fn lock(conn: &mut Connection, id: Uuid) -> Result<Subject, Abort> {
        match lock_meeting(conn, id).await? {
            Some(meeting) => Ok(Subject::Meeting(Box::new(meeting.changed_by(None)))),
            // nothing that is decided here depends on whether the webhook is deleted meanwhile
            None => Ok(Subject::Webhook(find_webhook(conn, id).await?)),
        }
    }
}

impl JobOwner for Store {
    type Subject = Subject;

    const KINDS: &'static [JobKind] = kinds::ALL;

    async fn start(
        &self,
        conn: &mut Connection,
        job: &Job,
        payload: &str,
        subject: &Subject,
    ) -> Result<Option<Value>, Abort> {
        let meeting = match subject {
            Subject::Meeting(meeting) => meeting,
            Subject::Webhook(webhook) => return start_delivery(conn, job, payload, webhook.as_ref()).await,
        };
        let now = now();
        if job.kind == SCHEDULE_MEETING.name && meeting.status == Status::Queued {
            save_change(conn, self, Some(meeting), &meeting.clone().started(now)).await?;
        }
        let people = find_subjects(conn, &order::people(job, payload, meeting)?).await?;
        if let Some(recipients) = order::recipients(job, payload)? {
            mark_sent(conn, meeting.id, &recipients).await?;
        }
        let input = order::of(job, payload, meeting, &people, self.owner.secret(), now)?;
        Ok(input.map(|input| json!(input)))
    }

    async fn finish(
        &self,
        conn: &mut Connection,
        job: &Job,
        subject: &Subject,
        report: &JobReport<Value>,
    ) -> Result<(), Abort> {
        let Subject::Meeting(meeting) = subject else { return Ok(()) };
        let result: JobResult = serde_json::from_value(report.result.clone())
            .map_err(|why| Abort::Rejected(Problem::new(BAD_REQUEST, format!("the result cannot be read: {why}"))))?;
        let (others, unreached) = match job.kind == SEND_INVITATIONS.name {
            true => {
                erase_deliveries_to_deleted(conn, job.id).await?;
                count_invitations(conn, meeting, job.id).await?
            }
            false => (0, 0),
        };
        let Some(mut change) = outcome::outcome(job, meeting, &result, others, unreached, now()) else { return Ok(()) };
        if matches!(result, JobResult::Suggested { .. }) {
            lock_attendees(conn, &change.meeting.emails()).await?;
            let exhausted = find_exhausted(conn, &self.auth, Some(meeting), &change.meeting).await?;
            change.meeting.held_on_acceptance.extend(exhausted);
        }
        save_change(conn, self, Some(meeting), &change).await
    }

    async fn fail(
        &self,
        conn: &mut Connection,
        job: &Job,
        payload: &str,
        subject: &Subject,
        failure: &AttemptFailure,
    ) -> Result<(), Abort> {
        let Subject::Meeting(meeting) = subject else { return Ok(()) };
        if job.kind == SEND_INVITATIONS.name {
            erase_deliveries_to_deleted(conn, job.id).await?;
        }
        if let Some(rest) = outcome::still_to_tell(job, payload, &failure.notes) {
            set_payload(conn, job.id, &rest).await?;
        }
        if job.state == JobState::Dead && names_deleted(conn, job, payload, meeting).await? {
            scrub_jobs(conn, &[job.id.to_string()]).await?;
        }
        match outcome::given_up(job, meeting, &failure.error, now()) {
            Some(change) => save_change(conn, self, Some(meeting), &change).await,
            None => Ok(()),
        }
    }

    async fn retry(&self, conn: &mut Connection, job: &Job, subject: &Subject) -> Result<(), Abort> {
        let Subject::Meeting(meeting) = subject else { return Ok(()) };
        match Meeting::clone(meeting).resumed(&job.kind, now()) {
            Some(change) => save_change(conn, self, Some(meeting), &change).await,
            None => Ok(()),
        }
    }

    fn describe(&self, job: &Job, shown: &mut Value) {
        let is_about_meeting = job.kind != DELIVER_EVENT.name;
        shown["meeting_id"] = json!(is_about_meeting.then_some(job.subject));
    }

    async fn purge(&self) -> Result<(), Error> {
        self.purge_subjects().await?;
        self.purge_mails().await?;
        self.purge_actors().await?;
        self.purge_webhook_events().await
    }
}

/// The input of a job that delivers an event; none if the webhook or the event is gone.
async fn start_delivery(
    conn: &mut Connection,
    job: &Job,
    payload: &str,
    webhook: Option<&Webhook>,
) -> Result<Option<Value>, Abort> {
    if job.kind != DELIVER_EVENT.name {
        return Err(Abort::Database(Error::Corrupt(format!("a job has no meeting {}", job.subject))));
    }
    let Some(webhook) = webhook else { return Ok(None) };
    let EventDelivery { event } = order::read(job, payload)?;
    let body = find_event_body(conn, event).await?;
    let (url, secret) = (webhook.url.clone(), webhook.secret.clone());
    Ok(body.map(|body| json!(order::webhook(job, url, secret, body))))
}

/// Erases the deliveries of an invitation job to users who were deleted while it ran.
async fn erase_deliveries_to_deleted(conn: &mut Connection, job: Uuid) -> Result<(), Error> {
    let mine = || deliveries::table.filter(deliveries::job_id.eq(job.to_string()));
    let targets: Vec<String> = mine().select(deliveries::target).load(conn).await?;
    // a deletion that is under way erases them itself when it gets the lock
    let known = subjects::table.filter(subjects::email.eq_any(&targets)).order(subjects::id).select(subjects::email);
    let known: Vec<String> = shared(known).load(conn).await?;
    diesel::delete(mine().filter(deliveries::target.ne_all(known))).execute(conn).await?;
    Ok(())
}

/// Whether the payload of a job names a user who was deleted meanwhile: a cancellation does until it is sent.
async fn names_deleted(conn: &mut Connection, job: &Job, payload: &str, meeting: &Meeting) -> Result<bool, Error> {
    let named = order::people(job, payload, meeting)?;
    let known = find_subjects(conn, &named).await?;
    Ok(named.iter().any(|email| !known.contains_key(email.as_str())))
}

/// How many other invitation jobs of a meeting are open, and how many recipients of its current revision were not reached.
async fn count_invitations(conn: &mut Connection, meeting: &Meeting, job: Uuid) -> Result<(i64, i64), Error> {
    let id = meeting.id.to_string();
    let open = jobs::table.filter(jobs::subject.eq(&id)).filter(jobs::kind.eq(SEND_INVITATIONS.name));
    let others = open.filter(jobs::id.ne(job.to_string())).filter(jobs::state.eq_any(OPEN));
    let others = others.count().get_result::<i64>(conn).await?;
    let since = meeting.history.last().map_or(meeting.created_at, |passed| passed.at);
    let unreached =
        deliveries::table.filter(deliveries::subject.eq(&id)).filter(deliveries::kind.eq(SEND_INVITATIONS.name));
    let unreached = unreached.filter(deliveries::outcome.eq(DeliveryOutcome::Refused.name()));
    let unreached = unreached.filter(deliveries::created_at.ge(stored(since)));
    Ok((others, unreached.count().get_result::<i64>(conn).await?))
}
