//! Erasing what is old: stored responses, received events, jobs, deliveries, and what each owner adds.

use std::time::Duration;

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::JobOwner;
use super::model::{JobState, OPEN, Retention};
use crate::platform::data::idempotency::KEPT;
use crate::platform::data::instant::{now, stored};
use crate::platform::data::schema::{deliveries, idempotency, inbox, jobs};
use crate::platform::data::{Error, Owner, RunQueryDsl};
use crate::transact;

const HOUR: Duration = Duration::from_secs(3600);
/// The longest time for which the log of SQLite holds what was deleted.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How many days the id of a received event is kept: an event that is delivered again after that takes effect again.
const INBOX_DAYS: i32 = 30;

/// Erases what is old, once an hour, for as long as the process lives.
pub async fn purge<O: JobOwner>(jobs: O) {
    loop {
        for done in [purge_tables(&jobs).await, jobs.purge().await] {
            if let Err(why) = done {
                tracing::debug!(role = jobs.owner().role, %why, "old rows could not be deleted");
            }
        }
        sleep(HOUR).await;
    }
}

/// Empties the log of SQLite, for as long as the process lives: what was deleted is gone from the disk soon.
pub async fn checkpoint(owner: Owner) {
    loop {
        sleep(CHECKPOINT_INTERVAL).await;
        empty_log(&owner).await;
    }
}

/// Empties the log of SQLite once.
pub async fn empty_log(owner: &Owner) {
    if let Err(why) = owner.db.checkpoint().await {
        tracing::debug!(role = owner.role, %why, "the log of the database could not be emptied");
    }
}

async fn purge_tables<O: JobOwner>(own: &O) -> Result<(), Error> {
    let owner = own.owner();
    let before = |age: SignedDuration| stored(now().saturating_sub(age).unwrap_or(Timestamp::UNIX_EPOCH));
    let (yesterday, ended) = (before(DAY), before(DAY * owner.limits.keep_days));
    let of = |wanted: Retention| O::KINDS.iter().filter(move |kind| kind.retention == wanted).map(|kind| kind.name);
    let (success_only, short): (Vec<&str>, Vec<&str>) =
        (of(Retention::DayAfterSuccess).collect(), of(Retention::Day).collect());
    transact!(owner.db, |conn| {
        diesel::delete(idempotency::table.filter(idempotency::created_at.lt(before(KEPT)))).execute(conn).await?;
        diesel::delete(inbox::table.filter(inbox::received_at.lt(before(DAY * INBOX_DAYS)))).execute(conn).await?;
        let over = || jobs::table.filter(jobs::state.ne_all(OPEN));
        diesel::delete(over().filter(jobs::updated_at.lt(ended))).execute(conn).await?;
        let succeeded = over().filter(jobs::state.eq(JobState::Succeeded.name()));
        let old = succeeded.filter(jobs::updated_at.lt(yesterday)).filter(jobs::kind.eq_any(&success_only));
        diesel::delete(old).execute(conn).await?;
        let old = over().filter(jobs::updated_at.lt(yesterday)).filter(jobs::kind.eq_any(&short));
        diesel::delete(old).execute(conn).await?;
        diesel::delete(deliveries::table.filter(deliveries::created_at.lt(ended))).execute(conn).await?;
        Ok::<(), Error>(())
    })
}
