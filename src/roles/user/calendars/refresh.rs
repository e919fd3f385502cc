//! Keeps imported calendars current: workers fetch subscriptions again, and later months are expanded as they come near.

use std::time::Duration;

use diesel::dsl::min;
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::import::{Import, acquire_turn, stored_range};
use super::store::{Row, replace_months};
use crate::calendar::time::time_zone_fingerprint;
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::schema::jobs;
use crate::platform::data::{Abort, Error, RunQueryDsl, columns, exclusive, skip_locked};
use crate::platform::http::problem::{JOB_NOT_YOURS, Problem};
use crate::platform::jobs::create_job;
use crate::platform::jobs::model::{JobState, OPEN};
use crate::platform::jobs::rows::lock_job;
use crate::platform::jobs::store::{check_attempt, complete, unknown};
use crate::platform::outbound::calendar_source::{Fetched, Validators};
use crate::roles::user::api::calendars::RefreshReport;
use crate::roles::user::jobs::kinds::{self, REFRESH_CALENDAR};
use crate::roles::user::schema::calendars;
use crate::roles::user::store::Store;
use crate::transact;

/// The longest time between two checks for due subscriptions: a replica that added one may have died before it created the job.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// The pause after a check that failed, or that found only calendars in the hands of another replica.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The interval between two checks for months to expand.
const EXPANSION_INTERVAL: Duration = Duration::from_secs(3600);
/// Days before the end of the expanded months at which further months are expanded.
const EXPANSION_LEAD_DAYS: i64 = 45;
/// The maximum time until a failed subscription is fetched again, in seconds.
const MAX_WAIT: f64 = 86_400.0;

/// Creates the jobs of due subscriptions, for as long as the process lives.
pub async fn schedule_refreshes(store: Store) {
    loop {
        let pause = store.create_due_jobs().await.unwrap_or_else(|why| {
            tracing::debug!(%why, "the calendars cannot be read");
            RETRY_PAUSE
        });
        drop(timeout(pause, store.calendar_added.notified()).await);
    }
}

/// Expands later months of all calendars, for as long as the process lives; at first, also the calendars that were expanded with
/// other time zone data.
pub async fn extend_horizons(store: Store) {
    let mut last = String::new();
    loop {
        // Each calendar once: a replica with other data must not undo it again and again.
        match store.apply_time_zones(&last).await {
            Ok(Some(id)) => last = id,
            Ok(None) => break,
            Err(why) => {
                tracing::debug!(%why, "calendars cannot be expanded with the time zone data");
                sleep(RETRY_PAUSE * 10).await;
            }
        }
    }
    loop {
        match store.extend_next_horizon().await {
            Ok(true) => {}
            Ok(false) => sleep(EXPANSION_INTERVAL).await,
            Err(why) => {
                tracing::debug!(%why, "later months cannot be expanded");
                sleep(RETRY_PAUSE * 10).await;
            }
        }
    }
}

/// The result of fetching a subscription.
enum RefreshResult {
    Text { text: String, seen: Validators, import: Import },
    Unchanged,
    Failed(String),
}

/// Whether a stored calendar ended as it should. A publisher whose calendars never do is still followed.
fn is_whole(content: &str) -> bool {
    let content = content.trim_end();
    content
        .len()
        .checked_sub("END:VCALENDAR".len())
        .and_then(|at| content.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case("END:VCALENDAR"))
}

impl Store {
    /// Creates the jobs of due subscriptions. Returns the time until the next check.
    async fn create_due_jobs(&self) -> Result<Duration, Error> {
        let now = now();
        let at = stored(now);
        let first: Option<Option<DateTime>> =
            self.owner.db.fetch_optional(calendars::table.select(min(calendars::due_at))).await?;
        let wait =
            first.flatten().and_then(read).map(|due| Duration::try_from(due.duration_since(now)).unwrap_or_default());
        let wait = wait.map_or(MAX_PAUSE, |wait| wait.min(MAX_PAUSE));
        if !wait.is_zero() {
            return Ok(wait);
        }
        // if the job is lost, the subscription becomes due again
        let again = stored(self.due_after(0, now));
        let count = transact!(self.owner.db, |conn| {
            let due = calendars::table.filter(calendars::due_at.le(at)).order(calendars::due_at.asc()).limit(100);
            let due: Vec<String> = skip_locked(due.select(calendars::id)).load(conn).await?;
            let these = calendars::table.filter(calendars::id.eq_any(&due));
            diesel::update(these).set(calendars::due_at.eq(Some(again))).execute(conn).await?;
            for id in &due {
                let open = jobs::table.filter(jobs::subject.eq(id)).filter(jobs::state.eq_any(OPEN));
                if open.count().get_result::<i64>(conn).await? > 0 {
                    continue;
                }
                let (job, case_id) = (kinds::refresh(), Uuid::now_v7().to_string());
                let id = id.parse().map_err(|_| Error::Corrupt(format!("calendar {id}")))?;
                create_job(conn, &self.owner, &job, id, &case_id).await?;
            }
            Ok::<usize, Error>(due.len())
        })?;
        tracing::debug!(count, "calendars are due");
        self.owner.outbox_notify.notify_one();
        Ok(if count > 0 { Duration::ZERO } else { RETRY_PAUSE })
    }

