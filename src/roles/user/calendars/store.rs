//! The queries of imported calendars.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use jiff::Timestamp;
use jiff_diesel::DateTime;
use uuid::Uuid;

use super::busy_month::{BusyMonth, month_number, unpack_month};
use super::import::Import;
use crate::calendar::icalendar::{Period as BusyPeriod, ZoneRules, merge_periods};
use crate::calendar::time::{SECONDS_PER_DAY, time_zone_fingerprint};
use crate::calendar::{Fault, Zone};
use crate::platform::auth::Caller;
use crate::platform::data::instant::{now, stored};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, columns};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::outbound::calendar_source::Validators;
use crate::roles::user::api::calendars::CalendarSubscription;
use crate::roles::user::api::problems::UNKNOWN_CALENDAR;
use crate::roles::user::api::{Busy, Period};
use crate::roles::user::schema::{calendar_months, calendars, users};
use crate::roles::user::store::{Store, check_admission, lock_user};
use crate::transact;

/// Addresses in one query.
const CHUNK: usize = 1000;

/// A stored calendar.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = calendars)]
pub struct Row {
    pub id: String,
    pub email: String,
    pub name: String,
    pub kind: String,
    pub url: String,
    pub content: String,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub refreshed_at: Option<DateTime>,
    pub error: Option<String>,
    pub warnings: String,
    pub failures: i32,
    pub periods: i32,
    pub known_until: DateTime,
    pub time_zones: String,
    pub due_at: Option<DateTime>,
    pub updated_at: DateTime,
}

/// A calendar without its text.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = calendars)]
pub struct Entry {
    pub name: String,
    pub url: String,
    pub refreshed_at: Option<DateTime>,
    pub error: Option<String>,
    pub warnings: String,
    pub periods: i32,
    pub known_until: DateTime,
}

/// Replaces the stored months of a calendar. The caller holds the lock of the calendar.
pub async fn replace_months(
    conn: &mut Connection,
    email: &str,
    id: &str,
    months: &BTreeMap<i32, BusyMonth>,
) -> Result<(), Error> {
    diesel::delete(calendar_months::table.filter(calendar_months::calendar_id.eq(id))).execute(conn).await?;
    for (month, busy) in months {
        let row = (
            calendar_months::email.eq(email),
            calendar_months::month.eq(month),
            calendar_months::calendar_id.eq(id),
            calendar_months::fixed.eq(&busy.fixed),
            calendar_months::floating.eq(&busy.floating),
        );
        diesel::insert_into(calendar_months::table).values(row).execute(conn).await?;
    }
    Ok(())
}

/// Deletes a calendar and its busy time; `false` if there is none of this name.
async fn remove(conn: &mut Connection, email: &Email, name: &str) -> Result<bool, Error> {
    let mine = calendars::table.filter(calendars::email.eq(email.as_str())).filter(calendars::name.eq(name));
    let deleted: Vec<String> = diesel::delete(mine).returning(calendars::id).load(conn).await?;
    let months = calendar_months::table.filter(calendar_months::calendar_id.eq_any(&deleted));
    diesel::delete(months).execute(conn).await?;
    Ok(!deleted.is_empty())
}

/// Deletes all calendars of an account that is being deleted.
pub async fn erase_calendars(conn: &mut Connection, email: &Email) -> Result<(), Error> {
    diesel::delete(calendars::table.filter(calendars::email.eq(email.as_str()))).execute(conn).await?;
    diesel::delete(calendar_months::table.filter(calendar_months::email.eq(email.as_str()))).execute(conn).await?;
    Ok(())
}

/// The subscription that a job is to refresh, if it still exists.
pub async fn find_subscription(conn: &mut Connection, id: Uuid) -> Result<Option<CalendarSubscription>, Error> {
    let mine = calendars::table.filter(calendars::id.eq(id.to_string())).filter(calendars::url.ne(""));
    let mine = mine.select((calendars::url, calendars::etag, calendars::last_modified));
    let found: Option<(String, Option<String>, Option<String>)> = mine.first(conn).await.optional()?;
    let subscription =
        |(url, etag, last_modified)| CalendarSubscription { url, seen: Validators { etag, last_modified } };
    Ok(found.map(subscription))
}

/// A calendar in a request.
pub enum CalendarInput {
    File { text: String, import: Import },
    Url(String),
}

impl Row {
    /// The owner of the calendar.
    pub fn owner(&self) -> Result<Email, Error> {
        Email::parse(&self.email).map_err(|_| Error::Corrupt(format!("calendar {}", self.id)))
    }

