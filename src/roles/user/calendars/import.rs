//! From a calendar's text to the busy time that is kept of it, on a thread of its own: a large one takes a while.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use uuid::Uuid;

use super::months::{Month, packed};
use crate::calendar::icalendar::{DateRange, find_own_meetings, month_bounds, read_busy_periods};
use crate::platform::data::Error;
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::ROLE;
use crate::roles::user::store::Store;

/// Texts that are worked out at a time; others wait.
const AT_ONCE: usize = 2;
static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
/// How long a caller waits: nobody is to work for somebody who has gone meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the expansion of one calendar may take.
const MAX_EXPANSION_TIME: Duration = Duration::from_millis(1500);

/// The right to work one text out; there is always another one, when this one is let go.
pub type Turn = Option<SemaphorePermit<'static>>;

/// Waits for a turn.
pub async fn turn() -> Turn {
    TURNS.acquire().await.ok()
}

/// Waits for a turn, but not long.
///
/// # Errors
/// 503 when too many calendars are being worked out.
pub async fn turn_soon() -> Result<Turn, Problem> {
    let detail = "other large calendars are being worked out just now; try again in a moment";
    timeout(PATIENCE, turn()).await.map_err(|_| Problem::unavailable(ROLE, detail))
}

/// What is kept of a calendar, beside its text.
pub struct Import {
    pub months: BTreeMap<i32, Month>,
    /// Busy periods, those that touch put together.
    pub periods: i32,
    /// Of what comes later nothing is known.
    pub known_until: Timestamp,
}

/// The months of which busy time is kept: the last one, this one, and those of so many days ahead.
pub fn range(now: Timestamp, horizon_days: i32) -> DateRange {
    let (this, _) = month_bounds(now.as_second());
    let (from, _) = month_bounds(this - 1);
    let ahead = now.saturating_add(SignedDuration::from_hours(24) * horizon_days).unwrap_or(now);
    let (_, to) = month_bounds(ahead.as_second());
    DateRange { from, to }
}

impl Store {
    /// Works out when the owner of a calendar is busy; in the inner error, why that cannot be told.
    ///
    /// Meetings that were arranged here hold their time themselves: their events in the calendar count nothing, or a meeting
    /// would be in its own way when it is to be moved.
    pub async fn work_out(
        &self,
        owner: &Email,
        text: &str,
        now: Timestamp,
        _turn: Turn,
    ) -> Result<Result<Import, String>, Error> {
        let own: HashSet<Uuid> = self.known_meetings(&find_own_meetings(text)).await?;
        let range = range(now, self.calendars.horizon_days);
        let (text, owner) = (text.to_owned(), owner.to_string());
        let worked = tokio::task::spawn_blocking(move || {
            let start = Instant::now();
            read_busy_periods(&text, &owner, &own, range, &|| start.elapsed() > MAX_EXPANSION_TIME)
        })
        .await;
        Ok(match worked {
            Ok(Ok(spans)) => Ok(Import {
                periods: i32::try_from(spans.fixed.len() + spans.floating.len()).unwrap_or(i32::MAX),
                months: packed(&spans),
                known_until: Timestamp::from_second(range.to).unwrap_or(now),
            }),
            Ok(Err(flaw)) => Err(flaw.to_string()),
            Err(_) => Err("it holds a rule that cannot be worked out".to_owned()),
        })
    }
}