    /// The next time to fetch a subscription that has failed this number of times in a row.
    fn due_after(&self, failures: i32, now: Timestamp) -> Timestamp {
        let interval = self.calendars.refresh_minutes * 60.0;
        let wait = (interval * f64::from(failures.clamp(0, 20)).exp2()).min(MAX_WAIT).max(interval);
        let wait = SignedDuration::try_from_secs_f64(wait).unwrap_or(SignedDuration::from_hours(24));
        now.saturating_add(wait).unwrap_or(now)
    }

    /// Applies a worker's report about a subscription, and completes its job. A failed fetch leaves the last good state.
    pub async fn apply_refresh(&self, job_id: Uuid, report: RefreshReport) -> Result<(), Abort> {
        let id = job_id.to_string();
        let subject =
            jobs::table.filter(jobs::id.eq(&id)).filter(jobs::kind.eq(REFRESH_CALENDAR.name)).select(jobs::subject);
        let subject: Option<String> = self.owner.db.fetch_optional(subject).await?;
        let subject = subject.ok_or_else(|| Abort::Rejected(unknown(job_id)))?;
        let Some(before) = self.calendar_row(&subject).await? else {
            let detail = "the calendar was deleted or replaced";
            return Err(Abort::Rejected(Problem::new(JOB_NOT_YOURS, detail)));
        };
        let now = now();
        let result = self.refresh_result(&before, report.fetched, now).await?;
        transact!(self.owner.db, |conn| {
            // the lock order of every writer: the calendar first, then its rows
            let mine = calendars::table.filter(calendars::id.eq(&subject));
            let locked: Option<String> = exclusive(mine.select(calendars::id)).get_result(conn).await.optional()?;
            let job = lock_job(conn, job_id).await?.ok_or_else(|| Abort::Rejected(unknown(job_id)))?;
            let mut job = job.read()?;
            if job.state == JobState::Succeeded && job.attempt == report.attempt {
                return Ok(()); // the report was sent twice
            }
            check_attempt(&job, report.attempt)?;
            let success = (calendars::refreshed_at.eq(Some(stored(now))), calendars::error.eq(None::<String>));
            let refreshed =
                (success, calendars::failures.eq(0), calendars::due_at.eq(Some(stored(self.due_after(0, now)))));
            match &result {
                RefreshResult::Text { text, seen, import } if locked.is_some() => {
                    let content = (
                        calendars::content.eq(text),
                        calendars::etag.eq(&seen.etag),
                        calendars::last_modified.eq(&seen.last_modified),
                        calendars::periods.eq(import.periods),
                        calendars::warnings.eq(import.warnings_json()),
                        calendars::known_until.eq(stored(import.known_until)),
                        calendars::time_zones.eq(time_zone_fingerprint()),
                        calendars::updated_at.eq(stored(now)),
                    );
                    diesel::update(mine).set((refreshed, content)).execute(conn).await?;
                    replace_months(conn, &before.email, &subject, &import.months).await?;
                }
                RefreshResult::Unchanged => drop(diesel::update(mine).set(refreshed).execute(conn).await?),
                RefreshResult::Failed(why) => {
                    let failures = before.failures.saturating_add(1);
                    let due = Some(stored(self.due_after(failures, now)));
                    let failed =
                        (calendars::error.eq(why), calendars::failures.eq(failures), calendars::due_at.eq(due));
                    diesel::update(mine).set(failed).execute(conn).await?;
                }
                RefreshResult::Text { .. } => {}
            }
            complete(self, conn, &mut job).await
        })
    }

