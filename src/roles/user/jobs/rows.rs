//! Jobs as they lie in the database.

use diesel::prelude::*;
use diesel::sql_types::Text;
use jiff::Timestamp;
use jiff_diesel::DateTime;
use uuid::Uuid;

use super::metrics;
use super::model::{Job, NewJob, State};
use crate::config::Jobs as Limits;
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::{Connection, Error, RunQueryDsl};
use crate::platform::request_context::RequestContext;
use crate::roles::user::meetings::model::Meeting;
use crate::roles::user::outbox::{Row as Message, enqueue};
use crate::roles::user::schema::{deliveries, jobs};

#[derive(Debug, Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = jobs)]
pub struct JobRow {
    pub id: String,
    pub kind: String,
    pub meeting_id: String,
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

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = deliveries)]
pub struct DeliveryRow {
    pub id: String,
    pub job_id: String,
    pub meeting_id: String,
    pub kind: String,
    pub target: String,
    pub attempt: i32,
    pub outcome: String,
    pub detail: String,
    pub created_at: DateTime,
}

impl JobRow {
    /// A job that is on its way to the queue.
    pub fn new(job: &NewJob, meeting: &Meeting, limits: &Limits) -> JobRow {
        JobRow::of(job, meeting.id, &meeting.case_id, limits, meeting.updated_at)
    }

    /// A job for whatever has this id.
    pub fn of(job: &NewJob, subject: Uuid, case_id: &str, limits: &Limits, now: Timestamp) -> JobRow {
        let now = stored(now);
        JobRow {
            id: job.id.to_string(),
            kind: job.kind.to_owned(),
            meeting_id: subject.to_string(),
            payload: job.payload.to_string(),
            state: State::Queued.name().to_owned(),
            attempt: 0,
            max_attempts: job.max_attempts(limits),
            sent: 0,
            supersedable: job.supersedable,
            due_at: None,
            token: token(),
            errors: "[]".to_owned(),
            case_id: case_id.to_owned(),
            traceparent: RequestContext::current_trace(),
            created_at: now,
            updated_at: now,
        }
    }

    /// The message that takes it to a worker, after it was published so often before.
    pub fn message(&self, sent: i32) -> Result<Message, Error> {
        let id = self.id.parse().map_err(|_| Error::Corrupt(format!("job {}", self.id)))?;
        Ok(Message::job(id, &self.kind, (&self.case_id, &self.traceparent), sent, now()))
    }

    pub fn read(&self) -> Result<Job, Error> {
        let wrong = |what: &str| Error::Corrupt(format!("the {what} of job {}", self.id));
        let at = |at: DateTime| -> Result<Timestamp, Error> { read(at).ok_or_else(|| wrong("time")) };
        Ok(Job {
            id: self.id.parse().map_err(|_| wrong("id"))?,
            kind: self.kind.clone(),
            meeting_id: self.meeting_id.parse().map_err(|_| wrong("meeting"))?,
            state: State::parse(&self.state).ok_or_else(|| wrong("state"))?,
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

/// 128 bits that nobody guesses.
fn token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Creates a job and the message that takes it to a worker.
pub async fn create_job(conn: &mut Connection, row: &JobRow) -> Result<(), Error> {
    diesel::insert_into(jobs::table).values(row).execute(conn).await?;
    metrics::count(&row.kind, State::Queued);
    enqueue(conn, &[row.message(0)?]).await
}

/// Locks a job's row until the transaction ends, and reads it.
pub async fn lock_job(conn: &mut Connection, id: &str) -> Result<Option<JobRow>, Error> {
    let query = diesel::sql_query(conn.exclusive("SELECT * FROM jobs WHERE id = $1"));
    Ok(query.bind::<Text, _>(id.to_owned()).get_result(conn).await.optional()?)
}

/// Writes a job's state.
pub async fn update_job(conn: &mut Connection, job: &Job) -> Result<(), Error> {
    let state = (
        jobs::state.eq(job.state.name()),
        jobs::attempt.eq(job.attempt),
        jobs::max_attempts.eq(job.max_attempts),
        jobs::sent.eq(job.sent),
        jobs::due_at.eq(job.due_at.map(stored)),
        jobs::errors.eq(serde_json::to_string(&job.errors).unwrap_or_default()),
        jobs::updated_at.eq(stored(job.updated_at)),
    );
    diesel::update(jobs::table.filter(jobs::id.eq(job.id.to_string()))).set(state).execute(conn).await?;
    metrics::count(&job.kind, job.state);
    Ok(())
}

/// Replaces a job's payload.
pub async fn set_payload(conn: &mut Connection, id: Uuid, payload: &str) -> Result<(), Error> {
    let mine = jobs::table.filter(jobs::id.eq(id.to_string()));
    diesel::update(mine).set(jobs::payload.eq(payload)).execute(conn).await?;
    Ok(())
}
