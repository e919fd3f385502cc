//! The queries about jobs, each named for the question it answers.

use std::collections::HashMap;

use crate::platform::data::{Connection, RunQueryDsl, columns};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::model::{INVITE, Job, LETTER, OPEN, REFRESH, SCHEDULE, State, is_for_meeting, is_told_once};
use super::outcome::{check_attempt, given_up, not_to_be_done, notes, outcome, still_to_tell};
use super::rows::{DeliveryRow, JobRow, lock_job, set_payload, update_job};
use crate::platform::data::Error;
use crate::platform::data::instant::{now, stored};
use crate::platform::http::problem::{JOB_NOT_YOURS, Problem, UNAUTHORIZED, UNKNOWN_JOB};
use crate::roles::user::api::jobs::{AttemptFailure, DeliveryOutcome, JobLease, JobPayload, JobReport, RetryDecision};
use crate::roles::user::api::meetings::Status;
use crate::roles::user::calendars::store::find_subscription;
use crate::roles::user::jobs::order::{self, Person};
use crate::roles::user::mailbox::codes::is_wanted;
use crate::roles::user::meetings::model::Meeting;
use crate::roles::user::meetings::rows::{lock_meeting, save_change};
use crate::roles::user::outbox::{self, enqueue};
use crate::roles::user::schema::{deliveries, jobs, users};
use crate::roles::user::store::{Stop, Store};
use crate::{read, transact};

/// Locks a job and its meeting, if it has one. The meeting comes first: a change of a meeting locks in this order too.
async fn lock_with_meeting(conn: &mut Connection, id: Uuid) -> Result<(Job, String, Option<Meeting>), Stop> {
    let found = jobs::table.filter(jobs::id.eq(id.to_string())).select((jobs::kind, jobs::meeting_id));
    let found: Option<(String, String)> = found.first(conn).await.optional()?;
    let (kind, subject) = found.ok_or_else(|| Stop::Refused(unknown(id)))?;
    let meeting = lock_meeting(conn, &subject).await?;
    if meeting.is_none() && is_for_meeting(&kind) {
        return Err(Stop::Database(Error::Corrupt(format!("job {id} has no meeting"))));
    }
    let row = lock_job(conn, &id.to_string()).await?.ok_or_else(|| Stop::Refused(unknown(id)))?;
    Ok((row.read()?, row.payload, meeting))
}

/// How many other invitation jobs of a meeting are open, and how many recipients of its current revision were not reached.
async fn count_invitations(conn: &mut Connection, meeting: &Meeting, job: Uuid) -> Result<(i64, i64), Error> {
    let id = meeting.id.to_string();
    let open = jobs::table.filter(jobs::meeting_id.eq(&id)).filter(jobs::kind.eq(INVITE));
    let others = open.filter(jobs::id.ne(job.to_string())).filter(jobs::state.eq_any(OPEN));
    let others = others.count().get_result::<i64>(conn).await?;
    let since = meeting.history.last().map_or(meeting.created_at, |passed| passed.at);
    let unreached = deliveries::table.filter(deliveries::meeting_id.eq(&id)).filter(deliveries::kind.eq(INVITE));
    let unreached = unreached.filter(deliveries::outcome.eq(DeliveryOutcome::Refused.name()));
    let unreached = unreached.filter(deliveries::created_at.ge(stored(since)));
    Ok((others, unreached.count().get_result::<i64>(conn).await?))
}

/// Writes down whom an attempt reached.
async fn insert_deliveries(conn: &mut Connection, rows: &[DeliveryRow]) -> Result<(), Error> {
    for row in rows {
        diesel::insert_into(deliveries::table).values(row).execute(conn).await?;
    }
    Ok(())
}

