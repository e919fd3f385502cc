//! Jobs and deliveries as they lie in the database.

use diesel::prelude::*;
use jiff::Timestamp;
use jiff_diesel::DateTime;
use uuid::Uuid;

use super::api::DeliveryRecord;
use super::metrics;
use super::model::{Job, JobState, NewJob, OPEN};
use crate::platform::data::OutboxRow;
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::schema::{deliveries, jobs};
use crate::platform::data::{Connection, Error, Owner, RunQueryDsl, columns, exclusive, execute_all};
use crate::platform::request_context::RequestContext;

/// A job's row.
#[derive(Debug, Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = jobs, treat_none_as_default_value = false)]
#[expect(missing_docs, reason = "the columns of the table; `Job` documents them")]
pub struct JobRow {
    pub id: String,
    pub kind: String,
    pub subject: String,
    pub payload: String,
    pub state: String,
    pub attempt: i32,
    pub max_attempts: i32,
    pub sent: i32,
    pub supersedable: bool,
    pub due_at: Option<DateTime>,
    pub token: String,
    pub errors: String,
    pub case_id: String,
    pub traceparent: String,
    pub created_at: DateTime,
    pub updated_at: DateTime,
}

/// One attempt to deliver something to one target outside.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = deliveries)]
#[expect(missing_docs, reason = "the columns of the table; `DeliveryRecord` documents them")]
pub struct DeliveryRow {
    pub id: String,
    pub job_id: String,
    pub subject: String,
    pub kind: String,
    pub target: String,
    pub attempt: i32,
    pub outcome: String,
    pub detail: String,
    pub created_at: DateTime,
}

impl JobRow {
    fn new(owner: &Owner, job: &NewJob, subject: Uuid, case_id: &str) -> JobRow {
        let now = stored(now());
        JobRow {
            id: job.id.to_string(),
            kind: job.kind.name.to_owned(),
            subject: subject.to_string(),
            payload: job.payload.to_string(),
            state: job.first_state().name().to_owned(),
            attempt: 0,
            max_attempts: job.kind.backoff.max_attempts(&owner.limits),
            sent: 0,
            supersedable: job.supersedable,
            due_at: job.due_at.map(stored),
            // 128 bits that cannot be guessed
            token: format!("{:032x}", rand::random::<u128>()),
            errors: "[]".to_owned(),
            case_id: case_id.to_owned(),
            traceparent: RequestContext::current_trace(),
            created_at: now,
            updated_at: now,
        }
    }

    /// The job.
    ///
    /// # Errors
    /// A row that breaks the rules.
    pub fn read(&self) -> Result<Job, Error> {
        let wrong = |what: &str| Error::Corrupt(format!("the {what} of job {}", self.id));
        let at = |at: DateTime| -> Result<Timestamp, Error> { read(at).ok_or_else(|| wrong("time")) };
        Ok(Job {
            id: self.id.parse().map_err(|_| wrong("id"))?,
            kind: self.kind.clone(),
            subject: self.subject.parse().map_err(|_| wrong("subject"))?,
            state: JobState::parse(&self.state).ok_or_else(|| wrong("state"))?,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            sent: self.sent,
            due_at: self.due_at.map(at).transpose()?,
            token: self.token.clone(),
            errors: serde_json::from_str(&self.errors).map_err(|_| wrong("errors"))?,
            case_id: self.case_id.clone(),
            traceparent: self.traceparent.clone(),
            created_at: at(self.created_at)?,
            updated_at: at(self.updated_at)?,
        })
    }
}

/// Creates a job about `subject`, and the message that takes it to a worker, unless it is due later. `case_id`: the request that it goes back to.
///
/// # Errors
/// A database that does not answer.
pub async fn create_job(
    conn: &mut Connection,
    owner: &Owner,
    job: &NewJob,
    subject: Uuid,
    case_id: &str,
) -> Result<(), Error> {
    let row = JobRow::new(owner, job, subject, case_id);
    diesel::insert_into(jobs::table).values(&row).execute(conn).await?;
    metrics::count(&row.kind, job.first_state());
    if job.due_at.is_none() {
        conn.enqueue(OutboxRow::job(owner.role, job.id, &row.kind, (case_id, &row.traceparent), 0, now()));
    }
    Ok(())
}

