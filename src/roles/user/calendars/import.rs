//! Expands the text of a calendar to busy time, on a thread of its own, because a large calendar takes long.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::busy_month::{BusyMonth, pack_months};
use crate::calendar::Zone;
use crate::calendar::icalendar::{CalendarReading, CalendarWarning, DateRange, month_bounds, read_busy_periods};
use crate::platform::data::Error;
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::ROLE;
use crate::roles::user::schema::users;
use crate::roles::user::store::Store;

/// The number of calendars that are expanded at the same time.
const MAX_CONCURRENT: usize = 2;
static PERMITS: Semaphore = Semaphore::const_new(MAX_CONCURRENT);
/// The turns of each account that has any: one calendar of an account is expanded at a time, so that the calendars of one account
/// never take both permits.
static ACCOUNTS: LazyLock<Mutex<HashMap<String, Weak<Semaphore>>>> = LazyLock::new(Mutex::default);
/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(1);

/// The turn to expand one calendar.
pub struct ExpansionTurn {
    _permit: Option<SemaphorePermit<'static>>,
    _of_account: Option<OwnedSemaphorePermit>,
}

/// Waits for the turn of an account.
pub async fn acquire_turn(account: &Email) -> ExpansionTurn {
    let of_account = {
        let mut accounts = ACCOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, turns| turns.strong_count() > 0);
        let known = accounts.get(account.as_str()).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let turns = Arc::new(Semaphore::new(1));
            accounts.insert(account.to_string(), Arc::downgrade(&turns));
            turns
        })
    };
    let of_account = of_account.acquire_owned().await.ok();
    ExpansionTurn { _permit: PERMITS.acquire().await.ok(), _of_account: of_account }
}

/// Waits for the turn of an account, for a short time.
///
/// # Errors
/// 503 when too many calendars are being expanded.
pub async fn acquire_turn_soon(account: &Email) -> Result<ExpansionTurn, Problem> {
    let detail = "other large calendars are being imported; try again in a moment";
    timeout(TURN_TIMEOUT, acquire_turn(account)).await.map_err(|_| Problem::unavailable(ROLE, detail))
}

/// The busy time of a calendar, as stored.
pub struct Import {
    pub months: BTreeMap<i32, BusyMonth>,
    /// The number of busy periods; adjacent ones are merged.
    pub periods: i32,
    /// The end of the months that are expanded.
    pub known_until: Timestamp,
    /// What was left out or assumed.
    warnings: Vec<CalendarWarning>,
    /// Whether the text ends within a component.
    pub is_truncated: bool,
}

impl Import {
    /// The warnings, as stored.
    pub fn warnings_json(&self) -> String {
        serde_json::to_string(&self.warnings).unwrap_or_else(|_| "[]".to_owned())
    }
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
        turn: ExpansionTurn,
    ) -> Result<Result<Import, String>, Error> {
        let range = stored_range(now, self.calendars.horizon_days);
        let zone = users::table.filter(users::email.eq(owner.as_str())).select(users::time_zone);
        let zone: Option<String> = self.owner.db.fetch_optional(zone).await?;
        let home = zone.and_then(|zone| Zone::parse(&zone).ok()).unwrap_or_else(Zone::utc);
        let (text, owner, own_domain) = (text.to_owned(), owner.to_string(), self.uid_domain());
        let expanded = tokio::task::spawn_blocking(move || {
            // the turn ends with the work, also when the client has gone
            let _turn = turn;
            read_busy_periods(&text, &owner, &own_domain, &home, range)
        })
        .await;
        Ok(match expanded {
            Ok(Ok(CalendarReading { busy, warnings, is_truncated })) => Ok(Import {
                periods: i32::try_from(busy.fixed.len() + busy.floating.len()).unwrap_or(i32::MAX),
                months: pack_months(&busy),
                known_until: Timestamp::from_second(range.to).unwrap_or(now),
                warnings,
                is_truncated,
            }),
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err("it has a rule that cannot be expanded".to_owned()),
        })
    }
}