    /// The row of a new calendar.
    fn new(email: &Email, name: &str, input: &CalendarInput, now: Timestamp) -> Row {
        let (kind, url, content, import) = match input {
            CalendarInput::File { text, import } => ("file", "", text.as_str(), Some(import)),
            CalendarInput::Url(url) => ("url", url.as_str(), "", None),
        };
        Row {
            id: Uuid::now_v7().to_string(),
            email: email.to_string(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            url: url.to_owned(),
            content: content.to_owned(),
            etag: None,
            last_modified: None,
            refreshed_at: import.map(|_| stored(now)),
            error: None,
            warnings: import.map_or_else(|| "[]".to_owned(), Import::warnings_json),
            failures: 0,
            periods: import.map_or(0, |import| import.periods),
            known_until: stored(import.map_or(now, |import| import.known_until)),
            time_zones: time_zone_fingerprint().to_owned(),
            due_at: (kind == "url").then(|| stored(now)),
            updated_at: stored(now),
        }
    }
}

impl Store {
    /// Stores a calendar under its name, and replaces the one of this name. Returns whether it is new.
    pub async fn put_calendar(
        &self,
        caller: Option<&Caller>,
        email: &Email,
        name: &str,
        input: &CalendarInput,
    ) -> Result<(Entry, bool), Abort> {
        let row = Row::new(email, name, input, now());
        let none = BTreeMap::new();
        let months = if let CalendarInput::File { import, .. } = input { &import.months } else { &none };
        let stored = transact!(self.owner.db, |conn| {
            // a concurrent deletion of the user waits, and then deletes the calendar too
            if lock_user(conn, email.as_str()).await?.is_none() {
                return Err(Abort::Rejected(Problem::unknown_user(email.as_str())));
            }
            check_admission(conn, caller).await?;
            let is_new = !remove(conn, email, name).await?;
            let mine = calendars::table.filter(calendars::email.eq(email.as_str()));
            let others: i64 = mine.count().get_result(conn).await?;
            if others >= self.calendars.per_user {
                let detail = format!("the user has {others} calendars already: delete one first");
                return Err(Abort::Rejected(Problem::validation(vec![Fault::new("#", "too_many_calendars", detail)])));
            }
            diesel::insert_into(calendars::table).values(&row).execute(conn).await?;
            replace_months(conn, &row.email, &row.id, months).await?;
            let mine = calendars::table.filter(calendars::id.eq(&row.id)).select(columns::<Entry>());
            Ok::<_, Abort>((mine.first(conn).await?, is_new))
        })?;
        if matches!(input, CalendarInput::Url(_)) {
            self.calendar_added.notify_one();
        }
        Ok(stored)
    }

    /// All calendars of a user, by name; `None` if there is no such user.
    pub async fn calendars_of(&self, email: &Email) -> Result<Option<Vec<Entry>>, Error> {
        let all = users::table.left_join(calendars::table.on(calendars::email.eq(users::email)));
        let all = all.filter(users::email.eq(email.as_str())).order(calendars::name.asc());
        let all = all.select((users::email, columns::<Entry>().nullable()));
        let rows: Vec<(String, Option<Entry>)> = self.owner.db.fetch_all(all).await?;
        Ok((!rows.is_empty()).then(|| rows.into_iter().filter_map(|(_, entry)| entry).collect()))
    }

    /// Deletes a calendar and its busy time.
    pub async fn delete_calendar(&self, email: &Email, name: &str) -> Result<(), Abort> {
        transact!(self.owner.db, |conn| {
            match remove(conn, email, name).await? {
                true => Ok(()),
                false => Err(Abort::Rejected(unknown(email, name))),
            }
        })
    }

    /// The busy periods of these users by their imported calendars, within a period: one query per thousand users.
    pub async fn imported(&self, emails: &[&str], period: Period) -> Result<Vec<Busy>, Error> {
        let (from, to) = (period.start.as_second(), period.end.as_second());
        // a wall clock is a day from UTC at most
        let months = (month_number(from - SECONDS_PER_DAY), month_number(to + SECONDS_PER_DAY));
        let mut found: HashMap<String, Vec<BusyPeriod>> = HashMap::new();
        let mut zones: HashMap<String, ZoneRules> = HashMap::new();
        for chunk in emails.chunks(CHUNK) {
            let busy = calendar_months::table
                .inner_join(users::table.on(users::email.eq(calendar_months::email)))
                .filter(calendar_months::email.eq_any(chunk))
                .filter(calendar_months::month.between(months.0, months.1))
                .select((
                    users::email,
                    users::time_zone,
                    calendar_months::month,
                    calendar_months::fixed,
                    calendar_months::floating,
                ));
            let rows: Vec<BusyMonthRow> = self.owner.db.fetch_all(busy).await?;
            for (email, zone, month, fixed, floating) in rows {
                let rules = match zones.get(&zone) {
                    Some(rules) => rules,
                    None => {
                        let parsed =
                            Zone::parse(&zone).map_err(|_| Error::Corrupt(format!("the time_zone of {email}")))?;
                        zones.entry(zone).or_insert_with(|| ZoneRules::of_zone(&parsed))
                    }
                };
                let to_instants =
                    |span: BusyPeriod| BusyPeriod { start: rules.instant(span.start), end: rules.instant(span.end) };
                let spans = unpack_month(month, &fixed).chain(unpack_month(month, &floating).map(to_instants));
                let within = spans.filter(|span| span.start < to && span.end > from);
                found.entry(email).or_default().extend(within);
            }
        }
        let mut busy = Vec::new();
        for (email, spans) in found {
            let corrupt = || Error::Corrupt(format!("a busy period of {email}"));
            let address = Email::parse(&email).map_err(|_| corrupt())?;
            for span in merge_periods(spans) {
                let at = |second: i64| Timestamp::from_second(second).map_err(|_| corrupt());
                busy.push(Busy { email: address.clone(), start: at(span.start)?, end: at(span.end)? });
            }
        }
        Ok(busy)
    }
}

/// Address, time zone, month, and its fixed and floating busy time.
type BusyMonthRow = (String, String, i32, Vec<u8>, Vec<u8>);

/// The problem of an unknown calendar.
pub fn unknown(email: &Email, name: &str) -> Problem {
    Problem::new(UNKNOWN_CALENDAR, format!("{email} has no calendar named {name}"))
}
