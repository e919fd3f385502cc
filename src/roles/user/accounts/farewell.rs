//! Deleting an account, and everything that is kept of it.
//!
//! What has been, or is called off, is the others' past too: it stays, without the address. Where nobody else is left, it goes.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::User;
use super::store::{Row, Users, fact, hold_epoch};
use crate::platform::data::instant::now;
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::auth::sessions::end_sessions;
use crate::roles::user::calendars::store::forget_calendars;
use crate::roles::user::jobs::model::{INVITE, OPEN, State, WEBHOOK};
use crate::roles::user::mailbox::store::forget_mailbox;
use crate::roles::user::meetings::forgetting::NOWHERE;
use crate::roles::user::meetings::rows::{hold_meeting, put_meeting};
use crate::roles::user::outbox::post;
use crate::roles::user::schema::{
    attendees, busy, cache_epoch, credentials, deliveries, idempotency, jobs, meetings, sign_in_failures, users,
};
use crate::roles::user::store::Stop;
use crate::{read, transact};

/// Meetings of the past in one transaction.
const CHUNK: usize = 100;

/// Writes down that a meeting does not know somebody any more, within a transaction that holds it.
macro_rules! put_forgotten {
    ($conn:ident, $meeting:expr, $email:expr) => {{
        let (id, (meeting, others)) = ($meeting.id.to_string(), $meeting.forgetting($email));
        let mine = attendees::table.filter(attendees::meeting_id.eq(&id));
        let theirs: Vec<String> = jobs::table.filter(jobs::meeting_id.eq(&id)).select(jobs::id).load($conn).await?;
        empty_jobs!($conn, &theirs);
        diesel::delete(busy::table.filter(busy::meeting_id.eq(&id)).filter(busy::email.eq($email.as_str())))
            .execute($conn)
            .await?;
        // a job without its meeting is nobody's
        let open = jobs::table.filter(jobs::meeting_id.eq(&id)).filter(jobs::state.eq_any(OPEN));
        match others || open.count().get_result::<i64>($conn).await? > 0 {
            true => {
                let nobody = attendees::email.like(format!("%@{NOWHERE}")).or(attendees::email.eq($email.as_str()));
                diesel::delete(mine.filter(nobody)).execute($conn).await?;
                let document = serde_json::to_string(&meeting).unwrap_or_default();
                diesel::update(meetings::table.filter(meetings::id.eq(&id)))
                    .set((meetings::document.eq(document), meetings::organizer.eq(meeting.organizer.as_str())))
                    .execute($conn)
                    .await?;
            }
            false => {
                diesel::delete(mine).execute($conn).await?;
                diesel::delete(jobs::table.filter(jobs::meeting_id.eq(&id))).execute($conn).await?;
                diesel::delete(deliveries::table.filter(deliveries::meeting_id.eq(&id))).execute($conn).await?;
                diesel::delete(meetings::table.filter(meetings::id.eq(&id))).execute($conn).await?;
            }
        }
    }};
}

/// Takes out of jobs that are over what they were made of; those that are open may still have to tell others that it is off. The
/// rows stay, for messages about them may be on their way.
macro_rules! empty_jobs {
    ($conn:ident, $ids:expr) => {{
        let over = || jobs::table.filter(jobs::id.eq_any($ids)).filter(jobs::state.ne_all(OPEN));
        // nobody can take up again what is empty
        let replayed = jobs::kind.eq(WEBHOOK).or(jobs::kind.eq(INVITE).and(jobs::state.eq(State::Dead.name())));
        diesel::update(over().filter(replayed)).set(jobs::state.eq(State::Cancelled.name())).execute($conn).await?;
        diesel::update(over()).set((jobs::payload.eq("{}"), jobs::errors.eq("[]"))).execute($conn).await?;
    }};
}

/// The meetings of somebody, in the order in which everybody holds them.
macro_rules! meetings_of {
    ($email:expr) => {{
        let attended = attendees::table.filter(attendees::email.eq($email.as_str())).select(attendees::meeting_id);
        let mine = meetings::organizer.eq($email.as_str()).or(meetings::id.eq_any(attended));
        meetings::table.filter(mine).order(meetings::id.asc()).select(meetings::id)
    }};
}

impl Users {
    /// Has meetings of the past forget a user who is about to be deleted. They may be many, so not all in one transaction; and
    /// should only some be reached, asking again does the rest.
    pub async fn leave_the_past(&self, email: &Email) -> Result<(), Stop> {
        let now = now();
        let theirs: Vec<String> = read!(self.store.db, |conn| meetings_of!(email).load(conn))?;
        for chunk in theirs.chunks(CHUNK) {
            transact!(self.store.db, |conn| {
                for id in chunk {
                    let held = hold_meeting!(self.store.db, conn, id);
                    if let Some(meeting) = held.filter(|meeting| meeting.is_past(now)) {
                        put_forgotten!(conn, meeting, email);
                    }
                }
                Ok::<(), Stop>(())
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
    ) -> Result<((), i64), Stop> {
        let kept = format!("%\"{}\"%", email.as_str().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        transact!(self.store.db, |conn| {
            let epoch = hold_epoch!(self.store.db, conn, barred);
            let theirs: Vec<String> = meetings_of!(email).load(conn).await?;
            // all of them before any is changed: whoever changes a meeting holds it before the people's time
            let mut held = Vec::new();
            for id in theirs {
                held.extend(hold_meeting!(self.store.db, conn, id));
            }
            for before in held {
                let after = match before.clone().left_by(email, now()) {
                    Some(mut change) => {
                        // letters name them, for else calendars would not believe it; whoever else hears of it needs no name
                        change.meeting = change.meeting.forgetting(email).0;
                        put_meeting!(self.store, conn, Some(&before), &change);
                        change.meeting
                    }
                    None => before,
                };
                put_forgotten!(conn, after, email);
            }
            let mine = users::table.filter(users::email.eq(email.as_str()));
            let gone: Option<Row> =
                diesel::delete(mine).returning(Row::as_returning()).get_result(conn).await.optional()?;
            let user = User::try_from(gone.ok_or_else(|| Stop::Refused(Problem::unknown_user(email.as_str())))?)?;
            guard(user.version).map_err(Stop::Refused)?;
            // after their user, whom everybody holds who brings a calendar
            forget_calendars!(conn, email);
            forget_mailbox!(conn, email, user.id);
            let id = user.id.to_string();
            end_sessions!(conn, &id);
            diesel::delete(credentials::table.filter(credentials::user_id.eq(&id))).execute(conn).await?;
            let failed = sign_in_failures::table.filter(sign_in_failures::email.eq(email.as_str()));
            diesel::delete(failed).execute(conn).await?;
            let told = deliveries::table.filter(deliveries::target.eq(email.as_str()));
            let by: Vec<String> = told.select(deliveries::job_id).load(conn).await?;
            empty_jobs!(conn, &by);
            diesel::delete(told).execute(conn).await?;
            // answers that name them, and those to what they have asked for
            let named = idempotency::body.like(&kept).escape('\\').or(idempotency::key.like(format!("{id} %")));
            diesel::delete(idempotency::table.filter(named)).execute(conn).await?;
            post!(conn, &[fact(&User { version: user.version + 1, ..user }, "deleted")]);
            Ok::<_, Stop>(((), epoch))
        })
    }
}
