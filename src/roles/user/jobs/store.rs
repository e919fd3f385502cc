//! The queries about jobs, each named for the question it answers.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::model::{INVITE, Job, LETTER, OPEN, REFRESH, SCHEDULE, State, is_for_meeting, is_told_once};
use super::outcome::{check_attempt, given_up, not_to_be_done, notes, outcome, still_to_tell};
use super::rows::{JobRow, put_job};
use crate::platform::data::Error;
use crate::platform::data::instant::{now, stored};
use crate::platform::http::problem::{JOB_NOT_YOURS, Problem, UNAUTHORIZED, UNKNOWN_JOB};
use crate::roles::user::api::jobs::{AttemptFailure, DeliveryOutcome, JobLease, JobPayload, JobReport, RetryDecision};
use crate::roles::user::api::meetings::Status;
use crate::roles::user::calendars::store::find_feed;
use crate::roles::user::jobs::order::{self, Person};
use crate::roles::user::mailbox::codes::is_code_good;
use crate::roles::user::meetings::rows::{hold_meeting, put_meeting};
use crate::roles::user::outbox::{self, post};
use crate::roles::user::schema::{deliveries, jobs, users};
use crate::roles::user::store::{Stop, Store};
use crate::{read, transact};

/// The meeting that a job is for, without holding anything.
macro_rules! find_job {
    ($conn:ident, $id:expr) => {{
        let mine = jobs::table.filter(jobs::id.eq($id.to_string())).select(JobRow::as_select());
        let row: Option<JobRow> = mine.first($conn).await.optional()?;
        row.ok_or_else(|| Stop::Refused(unknown($id)))?
    }};
}

/// Holds a job and its meeting, if it is for one, the meeting first: whoever changes a meeting does it in this order too.
macro_rules! hold_job {
    ($store:expr, $conn:ident, $id:expr) => {{
        let row = find_job!($conn, $id);
        let meeting = hold_meeting!($store.db, $conn, row.meeting_id);
        if meeting.is_none() && is_for_meeting(&row.kind) {
            return Err(Stop::Database(Error::Corrupt(format!("job {} has no meeting", row.id))));
        }
        // nothing is changed yet: the update holds the row, and shows it as it is now
        let mine = diesel::update(jobs::table.filter(jobs::id.eq(&row.id))).set(jobs::sent.eq(jobs::sent));
        let row: Option<JobRow> = mine.returning(JobRow::as_returning()).get_result($conn).await.optional()?;
        let row = row.ok_or_else(|| Stop::Refused(unknown($id)))?;
        (row.read()?, row.payload, meeting)
    }};
}

