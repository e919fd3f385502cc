//! Deleting an account, and everything that is kept of it.
//!
//! Past and cancelled meetings are kept for the other attendees, with this address anonymised. A meeting with no remaining real person
//! is deleted.

use diesel::prelude::*;
use uuid::Uuid;

use super::model::User;
use super::store::{Row, Users, event, lock_epoch};
use crate::platform::data::Abort;
use crate::platform::data::instant::now;
use crate::platform::data::outbox::enqueue;
use crate::platform::data::schema::{deliveries, idempotency, jobs};
use crate::platform::data::{Connection, Error, RunQueryDsl, columns};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::jobs::model::OPEN;
use crate::platform::jobs::rows::scrub_jobs;
use crate::roles::user::auth::sessions::end_sessions;
use crate::roles::user::calendars::store::erase_calendars;
use crate::roles::user::mailbox::store::erase_mailbox;
use crate::roles::user::meetings::anonymize::ANONYMOUS_DOMAIN;
use crate::roles::user::meetings::model::Meeting;
use crate::roles::user::meetings::rows::{lock_meeting, save_change};
use crate::roles::user::schema::{attendees, busy, credentials, meetings, sign_in_failures, users};
use crate::{read, transact};

/// Past meetings in one transaction.
const CHUNK: usize = 100;

/// Erases an address from a meeting that the caller has locked, and from its jobs.
async fn erase_attendee(conn: &mut Connection, meeting: Meeting, email: &Email) -> Result<(), Error> {
    let (id, (meeting, remains)) = (meeting.id.to_string(), meeting.anonymized(email));
    let mine = attendees::table.filter(attendees::meeting_id.eq(&id));
    let theirs: Vec<String> = jobs::table.filter(jobs::subject.eq(&id)).select(jobs::id).load(conn).await?;
    scrub_jobs(conn, &theirs).await?;
    // saved responses about the meeting name its attendees
    diesel::delete(idempotency::table.filter(idempotency::subject.eq(&id))).execute(conn).await?;
    let held = busy::table.filter(busy::meeting_id.eq(&id)).filter(busy::email.eq(email.as_str()));
    diesel::delete(held).execute(conn).await?;
    // a job needs its meeting
    let open = jobs::table.filter(jobs::subject.eq(&id)).filter(jobs::state.eq_any(OPEN));
    if remains || open.count().get_result::<i64>(conn).await? > 0 {
        let anonymous = attendees::email.like(format!("%@{ANONYMOUS_DOMAIN}")).or(attendees::email.eq(email.as_str()));
        diesel::delete(mine.filter(anonymous)).execute(conn).await?;
        let document = serde_json::to_string(&meeting).unwrap_or_default();
        let erased = (meetings::document.eq(document), meetings::organizer.eq(meeting.organizer.as_str()));
        diesel::update(meetings::table.filter(meetings::id.eq(&id))).set(erased).execute(conn).await?;
    } else {
        diesel::delete(mine).execute(conn).await?;
        diesel::delete(jobs::table.filter(jobs::subject.eq(&id))).execute(conn).await?;
        diesel::delete(deliveries::table.filter(deliveries::subject.eq(&id))).execute(conn).await?;
        diesel::delete(meetings::table.filter(meetings::id.eq(&id))).execute(conn).await?;
    }
    Ok(())
}

/// The ids of the meetings of a user, in the order in which every transaction locks them.
async fn meetings_of(conn: &mut Connection, email: &Email) -> Result<Vec<Uuid>, Error> {
    let attended = attendees::table.filter(attendees::email.eq(email.as_str())).select(attendees::meeting_id);
    let mine = meetings::organizer.eq(email.as_str()).or(meetings::id.eq_any(attended));
    let ids: Vec<String> =
        meetings::table.filter(mine).order(meetings::id.asc()).select(meetings::id).load(conn).await?;
    ids.iter().map(|id| id.parse().map_err(|_| Error::Corrupt(format!("meeting {id}")))).collect()
}

impl Users {
    /// Has meetings of the past forget a user who is about to be deleted. They may be many, so not all in one transaction; and
    /// should only some be reached, asking again does the rest.
    pub async fn anonymize_past_meetings(&self, email: &Email) -> Result<(), Abort> {
        let now = now();
        let theirs: Vec<Uuid> = read!(self.store.owner.db, |conn| meetings_of(conn, email))?;
        for chunk in theirs.chunks(CHUNK) {
            transact!(self.store.owner.db, |conn| {
                for id in chunk {
                    let held = lock_meeting(conn, *id).await?;
                    if let Some(meeting) = held.filter(|meeting| meeting.is_past(now)) {
                        erase_attendee(conn, meeting, email).await?;
                    }
                }
                Ok::<(), Abort>(())
            })?;
        }
        Ok(())
    }

    /// Deletes a user whose version `guard` lets go. Meetings that cannot be without them are called off, others go on.
    pub async fn delete(
        &self,
        email: &Email,
        barred: Option<i64>,
        guard: impl Fn(i64) -> Result<(), Problem> + Send + Sync,
    ) -> Result<((), i64), Abort> {
        transact!(self.store.owner.db, |conn| {
            let epoch = lock_epoch(conn, barred).await?;
            let theirs: Vec<Uuid> = meetings_of(conn, email).await?;
            // lock all meetings before the first change: every transaction locks a meeting before the time of its attendees
            let mut held = Vec::new();
            for id in theirs {
                held.extend(lock_meeting(conn, id).await?);
            }
            for before in held {
                let after = match before.clone().without_attendee(email, now()) {
                    Some(mut change) => {
                        // letters name them, for else calendars would not believe it; whoever else hears of it needs no name
                        change.meeting = change.meeting.anonymized(email).0;
                        save_change(conn, &self.store.owner, Some(&before), &change).await?;
                        change.meeting
                    }
                    None => before,
                };
                erase_attendee(conn, after, email).await?;
            }
            let mine = users::table.filter(users::email.eq(email.as_str()));
            let gone: Option<Row> =
                diesel::delete(mine).returning(columns::<Row>()).get_result(conn).await.optional()?;
            let user = User::try_from(gone.ok_or_else(|| Abort::Rejected(Problem::unknown_user(email.as_str())))?)?;
            guard(user.version).map_err(Abort::Rejected)?;
            // after their user, whom everybody holds who brings a calendar
            erase_calendars(conn, email).await?;
            erase_mailbox(conn, email, user.id).await?;
            let id = user.id.to_string();
            end_sessions(conn, &id, "").await?;
            diesel::delete(credentials::table.filter(credentials::user_id.eq(&id))).execute(conn).await?;
            let failed = sign_in_failures::table.filter(sign_in_failures::email.eq(email.as_str()));
            diesel::delete(failed).execute(conn).await?;
            let told = deliveries::table.filter(deliveries::target.eq(email.as_str()));
            let by: Vec<String> = told.select(deliveries::job_id).load(conn).await?;
            scrub_jobs(conn, &by).await?;
            diesel::delete(told).execute(conn).await?;
            // responses about them, and those to their own requests
            let named = idempotency::subject.eq(email.as_str()).or(idempotency::key.like(format!("{id} %")));
            diesel::delete(idempotency::table.filter(named)).execute(conn).await?;
            let gone = User { version: user.version + 1, ..user };
            enqueue(conn, &[event(&gone, "deleted")]).await?;
            Ok::<_, Abort>(((), epoch))
        })
    }
}
