//! Holds: the time that meetings have taken from their required attendees, by quarter-hours. The primary key of the table refuses two
//! meetings at one time.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use jiff::Timestamp;
use uuid::Uuid;

use super::api::meetings::Period;
use super::schema::{attendees, holds, subjects};
use super::store::Store;
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, exclusive};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::read;
use crate::roles::reservation::api::problems::{BUSY, SLOT_TAKEN};
use crate::roles::user::api::Busy;

/// Seconds in a quarter-hour.
const QUARTER: i64 = 900;
/// Addresses in one query.
const CHUNK: usize = 1000;

const HOLD_PERIOD: &str = "WITH RECURSIVE quarters (quarter) AS \
    (SELECT CAST($1 AS BIGINT) UNION ALL SELECT quarter + 1 FROM quarters WHERE quarter + 1 < $2) \
    INSERT INTO holds (subject, quarter, meeting_id) SELECT attendees.subject, quarters.quarter, attendees.meeting_id \
    FROM attendees CROSS JOIN quarters WHERE attendees.meeting_id = $3 AND attendees.holds_time AND NOT EXISTS \
    (SELECT 1 FROM holds WHERE holds.subject = attendees.subject AND holds.meeting_id = attendees.meeting_id)";

/// The first quarter-hour of a period, and the one after the last.
fn quarters(period: Period) -> (i64, i64) {
    let end = period.end.as_second() + i64::from(period.end.subsec_nanosecond() > 0);
    (quarter_at(period.start), (end + QUARTER - 1).div_euclid(QUARTER))
}

/// The quarter-hour of an instant.
pub fn quarter_at(instant: Timestamp) -> i64 {
    instant.as_second().div_euclid(QUARTER)
}

/// Frees all time that a meeting holds.
pub async fn release_meeting(conn: &mut Connection, meeting: &str) -> Result<(), Error> {
    diesel::delete(holds::table.filter(holds::meeting_id.eq(meeting))).execute(conn).await?;
    Ok(())
}

/// Frees the time of the attendees of a meeting whose time it no longer holds.
pub async fn release_attendees(conn: &mut Connection, meeting: &str) -> Result<(), Error> {
    let held = attendees::table.filter(attendees::meeting_id.eq(meeting)).filter(attendees::holds_time.eq(true));
    let mine = holds::table.filter(holds::meeting_id.eq(meeting));
    diesel::delete(mine.filter(holds::subject.ne_all(held.select(attendees::subject)))).execute(conn).await?;
    Ok(())
}

/// Holds the period of a meeting for all attendees whose time it holds; keeps the holds that are there.
///
/// # Errors
/// A period that another meeting holds.
pub async fn hold_period(conn: &mut Connection, meeting: &str, period: Period) -> Result<(), Abort> {
    let held = attendees::table.filter(attendees::meeting_id.eq(meeting)).filter(attendees::holds_time.eq(true));
    let held = subjects::table.filter(subjects::id.eq_any(held.select(attendees::subject)));
    // in one order, so that two transactions never wait for each other
    exclusive(held.order(subjects::id).select(subjects::id)).load::<String>(conn).await?;
    let (first, end) = quarters(period);
    let query = diesel::sql_query(HOLD_PERIOD);
    let query = query.bind::<BigInt, _>(first).bind::<BigInt, _>(end).bind::<Text, _>(meeting);
    match query.execute(conn).await.map_err(Error::from) {
        Ok(_) => Ok(()),
        Err(Error::Exists(_)) => {
            let detail = BUSY;
            Err(Abort::Rejected(Problem::new(SLOT_TAKEN, detail)))
        }
        Err(error) => Err(Abort::Database(error)),
    }
}

impl Store {
    /// The time that meetings, except one, hold of these people, within a period.
    pub async fn held_time(&self, emails: &[&str], period: Period, except: Option<Uuid>) -> Result<Vec<Busy>, Error> {
        let (first, end) = quarters(period);
        let except = except.map(|id| id.to_string()).unwrap_or_default();
        let mut found = Vec::new();
        for chunk in emails.chunks(CHUNK) {
            // Two queries instead of a join: PostgreSQL plans a join while the tables are small, keeps the plan of a prepared statement,
            // and would read all holds each time when there are many.
            let people: HashMap<String, String> = read!(self.owner.db, |conn| subjects::table
                .filter(subjects::email.eq_any(chunk))
                .select((subjects::id, subjects::email))
                .load(conn))?
            .into_iter()
            .collect();
            if people.is_empty() {
                continue;
            }
            // the quarters that a meeting holds of one person are contiguous
            let rows: Vec<(String, Option<i64>, Option<i64>)> = read!(self.owner.db, |conn| holds::table
                .filter(holds::subject.eq_any(people.keys()))
                .filter(holds::quarter.ge(first))
                .filter(holds::quarter.lt(end))
                .filter(holds::meeting_id.ne(&except))
                .group_by((holds::subject, holds::meeting_id))
                .select((holds::subject, diesel::dsl::min(holds::quarter), diesel::dsl::max(holds::quarter)))
                .load(conn))?;
            for (subject, first, last) in rows {
                let Some(email) = people.get(&subject) else { continue };
                let wrong = || Error::Corrupt(format!("a hold of {email}"));
                let instant = |quarter: i64| Timestamp::from_second(quarter * QUARTER).map_err(|_| wrong());
                found.push(Busy {
                    email: Email::parse(email).map_err(|_| wrong())?,
                    start: instant(first.ok_or_else(wrong)?)?,
                    end: instant(last.ok_or_else(wrong)? + 1)?,
                });
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::quarters;
    use crate::roles::reservation::api::meetings::Period;

    #[test]
    fn a_period_holds_every_quarter_hour_that_it_touches() {
        let of = |start: &str, end: &str| -> Option<(i64, i64)> {
            let at = |time: &str| format!("1970-01-01T{time}Z").parse().ok();
            Some(quarters(Period { start: at(start)?, end: at(end)? }))
        };
        assert_eq!(of("00:00:00", "01:00:00"), Some((0, 4)));
        assert_eq!(of("00:15:00", "00:30:00"), Some((1, 2)));
        assert_eq!(of("00:14:59", "00:30:00.5"), Some((0, 3)));
    }
}
