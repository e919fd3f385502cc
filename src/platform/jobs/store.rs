//! The life of a job, transaction by transaction.

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::api::{AttemptFailure, JobFilter, JobLease, JobReport, RetryDecision};
use super::backoff::Backoff;
use super::model::{Job, JobState};
use super::rows::{DeliveryRow, JobRow, insert_deliveries, lock_job, update_job};
use super::{JobOwner, JobSubject};
use crate::config::Jobs as Limits;
use crate::platform::data::OutboxRow;
use crate::platform::data::instant::now;
use crate::platform::data::schema::{deliveries, jobs};
use crate::platform::data::{Abort, Connection, Error, Owner, RunQueryDsl, columns};
use crate::platform::http::problem::{JOB_NOT_YOURS, Problem, UNAUTHORIZED, UNKNOWN_JOB};
use crate::{read, transact};

/// Why a job whose every attempt vanished is dead.
const VANISHED: &str = "no attempt came to an end";

/// Locks a job and its subject, the subject first.
async fn lock<S: JobSubject>(conn: &mut Connection, id: Uuid) -> Result<(Job, String, S), Abort> {
    let found = jobs::table.filter(jobs::id.eq(id.to_string())).select(jobs::subject);
    let found: Option<String> = found.first(conn).await.optional()?;
    let subject = found.ok_or_else(|| Abort::Rejected(unknown(id)))?;
    let subject = subject.parse().map_err(|_| Error::Corrupt(format!("the subject of job {id}")))?;
    let subject = S::lock(conn, subject).await?;
    let row = lock_job(conn, id).await?.ok_or_else(|| Abort::Rejected(unknown(id)))?;
    Ok((row.read()?, row.payload, subject))
}

/// Starts a job as its next attempt.
///
/// # Errors
/// 404 for an unknown job, 409 for one that has ended or is not due.
pub async fn start_job<O: JobOwner>(own: &O, id: Uuid) -> Result<JobLease<Value>, Abort> {
    let owner = own.owner();
    let started = transact!(owner.db, |conn| {
        let (mut job, payload, subject) = lock::<O::Subject>(conn, id).await?;
        if !matches!(job.state, JobState::Queued | JobState::Running) {
            return Err(Abort::Rejected(not_due(&job)));
        }
        let now = now();
        if job.attempt >= job.max_attempts {
            let (decision, error) = (RetryDecision::Discard, VANISHED.to_owned());
            let failure = AttemptFailure { attempt: job.attempt, decision, error, notes: Vec::new() };
            let after = fail(own, conn, &job, &payload, &subject, &failure).await?;
            return Ok(Err(not_due(&after)));
        }
        job.attempt += 1;
        (job.state, job.updated_at) = (JobState::Running, now);
        job.due_at = attempt_deadline(&owner.limits, now);
        let Some(work) = own.start(conn, &job, &payload, &subject).await? else {
            (job.state, job.due_at) = (JobState::Cancelled, None);
            // it never runs again, and what it says may be a secret
            update_job(conn, &job, Some("{}")).await?;
            return Ok(Err(not_due(&job)));
        };
        update_job(conn, &job, None).await?;
        Ok::<_, Abort>(Ok((job, work)))
    })?;
    owner.outbox_notify.notify_one();
    let (job, work) = started.map_err(Abort::Rejected)?;
    Ok(JobLease {
        job_id: job.id,
        subject_id: job.subject,
        attempt: job.attempt,
        token: job.token,
        case_id: job.case_id,
        work,
    })
}

/// Writes down that an attempt has succeeded. `token` is the job's own.
///
/// # Errors
/// 404 for an unknown job, 401 for another token, 409 for an attempt that is not under way; the owner's own.
pub async fn finish_job<O: JobOwner>(own: &O, id: Uuid, token: &str, report: &JobReport<Value>) -> Result<(), Abort> {
    let owner = own.owner();
    transact!(owner.db, |conn| {
        let (mut job, _, subject) = lock::<O::Subject>(conn, id).await?;
        if !bool::from(job.token.as_bytes().ct_eq(token.as_bytes())) {
            return Err(Abort::Rejected(Problem::new(UNAUTHORIZED, "this is not the token of this job")));
        }
        if job.state == JobState::Succeeded && job.attempt == report.attempt {
            return Ok(()); // reported twice
        }
        check_attempt(&job, report.attempt)?;
        insert_deliveries(conn, &job, &report.notes).await?;
        own.finish(conn, &job, &subject, report).await?;
        complete(own, conn, &mut job).await
    })?;
    owner.outbox_notify.notify_one();
    Ok(())
}

/// Ends a running job that has succeeded.
///
/// # Errors
/// A database that does not answer.
pub async fn complete<O: JobOwner>(own: &O, conn: &mut Connection, job: &mut Job) -> Result<(), Abort> {
    (job.state, job.due_at, job.updated_at) = (JobState::Succeeded, None, now());
    let payload = own.kind(job).filter(|kind| kind.redact_on_success).map(|_| "{}");
    Ok(update_job(conn, job, payload).await?)
}

/// Writes down that an attempt has failed, and when the next one is.
///
/// # Errors
/// 404 for an unknown job, 409 for an attempt that is not under way.
pub async fn fail_job<O: JobOwner>(own: &O, id: Uuid, failure: &AttemptFailure) -> Result<Job, Abort> {
    let owner = own.owner();
    let job = transact!(owner.db, |conn| {
        let (job, payload, subject) = lock::<O::Subject>(conn, id).await?;
        check_attempt(&job, failure.attempt)?;
        insert_deliveries(conn, &job, &failure.notes).await?;
        fail(own, conn, &job, &payload, &subject, failure).await
    })?;
    owner.outbox_notify.notify_one();
    owner.due_notify.notify_one();
    Ok(job)
}