/// Locks a job's row until the transaction ends, and reads it.
///
/// # Errors
/// A database that does not answer.
pub async fn lock_job(conn: &mut Connection, id: Uuid) -> Result<Option<JobRow>, Error> {
    let mine = jobs::table.filter(jobs::id.eq(id.to_string())).select(columns::<JobRow>());
    Ok(exclusive(mine).get_result(conn).await.optional()?)
}

/// Writes a job's state, and a payload in place of its own if there is one.
///
/// # Errors
/// A database that does not answer.
pub async fn update_job(conn: &mut Connection, job: &Job, payload: Option<&str>) -> Result<(), Error> {
    let state = (
        jobs::state.eq(job.state.name()),
        jobs::attempt.eq(job.attempt),
        jobs::max_attempts.eq(job.max_attempts),
        jobs::sent.eq(job.sent),
        jobs::due_at.eq(job.due_at.map(stored)),
        jobs::errors.eq(serde_json::to_string(&job.errors).unwrap_or_default()),
        jobs::updated_at.eq(stored(job.updated_at)),
        payload.map(|payload| jobs::payload.eq(payload)),
    );
    diesel::update(jobs::table.filter(jobs::id.eq(job.id.to_string()))).set(state).execute(conn).await?;
    metrics::count(&job.kind, job.state);
    Ok(())
}

/// Replaces a job's payload.
///
/// # Errors
/// A database that does not answer.
pub async fn set_payload(conn: &mut Connection, id: Uuid, payload: &str) -> Result<(), Error> {
    let mine = jobs::table.filter(jobs::id.eq(id.to_string()));
    diesel::update(mine).set(jobs::payload.eq(payload)).execute(conn).await?;
    Ok(())
}

/// Cancels the open jobs of a subject that a change has made void, those of these kinds. Returns their payloads, which it erases. The caller
/// has locked the subject.
///
/// # Errors
/// A database that does not answer.
pub async fn cancel_superseded(
    conn: &mut Connection,
    subject: Uuid,
    kinds: &[&'static str],
) -> Result<Vec<String>, Error> {
    let open = || jobs::table.filter(jobs::subject.eq(subject.to_string())).filter(jobs::state.eq_any(OPEN));
    let void = || open().filter(jobs::supersedable.eq(true)).filter(jobs::kind.eq_any(kinds));
    let found: Vec<(String, String)> = void().select((jobs::kind, jobs::payload)).load(conn).await?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let cancelled = jobs::state.eq(JobState::Cancelled.name());
    diesel::update(void())
        .set((cancelled, jobs::due_at.eq(None::<DateTime>), jobs::payload.eq("{}")))
        .execute(conn)
        .await?;
    found.iter().for_each(|(kind, _)| metrics::count(kind, JobState::Cancelled));
    Ok(found.into_iter().map(|(_, payload)| payload).collect())
}

/// Erases the payloads and errors of jobs that have ended. Open jobs may still have to tell others. The rows stay, for messages about
/// them may be on their way.
///
/// # Errors
/// A database that does not answer.
pub async fn scrub_jobs(conn: &mut Connection, ids: &[String]) -> Result<(), Error> {
    let over = || jobs::table.filter(jobs::id.eq_any(ids)).filter(jobs::state.ne_all(OPEN));
    // a job without its payload cannot be retried or replayed
    let again = jobs::state.eq_any([JobState::Dead.name(), JobState::Succeeded.name()]).and(jobs::payload.ne("{}"));
    diesel::update(over().filter(again)).set(jobs::state.eq(JobState::Cancelled.name())).execute(conn).await?;
    diesel::update(over()).set((jobs::payload.eq("{}"), jobs::errors.eq("[]"))).execute(conn).await?;
    Ok(())
}

/// Writes down the deliveries of an attempt.
///
/// # Errors
/// A database that does not answer.
pub async fn insert_deliveries(conn: &mut Connection, job: &Job, records: &[DeliveryRecord]) -> Result<(), Error> {
    let conn = &*conn;
    let insertions = records.iter().map(|record| {
        let row = DeliveryRow {
            id: Uuid::now_v7().to_string(),
            job_id: job.id.to_string(),
            subject: job.subject.to_string(),
            kind: job.kind.clone(),
            target: record.target.clone(),
            attempt: job.attempt,
            outcome: record.outcome.name().to_owned(),
            detail: record.detail.clone(),
            created_at: stored(now()),
        };
        diesel::insert_into(deliveries::table).values(row).execute(conn)
    });
    execute_all(insertions).await
}
