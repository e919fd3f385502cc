//! What the jobs of this role mean: for meetings, calendars and one-time codes.

pub mod kinds;
pub mod order;
pub mod outcome;

use std::collections::HashMap;

use diesel::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::data::instant::{now, stored};
use crate::platform::data::schema::{deliveries, jobs};
use crate::platform::data::{Abort, Connection, Error, Owner, RunQueryDsl};
use crate::platform::http::problem::{BAD_REQUEST, Problem};
use crate::platform::jobs::JobOwner;
use crate::platform::jobs::api::{AttemptFailure, DeliveryOutcome, JobReport};
use crate::platform::jobs::model::{Job, JobKind, OPEN};
use crate::platform::jobs::rows::set_payload;
use crate::platform::jobs::store::not_due;
use crate::roles::user::api::jobs::{JobPayload, JobResult};
use crate::roles::user::api::meetings::Status;
use crate::roles::user::calendars::store::find_subscription;
use crate::roles::user::mailbox::codes::is_wanted;
use crate::roles::user::meetings::model::Meeting;
use crate::roles::user::meetings::rows::{lock_meeting, save_change};
use crate::roles::user::schema::users;
use crate::roles::user::store::Store;
use kinds::{INVITE, LETTER, REFRESH, SCHEDULE, is_for_meeting};
use order::Person;

impl JobOwner for Store {
    type Subject = Option<Meeting>;

    const KINDS: &'static [JobKind] = kinds::ALL;

    fn owner(&self) -> &Owner {
        &self.owner
    }

    async fn lock(&self, conn: &mut Connection, kind: &str, subject: Uuid) -> Result<Option<Meeting>, Abort> {
        if !is_for_meeting(kind) {
            return Ok(None);
        }
        let meeting = lock_meeting(conn, subject).await?;
        meeting.map(Some).ok_or_else(|| Abort::Database(Error::Corrupt(format!("a job has no meeting {subject}"))))
    }

    async fn start(
        &self,
        conn: &mut Connection,
        job: &Job,
        payload: &str,
        meeting: &Option<Meeting>,
    ) -> Result<Option<Value>, Abort> {
        if job.kind == REFRESH.name {
            let subscription = find_subscription(conn, job.subject).await?;
            return Ok(subscription.map(|subscription| json!(JobPayload::RefreshCalendar(subscription))));
        }
        let now = now();
        if job.kind == LETTER.name && !is_wanted(conn, job.id, now).await? {
            return Ok(None);
        }
        let begun = meeting.as_ref().filter(|it| job.kind == SCHEDULE.name && it.status == Status::Queued);
        if let Some(change) = begun.map(|it| it.clone().started(now)) {
            save_change(conn, &self.owner, meeting.as_ref(), &change).await?;
        }
        let mut people: HashMap<String, Person> = HashMap::new();
        for email in order::people(job, payload)? {
            let row = users::table.filter(users::email.eq(email.as_str()));
            let row = row.select((users::name, users::typed_email, users::time_zone));
            let row: Option<Person> = row.first(conn).await.optional()?;
            people.extend(row.map(|person| (email.to_string(), person)));
        }
        let input = order::of(job, payload, meeting.as_ref(), &people, self.owner.secret(), now)?;
        Ok(Some(json!(input)))
    }

    async fn finish(
        &self,
        conn: &mut Connection,
        job: &Job,
        meeting: &Option<Meeting>,
        report: &JobReport<Value>,
    ) -> Result<(), Abort> {
        let result: JobResult = serde_json::from_value(report.result.clone())
            .map_err(|why| Abort::Rejected(Problem::new(BAD_REQUEST, format!("the result cannot be read: {why}"))))?;
        let Some(meeting) = meeting else {
            // a refresh is reported with its calendar
            return if job.kind == LETTER.name { Ok(()) } else { Err(Abort::Rejected(not_due(job))) };
        };
        let (others, unreached) = match job.kind == INVITE.name {
            true => count_invitations(conn, meeting, job.id).await?,
            false => (0, 0),
        };
        match outcome::outcome(job, meeting, &result, others, unreached, now()) {
            Some(change) => save_change(conn, &self.owner, Some(meeting), &change).await,
            None => Ok(()),
        }
    }

    async fn fail(
        &self,
        conn: &mut Connection,
        job: &Job,
        payload: &str,
        meeting: &Option<Meeting>,
        failure: &AttemptFailure,
    ) -> Result<(), Abort> {
        if let Some(rest) = outcome::still_to_tell(job, payload, &failure.notes) {
            set_payload(conn, job.id, &rest).await?;
        }
        match outcome::given_up(job, meeting.as_ref(), &failure.error, now()) {
            Some(change) => save_change(conn, &self.owner, meeting.as_ref(), &change).await,
            None => Ok(()),
        }
    }

    async fn retry(&self, conn: &mut Connection, job: &Job, meeting: &Option<Meeting>) -> Result<(), Abort> {
        match meeting.clone().and_then(|it| it.resumed(&job.kind, now())) {
            Some(change) => save_change(conn, &self.owner, meeting.as_ref(), &change).await,
            None => Ok(()),
        }
    }

    fn describe(&self, job: &Job, shown: &mut Value) {
        shown["meeting_id"] = json!(is_for_meeting(&job.kind).then_some(job.subject));
    }

    async fn purge(&self) -> Result<(), Error> {
        self.purge_codes().await?;
        self.purge_attempts().await?;
        self.purge_sessions().await
    }
}

/// How many other invitation jobs of a meeting are open, and how many recipients of its current revision were not reached.
async fn count_invitations(conn: &mut Connection, meeting: &Meeting, job: Uuid) -> Result<(i64, i64), Error> {
    let id = meeting.id.to_string();
    let open = jobs::table.filter(jobs::subject.eq(&id)).filter(jobs::kind.eq(INVITE.name));
    let others = open.filter(jobs::id.ne(job.to_string())).filter(jobs::state.eq_any(OPEN));
    let others = others.count().get_result::<i64>(conn).await?;
    let since = meeting.history.last().map_or(meeting.created_at, |passed| passed.at);
    let unreached = deliveries::table.filter(deliveries::subject.eq(&id)).filter(deliveries::kind.eq(INVITE.name));
    let unreached = unreached.filter(deliveries::outcome.eq(DeliveryOutcome::Refused.name()));
    let unreached = unreached.filter(deliveries::created_at.ge(stored(since)));
    Ok((others, unreached.count().get_result::<i64>(conn).await?))
}