impl Store {
    /// Starts a job as its next attempt.
    pub async fn start_job(&self, id: Uuid) -> Result<JobLease, Stop> {
        let started = transact!(self.db, |conn| {
            let (mut job, payload, meeting) = lock_with_meeting(conn, id).await?;
            if !matches!(job.state, State::Queued | State::Running) {
                return Err(Stop::Refused(not_to_be_done(&job)));
            }
            let now = now();
            if job.attempt >= job.max_attempts {
                // every attempt vanished without a word
                let after = job.after(RetryDecision::Discard, "no attempt came to an end", &self.limits, 0.5, now);
                update_job(conn, &after).await?;
                if let Some(change) = given_up(&after, meeting.as_ref(), "no attempt came to an end", now) {
                    save_change(conn, &self.limits, meeting.as_ref(), &change).await?;
                }
                return Ok(Err(not_to_be_done(&after)));
            }
            job.attempt += 1;
            (job.state, job.updated_at) = (State::Running, now);
            job.due_at = self.overdue(now);
            update_job(conn, &job).await?;
            let begun = meeting.as_ref().filter(|it| job.kind == SCHEDULE && it.status == Status::Queued);
            if let Some(change) = begun.map(|it| it.clone().started(now)) {
                save_change(conn, &self.limits, meeting.as_ref(), &change).await?;
            }
            let feed = if job.kind == REFRESH { find_subscription(conn, job.meeting_id).await? } else { None };
            let pointless = match job.kind.as_str() {
                REFRESH => feed.is_none(),
                LETTER => !is_wanted(conn, job.id, now).await?,
                _ => false,
            };
            if pointless {
                job.state = State::Cancelled;
                job.due_at = None;
                update_job(conn, &job).await?;
                return Ok(Err(not_to_be_done(&job)));
            }
            let mut people: HashMap<String, Person> = HashMap::new();
            for email in order::people(&job, &payload)? {
                let row = users::table.filter(users::email.eq(email.as_str()));
                let row = row.select((users::name, users::typed_email, users::time_zone));
                let row: Option<Person> = row.first(conn).await.optional()?;
                people.extend(row.map(|person| (email.to_string(), person)));
            }
            Ok::<_, Stop>(Ok((job, payload, meeting, feed, people, now)))
        })?;
        self.bell.notify_one();
        let (job, payload, meeting, feed, people, now) = started.map_err(Stop::Refused)?;
        let secret = self.secret.get().map(String::as_str).unwrap_or_default();
        let order = order::of(&job, &payload, meeting.as_ref(), &people, secret, now)?;
        let work = feed.map_or(order.work, JobPayload::RefreshCalendar);
        Ok(JobLease { work, ..order })
    }

    /// Writes down what came of an attempt.
    pub async fn finish_job(&self, id: Uuid, token: &str, done: &JobReport) -> Result<(), Stop> {
        transact!(self.db, |conn| {
            let (mut job, _, meeting) = lock_with_meeting(conn, id).await?;
            if !bool::from(job.token.as_bytes().ct_eq(token.as_bytes())) {
                return Err(Stop::Refused(Problem::new(UNAUTHORIZED, "this is not the token of this job")));
            }
            if job.state == State::Succeeded && job.attempt == done.attempt {
                return Ok(()); // said twice
            }
            check_attempt(&job, done.attempt)?;
            if meeting.is_none() && job.kind != LETTER {
                return Err(Stop::Refused(not_to_be_done(&job)));
            }
            let now = now();
            insert_deliveries(conn, &notes(&job, &done.notes, now)).await?;
            if let Some(meeting) = &meeting {
                let (others, unreached) = match job.kind.as_str() {
                    INVITE => count_invitations(conn, meeting, id).await?,
                    _ => (0, 0),
                };
                if let Some(change) = outcome(&job, meeting, &done.result, others, unreached, now) {
                    save_change(conn, &self.limits, Some(meeting), &change).await?;
                }
            }
            if is_told_once(&job.kind) {
                set_payload(conn, id, "{}").await?;
            }
            (job.state, job.due_at, job.updated_at) = (State::Succeeded, None, now);
            update_job(conn, &job).await?;
            Ok::<(), Stop>(())
        })?;
        self.bell.notify_one();
        Ok(())
    }

