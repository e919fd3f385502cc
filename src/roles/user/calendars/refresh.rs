//! Calendars do not stand still: subscriptions are fetched again by workers, and later months are worked out as they come near.

use std::time::Duration;

use crate::platform::data::{RunQueryDsl, columns};
use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use tokio::time::sleep;
use uuid::Uuid;

use super::import::{Import, range, turn};
use super::store::{Row, replace_months};
use crate::platform::data::Abort;
use crate::platform::data::Error;
use crate::platform::data::instant::{now, stored};
use crate::platform::data::schema::jobs;
use crate::platform::email::Email;
use crate::platform::http::problem::{JOB_NOT_YOURS, Problem};
use crate::platform::jobs::model::{JobState, OPEN};
use crate::platform::jobs::rows::{JobRow, create_job, lock_job};
use crate::platform::jobs::store::{check_attempt, complete, unknown};
use crate::platform::outbound::calendar_source::{Fetched, Validators};
use crate::roles::user::api::calendars::RefreshReport;
use crate::roles::user::jobs::kinds::{self, REFRESH};
use crate::roles::user::schema::calendars;
use crate::roles::user::store::Store;
use crate::{read, transact};

/// How often it is looked whether a subscription is due.
const CLOCK: Duration = Duration::from_millis(250);
/// How often it is looked whether months have come near.
const HOUR: Duration = Duration::from_secs(3600);
/// Days before its end at which what is known of a calendar is worked out anew.
const NEAR: i64 = 45;
/// No subscription waits longer, however often it failed.
const LONGEST_WAIT: f64 = 86_400.0;

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = diesel::sql_types::Text)]
    id: String,
}

/// Makes the jobs of subscriptions that are due, for as long as the process lives.
pub async fn wake(store: Store) {
    loop {
        match store.wake_calendars().await {
            Ok(0) => sleep(CLOCK).await,
            Ok(woken) => tracing::debug!(woken, "calendars are due"),
            Err(why) => {
                tracing::debug!(%why, "the calendars cannot be read");
                sleep(CLOCK).await;
            }
        }
    }
}

/// Works out later months of all calendars, for as long as the process lives.
pub async fn go_on(store: Store) {
    loop {
        match store.work_out_later().await {
            Ok(true) => {}
            Ok(false) => sleep(HOUR).await,
            Err(why) => {
                tracing::debug!(%why, "later months wait");
                sleep(CLOCK * 40).await;
            }
        }
    }
}

/// What a look at a subscription means for what is kept of it.
enum News {
    Text { text: String, seen: Validators, import: Import },
    Unchanged,
    Failed(String),
}

impl Store {
    async fn wake_calendars(&self) -> Result<usize, Error> {
        let now = now();
        let at: DateTime = stored(now);
        let due: i64 =
            read!(self.owner.db, |conn| calendars::table.filter(calendars::due_at.le(at)).count().get_result(conn))?;
        if due == 0 {
            return Ok(0);
        }
        // should all that follows vanish, it is due again by itself
        let again = stored(self.due_after(0, now));
        let query = format!(
            "UPDATE calendars SET due_at = $1 WHERE id IN \
             (SELECT id FROM calendars WHERE due_at <= $2 ORDER BY due_at LIMIT 100 {}) RETURNING id",
            self.owner.db.skipping_held()
        );
        let woken = transact!(self.owner.db, |conn| {
            let query = diesel::sql_query(&query).bind::<diesel::sql_types::Timestamp, _>(again);
            let due: Vec<Id> = query.bind::<diesel::sql_types::Timestamp, _>(at).load(conn).await?;
            for Id { id } in &due {
                let open = jobs::table.filter(jobs::subject.eq(id)).filter(jobs::state.eq_any(OPEN));
                if open.count().get_result::<i64>(conn).await? > 0 {
                    continue;
                }
                let (job, case_id) = (kinds::refresh(), Uuid::now_v7().to_string());
                let id = id.parse().map_err(|_| Error::Corrupt(format!("calendar {id}")))?;
                let row = JobRow::new(&self.owner, &job, id, &case_id, now);
                create_job(conn, &self.owner, &row).await?;
            }
            Ok::<usize, Error>(due.len())
        })?;
        self.owner.outbox_notify.notify_one();
        Ok(woken)
    }

    /// When a subscription is fetched again that has failed so often in a row.
    fn due_after(&self, failures: i32, now: Timestamp) -> Timestamp {
        let interval = self.calendars.refresh_minutes * 60.0;
        let wait = (interval * f64::from(failures.clamp(0, 20)).exp2()).min(LONGEST_WAIT).max(interval);
        let wait = SignedDuration::try_from_secs_f64(wait).unwrap_or(SignedDuration::from_hours(24));
        now.saturating_add(wait).unwrap_or(now)
    }

