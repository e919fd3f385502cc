//! Expands the text of a calendar to busy time, on a thread of its own, because a large calendar takes long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::busy_month::{BusyMonth, pack_months};
use crate::calendar::icalendar::{DateRange, month_bounds, read_busy_periods};
use crate::platform::data::Error;
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::ROLE;
use crate::roles::user::store::Store;

/// The number of calendars that are expanded at the same time.
const MAX_CONCURRENT: usize = 2;
static PERMITS: Semaphore = Semaphore::const_new(MAX_CONCURRENT);
/// How long a request waits for a permit.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the expansion of one calendar may take.
const MAX_EXPANSION_TIME: Duration = Duration::from_millis(1500);

/// The permit to expand one calendar.
pub type ExpansionPermit = Option<SemaphorePermit<'static>>;

/// Waits for a permit.
pub async fn acquire_permit() -> ExpansionPermit {
    PERMITS.acquire().await.ok()
}

/// Waits for a permit, for a short time.
///
/// # Errors
/// 503 when too many calendars are being expanded.
pub async fn acquire_permit_soon() -> Result<ExpansionPermit, Problem> {
    let detail = "other large calendars are being imported; try again in a moment";
    timeout(PERMIT_TIMEOUT, acquire_permit()).await.map_err(|_| Problem::unavailable(ROLE, detail))
}

/// The busy time of a calendar, as stored.
pub struct Import {
    pub months: BTreeMap<i32, BusyMonth>,
    /// The number of busy periods; adjacent ones are merged.
    pub periods: i32,
    /// The end of the months that are expanded.
    pub known_until: Timestamp,
}

/// The months whose busy time is stored: the last one, this one, and those within the horizon.
pub fn stored_range(now: Timestamp, horizon_days: i32) -> DateRange {
    let (this, _) = month_bounds(now.as_second());
    let (from, _) = month_bounds(this - 1);
    let ahead = now.saturating_add(SignedDuration::from_hours(24) * horizon_days).unwrap_or(now);
    let (_, to) = month_bounds(ahead.as_second());
    DateRange { from, to }
}

impl Store {
    /// Expands the busy time of a calendar. The inner error is the reason why the calendar cannot be read.
    ///
    /// Events of W2Meet's own meetings are ignored, because the meetings hold that time themselves; otherwise a meeting would block
    /// its own rescheduling.
    pub async fn expand(
        &self,
        owner: &Email,
        text: &str,
        now: Timestamp,
        _permit: ExpansionPermit,
    ) -> Result<Result<Import, String>, Error> {
        let range = stored_range(now, self.calendars.horizon_days);
        let (text, owner, own_domain) = (text.to_owned(), owner.to_string(), self.uid_domain());
        let expanded = tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            read_busy_periods(&text, &owner, &own_domain, range, &|| start.elapsed() > MAX_EXPANSION_TIME)
        })
        .await;
        Ok(match expanded {
            Ok(Ok(spans)) => Ok(Import {
                periods: i32::try_from(spans.fixed.len() + spans.floating.len()).unwrap_or(i32::MAX),
                months: pack_months(&spans),
                known_until: Timestamp::from_second(range.to).unwrap_or(now),
            }),
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err("it has a rule that cannot be expanded".to_owned()),
        })
    }
}