    /// Writes down that an attempt failed, and when the next one is.
    pub async fn fail_job(&self, id: Uuid, failure: &AttemptFailure) -> Result<Job, Stop> {
        let job = transact!(self.db, |conn| {
            let (job, payload, meeting) = lock_with_meeting(conn, id).await?;
            check_attempt(&job, failure.attempt)?;
            let now = now();
            insert_deliveries(conn, &notes(&job, &failure.notes, now)).await?;
            let chance = rand::random_range(0.0..=1.0);
            let after = job.after(failure.decision, &failure.error, &self.limits, chance, now);
            update_job(conn, &after).await?;
            if let Some(rest) = still_to_tell(&job, &payload, &failure.notes) {
                set_payload(conn, id, &rest).await?;
            }
            if let Some(change) = given_up(&after, meeting.as_ref(), &failure.error, now) {
                save_change(conn, &self.limits, meeting.as_ref(), &change).await?;
            }
            Ok::<Job, Stop>(after)
        })?;
        self.bell.notify_one();
        Ok(job)
    }

    /// Takes a job that was given up, or waits, up again at once, or replays a webhook that was delivered; attempts count
    /// from the beginning.
    pub async fn retry_job(&self, id: Uuid) -> Result<Job, Stop> {
        let job = transact!(self.db, |conn| {
            let (mut job, _, meeting) = lock_with_meeting(conn, id).await?;
            if !job.can_be_retried() {
                let detail = format!("the job is {}: only what is dead or retryable can be retried", job.state.name());
                return Err(Stop::Refused(Problem::new(JOB_NOT_YOURS, detail)));
            }
            let now = now();
            job.max_attempts += job.attempt.max(1);
            (job.state, job.due_at, job.sent, job.updated_at) = (State::Queued, None, 0, now);
            update_job(conn, &job).await?;
            let origin = (job.case_id.as_str(), job.traceparent.as_str());
            enqueue(conn, &[outbox::Row::job(job.id, &job.kind, origin, 0, now)]).await?;
            if let Some(change) = meeting.clone().and_then(|it| it.resumed(&job.kind, now)) {
                save_change(conn, &self.limits, meeting.as_ref(), &change).await?;
            }
            Ok::<Job, Stop>(job)
        })?;
        self.bell.notify_one();
        Ok(job)
    }

    /// One job.
    pub async fn job(&self, id: Uuid) -> Result<Option<Job>, Error> {
        let id = id.to_string();
        let row: Option<JobRow> = read!(self.db, |conn| async {
            jobs::table.filter(jobs::id.eq(&id)).select(columns::<JobRow>()).first(conn).await.optional()
        })?;
        row.map(|row| row.read()).transpose()
    }

    /// A page of jobs in the order of their making; of one state, or of one meeting, if that is asked.
    pub async fn jobs(
        &self,
        state: Option<State>,
        meeting: Option<Uuid>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Job>, Error> {
        let states: Vec<&str> = state.map_or_else(|| State::ALL.map(State::name).to_vec(), |state| vec![state.name()]);
        let any = meeting.is_none();
        let id = meeting.unwrap_or_default().to_string();
        let rows: Vec<JobRow> = read!(self.db, |conn| jobs::table
            .filter(jobs::id.gt(after))
            .filter(jobs::state.eq_any(&states))
            .filter(jobs::meeting_id.eq(&id).or(any.into_sql::<diesel::sql_types::Bool>()))
            .order(jobs::id.asc())
            .limit(limit)
            .select(columns::<JobRow>())
            .load(conn))?;
        rows.iter().map(JobRow::read).collect()
    }

    /// When an attempt that begins now has surely ended, one way or another.
    fn overdue(&self, now: Timestamp) -> Option<Timestamp> {
        let patience = self.limits.sweep_seconds + self.limits.attempt_seconds as f64;
        SignedDuration::try_from_secs_f64(patience).ok().and_then(|wait| now.saturating_add(wait).ok())
    }
}

/// No job has this id.
pub fn unknown(id: Uuid) -> Problem {
    Problem::new(UNKNOWN_JOB, format!("no job has the id {id}"))
}