async fn fail<O: JobOwner>(
    own: &O,
    conn: &mut Connection,
    job: &Job,
    payload: &str,
    subject: &O::Subject,
    failure: &AttemptFailure,
) -> Result<Job, Abort> {
    let backoff = own.kind(job).map_or(Backoff::Polynomial, |kind| kind.backoff);
    let chance = rand::random_range(0.0..=1.0);
    let after = job.after(failure.decision, &failure.error, backoff, &own.owner().limits, chance, now());
    update_job(conn, &after, None).await?;
    own.fail(conn, &after, payload, subject, failure).await?;
    Ok(after)
}

/// Retries a job that failed, at once, or replays one that succeeded; attempts count from the beginning.
///
/// # Errors
/// 404 for an unknown job, 409 for one that cannot be retried.
pub async fn retry_job<O: JobOwner>(own: &O, id: Uuid) -> Result<Job, Abort> {
    let owner = own.owner();
    let job = transact!(owner.db, |conn| {
        let (mut job, _, subject) = lock::<O::Subject>(conn, id).await?;
        if !job.can_be_retried(own.kind(&job)) {
            let detail = format!("the job is {}: only a dead or retryable job can be retried", job.state.name());
            return Err(Abort::Rejected(Problem::new(JOB_NOT_YOURS, detail)));
        }
        let now = now();
        job.max_attempts += job.attempt.max(1);
        (job.state, job.due_at, job.sent, job.updated_at) = (JobState::Queued, None, 0, now);
        update_job(conn, &job, None).await?;
        let origin = (job.case_id.as_str(), job.traceparent.as_str());
        conn.enqueue(OutboxRow::job(owner.role, job.id, &job.kind, origin, 0, now));
        own.retry(conn, &job, &subject).await?;
        Ok::<Job, Abort>(job)
    })?;
    owner.outbox_notify.notify_one();
    Ok(job)
}

/// One job.
///
/// # Errors
/// A database that does not answer.
pub async fn find_job(owner: &Owner, id: Uuid) -> Result<Option<Job>, Error> {
    let id = id.to_string();
    let row: Option<JobRow> = read!(owner.db, |conn| async {
        jobs::table.filter(jobs::id.eq(&id)).select(columns::<JobRow>()).first(conn).await.optional()
    })?;
    row.map(|row| row.read()).transpose()
}

/// A page of jobs.
///
/// # Errors
/// A database that does not answer.
pub async fn list_jobs(owner: &Owner, filter: &JobFilter) -> Result<Vec<Job>, Error> {
    let all = || JobState::ALL.map(JobState::name).to_vec();
    let states: Vec<&str> = filter.state.map_or_else(all, |state| vec![state.name()]);
    let any = filter.subject.is_none();
    let subject = filter.subject.unwrap_or_default().to_string();
    let after = filter.after.map(|id| id.to_string()).unwrap_or_default();
    let rows: Vec<JobRow> = read!(owner.db, |conn| jobs::table
        .filter(jobs::id.gt(&after))
        .filter(jobs::state.eq_any(&states))
        .filter(jobs::subject.eq(&subject).or(any.into_sql::<diesel::sql_types::Bool>()))
        .order(jobs::id.asc())
        .limit(filter.limit)
        .select(columns::<JobRow>())
        .load(conn))?;
    rows.iter().map(JobRow::read).collect()
}

/// Deliveries in one page.
const DELIVERIES: i64 = 100;

/// A page of what was delivered to one target, after the delivery with this id.
///
/// # Errors
/// A database that does not answer.
pub async fn list_deliveries(owner: &Owner, target: &str, after: &str) -> Result<Vec<DeliveryRow>, Error> {
    let page = deliveries::table.filter(deliveries::target.eq(target)).filter(deliveries::id.gt(after));
    owner.db.fetch_all(page.order(deliveries::id.asc()).limit(DELIVERIES).select(columns::<DeliveryRow>())).await
}

/// When an attempt that begins now has surely ended.
fn attempt_deadline(limits: &Limits, now: Timestamp) -> Option<Timestamp> {
    let seconds = limits.sweep_seconds + limits.attempt_seconds as f64;
    SignedDuration::try_from_secs_f64(seconds).ok().and_then(|wait| now.saturating_add(wait).ok())
}

/// Refuses a report of an attempt that is not under way.
///
/// # Errors
/// 409.
pub fn check_attempt(job: &Job, attempt: i32) -> Result<(), Abort> {
    match (job.state, job.attempt) {
        (JobState::Running, current) if current == attempt => Ok(()),
        (state, current) => {
            let detail = format!("the job is {} at attempt {current}: attempt {attempt} is too late", state.name());
            Err(Abort::Rejected(Problem::new(JOB_NOT_YOURS, detail)))
        }
    }
}

/// No job has this id.
pub fn unknown(id: Uuid) -> Problem {
    Problem::new(UNKNOWN_JOB, format!("no job has the id {id}"))
}

/// Why no attempt begins.
pub fn not_due(job: &Job) -> Problem {
    Problem::new(JOB_NOT_YOURS, format!("the job is {}: there is nothing to do", job.state.name()))
}