    async fn refresh_result(&self, before: &Row, fetched: Fetched, now: Timestamp) -> Result<RefreshResult, Error> {
        Ok(match fetched {
            Fetched::Unchanged if before.content.is_empty() => {
                RefreshResult::Failed("it responded with 304, but has never sent a calendar".to_owned())
            }
            Fetched::Unchanged => RefreshResult::Unchanged,
            Fetched::Failed { why } => RefreshResult::Failed(why),
            Fetched::Text { text, seen } => {
                let owner = before.owner()?;
                match self.expand(&owner, &text, now, acquire_turn(&owner).await).await? {
                    Ok(import) if import.is_truncated && is_whole(&before.content) => {
                        let why = "its calendar ends before END:VCALENDAR; the last whole one still counts";
                        RefreshResult::Failed(why.to_owned())
                    }
                    Ok(import) => RefreshResult::Text { text, seen, import },
                    Err(why) => RefreshResult::Failed(format!("its calendar cannot be read: {why}")),
                }
            }
        })
    }

    async fn calendar_row(&self, id: &str) -> Result<Option<Row>, Error> {
        self.owner.db.fetch_optional(calendars::table.filter(calendars::id.eq(id)).select(columns::<Row>())).await
    }

    /// Expands the later months of one calendar that needs it; `false` if there is none.
    async fn extend_next_horizon(&self) -> Result<bool, Error> {
        let now = now();
        let end = stored_range(now, self.calendars.horizon_days).to;
        let lead = SignedDuration::from_hours(24 * EXPANSION_LEAD_DAYS);
        let limit = Timestamp::from_second(end).unwrap_or(now).saturating_sub(lead).unwrap_or(now);
        let next = calendars::table.filter(calendars::known_until.lt(stored(limit))).filter(calendars::content.ne(""));
        let next = next.order(calendars::known_until.asc()).select(columns::<Row>());
        let found: Option<Row> = self.owner.db.fetch_optional(next).await?;
        let Some(row) = found else { return Ok(false) };
        self.expand_stored(row, now).await?;
        Ok(true)
    }

    /// Expands the next calendar after `last`, by id, that was expanded with other time zone data; `None` if there is none.
    async fn apply_time_zones(&self, last: &str) -> Result<Option<String>, Error> {
        let next = calendars::table.filter(calendars::time_zones.ne(time_zone_fingerprint()));
        let next = next.filter(calendars::content.ne("")).filter(calendars::id.gt(last)).order(calendars::id.asc());
        let found: Option<Row> = self.owner.db.fetch_optional(next.select(columns::<Row>())).await?;
        let Some(row) = found else { return Ok(None) };
        let id = row.id.clone();
        self.expand_stored(row, now()).await?;
        Ok(Some(id))
    }

    /// Expands the stored text of a calendar again.
    async fn expand_stored(&self, row: Row, now: Timestamp) -> Result<(), Error> {
        let end = stored_range(now, self.calendars.horizon_days).to;
        let owner = row.owner()?;
        let expanded = self.expand(&owner, &row.content, now, acquire_turn(&owner).await).await?;
        transact!(self.owner.db, |conn| {
            // a calendar that was changed in the meantime is newer
            let unchanged =
                calendars::table.filter(calendars::id.eq(&row.id)).filter(calendars::updated_at.eq(row.updated_at));
            let until = expanded.as_ref().map_or(end, |import| import.known_until.as_second());
            let until = stored(Timestamp::from_second(until).unwrap_or(now));
            let periods = expanded.as_ref().map_or(row.periods, |import| import.periods);
            let error = expanded.as_ref().err().cloned().or(row.error.clone());
            let warnings = expanded.as_ref().map_or(row.warnings.clone(), Import::warnings_json);
            let update = (
                calendars::known_until.eq(until),
                calendars::time_zones.eq(time_zone_fingerprint()),
                calendars::periods.eq(periods),
                calendars::error.eq(error),
                calendars::warnings.eq(warnings),
            );
            let changed = diesel::update(unchanged).set(update).execute(conn).await?;
            if let (1, Ok(import)) = (changed, &expanded) {
                replace_months(conn, &row.email, &row.id, &import.months).await?;
            }
            Ok::<(), Error>(())
        })
    }
}