impl Store {
    /// Starts a job as its next attempt.
    pub async fn start_job(&self, id: Uuid) -> Result<JobLease, Stop> {
        let started = transact!(self.db, |conn| {
            let (mut job, payload, meeting) = hold_job!(self, conn, id);
            if !matches!(job.state, State::Queued | State::Running) {
                return Err(Stop::Refused(not_to_be_done(&job)));
            }
            let now = now();
            if job.attempt >= job.max_attempts {
                // every attempt vanished without a word
                let after = job.after(RetryDecision::Never, "no attempt came to an end", &self.limits, 0.5, now);
                put_job!(conn, &after);
                if let Some(change) = given_up(&after, meeting.as_ref(), "no attempt came to an end", now) {
                    put_meeting!(self, conn, meeting.as_ref(), &change);
                }
                return Ok(Err(not_to_be_done(&after)));
            }
            job.attempt += 1;
            (job.state, job.updated_at) = (State::Running, now);
            job.due_at = self.overdue(now);
            put_job!(conn, &job);
            let begun = meeting.as_ref().filter(|it| job.kind == SCHEDULE && it.status == Status::Queued);
            if let Some(change) = begun.map(|it| it.clone().started(now)) {
                put_meeting!(self, conn, meeting.as_ref(), &change);
            }
            let feed = if job.kind == REFRESH { find_feed!(conn, job.meeting_id) } else { None };
            let pointless = match job.kind.as_str() {
                REFRESH => feed.is_none(),
                LETTER => !is_code_good!(conn, job.id, now),
                _ => false,
            };
            if pointless {
                job.state = State::Cancelled;
                job.due_at = None;
                put_job!(conn, &job);
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
            let (mut job, _, meeting) = hold_job!(self, conn, id);
            if !same(job.token.as_bytes(), token.as_bytes()) {
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
            for row in notes(&job, &done.notes, now) {
                diesel::insert_into(deliveries::table).values(&row).execute(conn).await?;
            }
            if let Some(meeting) = &meeting {
                let mut unreached = 0;
                let mut others = 0;
                if job.kind == INVITE {
                    let mine = jobs::table.filter(jobs::meeting_id.eq(meeting.id.to_string()));
                    let letters = mine.filter(jobs::kind.eq(INVITE));
                    let open = letters.filter(jobs::id.ne(id.to_string())).filter(jobs::state.eq_any(OPEN));
                    others = open.count().get_result::<i64>(conn).await?;
                    let refused = deliveries::table.filter(deliveries::meeting_id.eq(meeting.id.to_string()));
                    let refused = refused.filter(deliveries::outcome.eq(DeliveryOutcome::Refused.name()));
                    // those of earlier revisions are past
                    let since = meeting.history.last().map_or(meeting.created_at, |passed| passed.at);
                    let refused = refused.filter(deliveries::created_at.ge(stored(since)));
                    unreached = refused.filter(deliveries::kind.eq(INVITE)).count().get_result::<i64>(conn).await?;
                }
                if let Some(change) = outcome(&job, meeting, &done.result, others, unreached, now) {
                    put_meeting!(self, conn, Some(meeting), &change);
                }
            }
            if is_told_once(&job.kind) {
                let mine = jobs::table.filter(jobs::id.eq(id.to_string()));
                diesel::update(mine).set(jobs::payload.eq("{}")).execute(conn).await?;
            }
            (job.state, job.due_at, job.updated_at) = (State::Succeeded, None, now);
            put_job!(conn, &job);
            Ok::<(), Stop>(())
        })?;
        self.bell.notify_one();
        Ok(())
    }

    /// Writes down that an attempt failed, and when the next one is.
    pub async fn fail_job(&self, id: Uuid, failure: &AttemptFailure) -> Result<Job, Stop> {
        let job = transact!(self.db, |conn| {
            let (job, payload, meeting) = hold_job!(self, conn, id);
            check_attempt(&job, failure.attempt)?;
            let now = now();
            for row in notes(&job, &failure.notes, now) {
                diesel::insert_into(deliveries::table).values(&row).execute(conn).await?;
            }
            let chance = rand::random_range(0.0..=1.0);
            let after = job.after(failure.verdict, &failure.error, &self.limits, chance, now);
            put_job!(conn, &after);
            if let Some(rest) = still_to_tell(&job, &payload, &failure.notes) {
                let mine = jobs::table.filter(jobs::id.eq(id.to_string()));
                diesel::update(mine).set(jobs::payload.eq(rest)).execute(conn).await?;
            }
            if let Some(change) = given_up(&after, meeting.as_ref(), &failure.error, now) {
                put_meeting!(self, conn, meeting.as_ref(), &change);
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
            let (mut job, _, meeting) = hold_job!(self, conn, id);
            if !job.can_be_retried() {
                let detail = format!("the job is {}: only what is dead or retryable can be retried", job.state.name());
                return Err(Stop::Refused(Problem::new(JOB_NOT_YOURS, detail)));
            }
            let now = now();
            job.max_attempts += job.attempt.max(1);
            (job.state, job.due_at, job.sent, job.updated_at) = (State::Queued, None, 0, now);
            put_job!(conn, &job);
            post!(conn, &[outbox::Row::job(job.id, &job.kind, (&job.case_id, &job.traceparent), 0, now)]);
            if let Some(change) = meeting.clone().and_then(|it| it.resumed(&job.kind, now)) {
                put_meeting!(self, conn, meeting.as_ref(), &change);
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
            jobs::table.filter(jobs::id.eq(&id)).select(JobRow::as_select()).first(conn).await.optional()
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
            .select(JobRow::as_select())
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

/// Compares without telling by its time how far two secrets agree.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}