    /// Takes what a worker has found at a subscription, and ends its job. What cannot be had, or read, leaves the last good
    /// state as it is.
    pub async fn take_refreshed(&self, job_id: Uuid, refreshed: RefreshReport) -> Result<(), Abort> {
        let id = job_id.to_string();
        let subject = jobs::table.filter(jobs::id.eq(&id)).filter(jobs::kind.eq(REFRESH.name)).select(jobs::subject);
        let subject: Option<String> = read!(self.owner.db, |conn| async { subject.first(conn).await.optional() })?;
        let subject = subject.ok_or_else(|| Abort::Rejected(unknown(job_id)))?;
        let Some(before) = self.calendar_row(&subject).await? else {
            let detail = "the calendar is gone, or another one by now";
            return Err(Abort::Rejected(Problem::new(JOB_NOT_YOURS, detail)));
        };
        let now = now();
        let news = self.news(&before, refreshed.fetched, now).await?;
        transact!(self.owner.db, |conn| {
            // the calendar before all that hangs on it: whoever puts or deletes one does it in this order too
            let lock = diesel::sql_query(conn.exclusive("SELECT id FROM calendars WHERE id = $1"));
            let held: Vec<Id> = lock.bind::<diesel::sql_types::Text, _>(&subject).load(conn).await?;
            let job = lock_job(conn, job_id).await?.ok_or_else(|| Abort::Rejected(unknown(job_id)))?;
            let mut job = job.read()?;
            if job.state == JobState::Succeeded && job.attempt == refreshed.attempt {
                return Ok(()); // said twice
            }
            check_attempt(&job, refreshed.attempt)?;
            let mine = calendars::table.filter(calendars::id.eq(&subject));
            let seen_now = (calendars::refreshed_at.eq(Some(stored(now))), calendars::error.eq(None::<String>));
            let fine =
                (seen_now, calendars::failures.eq(0), calendars::due_at.eq(Some(stored(self.due_after(0, now)))));
            match &news {
                News::Text { text, seen, import } if held.iter().any(|held| held.id == subject) => {
                    let kept = (
                        calendars::content.eq(text),
                        calendars::etag.eq(&seen.etag),
                        calendars::last_modified.eq(&seen.last_modified),
                        calendars::periods.eq(import.periods),
                        calendars::known_until.eq(stored(import.known_until)),
                        calendars::updated_at.eq(stored(now)),
                    );
                    diesel::update(mine).set((fine, kept)).execute(conn).await?;
                    replace_months(conn, &before.email, &subject, &import.months).await?;
                }
                News::Unchanged => drop(diesel::update(mine).set(fine).execute(conn).await?),
                News::Failed(why) => {
                    let failures = before.failures.saturating_add(1);
                    let due = Some(stored(self.due_after(failures, now)));
                    let failed =
                        (calendars::error.eq(why), calendars::failures.eq(failures), calendars::due_at.eq(due));
                    diesel::update(mine).set(failed).execute(conn).await?;
                }
                News::Text { .. } => {}
            }
            complete(self, conn, &mut job).await
        })
    }

    async fn news(&self, before: &Row, fetched: Fetched, now: Timestamp) -> Result<News, Error> {
        Ok(match fetched {
            Fetched::Unchanged if before.content.is_empty() => {
                News::Failed("it says that nothing has changed, and has never sent a calendar".to_owned())
            }
            Fetched::Unchanged => News::Unchanged,
            Fetched::Failed { why } => News::Failed(why),
            Fetched::Text { text, seen } => {
                let owner =
                    Email::parse(&before.email).map_err(|_| Error::Corrupt(format!("calendar {}", before.id)))?;
                match self.work_out(&owner, &text, now, turn().await).await? {
                    Ok(import) => News::Text { text, seen, import },
                    Err(why) => News::Failed(format!("its calendar cannot be read: {why}")),
                }
            }
        })
    }

    async fn calendar_row(&self, id: &str) -> Result<Option<Row>, Error> {
        read!(self.owner.db, |conn| async {
            calendars::table.filter(calendars::id.eq(id)).select(columns::<Row>()).first(conn).await.optional()
        })
    }

    /// Works out the later months of one calendar that needs it; says whether there was one.
    async fn work_out_later(&self) -> Result<bool, Error> {
        let now = now();
        let end = range(now, self.calendars.horizon_days).to;
        let near = Timestamp::from_second(end).unwrap_or(now).saturating_sub(SignedDuration::from_hours(24 * NEAR));
        let near = stored(near.unwrap_or(now));
        let found: Option<Row> = read!(self.owner.db, |conn| async {
            let needs = calendars::table.filter(calendars::known_until.lt(near)).filter(calendars::content.ne(""));
            needs.order(calendars::known_until.asc()).select(columns::<Row>()).first(conn).await.optional()
        })?;
        let Some(row) = found else { return Ok(false) };
        let owner = Email::parse(&row.email).map_err(|_| Error::Corrupt(format!("calendar {}", row.id)))?;
        let worked = self.work_out(&owner, &row.content, now, turn().await).await?;
        transact!(self.owner.db, |conn| {
            // what has come meanwhile is newer
            let same =
                calendars::table.filter(calendars::id.eq(&row.id)).filter(calendars::updated_at.eq(row.updated_at));
            let until = worked.as_ref().map_or(end, |import| import.known_until.as_second());
            let until = stored(Timestamp::from_second(until).unwrap_or(now));
            let periods = worked.as_ref().map_or(row.periods, |import| import.periods);
            let error = worked.as_ref().err().cloned().or(row.error.clone());
            let kept = (calendars::known_until.eq(until), calendars::periods.eq(periods), calendars::error.eq(error));
            let changed = diesel::update(same).set(kept).execute(conn).await?;
            if let (1, Ok(import)) = (changed, &worked) {
                replace_months(conn, &row.email, &row.id, &import.months).await?;
            }
            Ok::<(), Error>(())
        })?;
        Ok(true)
    }
}
