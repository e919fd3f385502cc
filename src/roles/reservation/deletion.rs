//! What becomes of the meetings of a user who was deleted, and of the webhooks of one whose owner has taken the account over.
//!
//! Past and cancelled meetings are kept for the other attendees, with this address anonymised. A meeting with no remaining real person
//! is deleted. Meetings that cannot be without the user are cancelled, others go on.

use diesel::prelude::*;
use jiff::Timestamp;
use jiff_diesel::DateTime;
use serde::Deserialize;
use uuid::Uuid;

use super::actors::{erase_actor, find_meetings_of_actor};
use super::jobs::kinds::{DELIVER_WEBHOOK, SEND_INVITATIONS};
use super::meetings::anonymize::without;
use super::meetings::model::Meeting;
use super::meetings::rows::{lock_meeting, save_change};
use super::schema::{attendees, former_attendees, holds, meetings};
use super::store::Store;
use super::subjects::{delete_subject, mark_deleted};
use super::webhooks::store::{delete_events, erase_account_webhooks, rewrite_event_bodies};
use crate::platform::data::instant::now;
use crate::platform::data::schema::{deliveries, idempotency, jobs};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl};
use crate::platform::email::Email;
use crate::platform::jobs::model::{JobState, OPEN};
use crate::platform::jobs::rows::scrub_jobs;
use crate::platform::queue::event::Event;
use crate::platform::subscriptions::Subscriber;
use crate::{read, transact};

/// Past meetings in one transaction.
const CHUNK: usize = 100;

/// The owner of a mailbox has taken over an account that another person has registered.
const CLAIMED: &str = "user.claimed";

/// The data of `user.deleted`, and of [`CLAIMED`].
#[derive(Deserialize)]
struct DeletedUser {
    id: Uuid,
    email: Email,
}

impl DeletedUser {
    fn read(event: &Event) -> Result<DeletedUser, Abort> {
        DeletedUser::deserialize(&event.data)
            .map_err(|why| Abort::Database(Error::Corrupt(format!("the event {}: {why}", event.id))))
    }
}

impl Subscriber for Store {
    /// The mark comes first: no meeting gets the user after it, and [`Subscriber::receive`] finds every one that has. Past meetings
    /// may be many, so not all are changed in one transaction.
    async fn prepare(&self, event: &Event) -> Result<(), Abort> {
        let user = DeletedUser::read(event)?;
        if event.name() == CLAIMED {
            return Ok(());
        }
        self.mark_actor_deleted(&user.id.to_string()).await?;
        transact!(self.owner.db, |conn| { mark_deleted(conn, &user.id.to_string(), user.email.as_str()).await })?;
        let ids = read!(self.owner.db, |conn| find_meetings(conn, user.id))?;
        for chunk in ids.chunks(CHUNK) {
            transact!(self.owner.db, |conn| {
                for id in chunk {
                    let meeting = lock_meeting(conn, *id).await?;
                    if let Some(meeting) = meeting.filter(|meeting| meeting.is_past(now())) {
                        erase_attendee(conn, meeting, &user, &Email::placeholder()).await?;
                    }
                }
                Ok::<(), Abort>(())
            })?;
        }
        Ok(())
    }

    async fn receive(&self, conn: &mut Connection, event: &Event) -> Result<(), Abort> {
        let user = DeletedUser::read(event)?;
        if event.name() == CLAIMED {
            return Ok(erase_account_webhooks(conn, &user.id.to_string(), event.time).await?);
        }
        erase_user(conn, self, &user).await
    }
}

async fn erase_user(conn: &mut Connection, store: &Store, user: &DeletedUser) -> Result<(), Abort> {
    // all meetings are locked before the first change: every transaction locks a meeting before its attendees
    let mut locked = Vec::new();
    for id in find_meetings(conn, user.id).await? {
        locked.extend(lock_meeting(conn, id).await?);
    }
    erase_account_webhooks(conn, &user.id.to_string(), Timestamp::MAX).await?;
    for before in locked {
        let placeholder = Email::placeholder();
        // a bot is named by meetings that it does not attend
        let attended = before.has_attendee(&user.email).then(|| before.clone().changed_by(None));
        let after = match attended.and_then(|meeting| meeting.without_attendee(&user.email, now())) {
            Some(mut change) => {
                // cancellations name the user, or calendars ignore them; nothing else does
                change.meeting = change.meeting.anonymized(&user.email, &placeholder).0;
                save_change(conn, store, Some(&before), &change).await?;
                change.meeting
            }
            None => before,
        };
        erase_attendee(conn, after, user, &placeholder).await?;
    }
    delete_subject(conn, &user.id.to_string()).await?;
    erase_mentions(conn, user).await
}

/// The ids of the meetings that a user attends or has attended, or that name the user as a bot, in the order in which every transaction locks them.
async fn find_meetings(conn: &mut Connection, user: Uuid) -> Result<Vec<Uuid>, Error> {
    let mine = attendees::table.filter(attendees::subject.eq(user.to_string())).order(attendees::meeting_id.asc());
    let mut ids: Vec<String> = mine.select(attendees::meeting_id).load(conn).await?;
    let former = former_attendees::table.filter(former_attendees::subject.eq(user.to_string()));
    ids.extend(former.select(former_attendees::meeting_id).load::<String>(conn).await?);
    ids.extend(find_meetings_of_actor(conn, &user.to_string()).await?);
    ids.sort();
    ids.dedup();
    ids.iter().map(|id| id.parse().map_err(|_| Error::Corrupt(format!("meeting {id}")))).collect()
}

/// Erases a user from a meeting that the caller has locked, and from its jobs.
async fn erase_attendee(
    conn: &mut Connection,
    meeting: Meeting,
    user: &DeletedUser,
    placeholder: &Email,
) -> Result<(), Error> {
    // the caller may have anonymized the meeting already
    let is_organizer = [&user.email, placeholder].contains(&&meeting.organizer);
    let (id, (meeting, remains)) = (meeting.id.to_string(), meeting.anonymized(&user.email, placeholder));
    let subject = user.id.to_string();
    erase_from_open_jobs(conn, &meeting, user, placeholder).await?;
    erase_actor(conn, &id, &subject).await?;
    rewrite_event_bodies(conn, &id, |body| without(body, user.email.as_str(), placeholder.as_str())).await?;
    let jobs_of_it: Vec<String> = jobs::table.filter(jobs::subject.eq(&id)).select(jobs::id).load(conn).await?;
    scrub_jobs(conn, &jobs_of_it).await?;
    if is_organizer {
        // the target is the callback URL, which belonged to the organizer
        let sent = deliveries::table.filter(deliveries::subject.eq(&id));
        diesel::delete(sent.filter(deliveries::kind.eq(DELIVER_WEBHOOK.name))).execute(conn).await?;
    }
    let former = || former_attendees::table.filter(former_attendees::meeting_id.eq(&id));
    diesel::delete(former().filter(former_attendees::subject.eq(&subject))).execute(conn).await?;
    // saved responses about the meeting name its attendees
    diesel::delete(idempotency::table.filter(idempotency::subject.eq(&id))).execute(conn).await?;
    let held = holds::table.filter(holds::meeting_id.eq(&id)).filter(holds::subject.eq(&subject));
    diesel::delete(held).execute(conn).await?;
    let others = attendees::table.filter(attendees::meeting_id.eq(&id));
    // a job needs its meeting
    let open = jobs::table.filter(jobs::subject.eq(&id)).filter(jobs::state.eq_any(OPEN));
    if remains || open.count().get_result::<i64>(conn).await? > 0 {
        diesel::delete(others.filter(attendees::subject.eq(&subject))).execute(conn).await?;
        let mine = meetings::table.filter(meetings::id.eq(&id));
        let document = meetings::document.eq(serde_json::to_string(&meeting).unwrap_or_default());
        diesel::update(mine).set(document).execute(conn).await?;
        let organized = meetings::table.filter(meetings::id.eq(&id)).filter(meetings::organizer.eq(&subject));
        diesel::update(organized).set(meetings::organizer.eq("")).execute(conn).await?;
    } else {
        diesel::delete(others).execute(conn).await?;
        diesel::delete(jobs::table.filter(jobs::subject.eq(&id))).execute(conn).await?;
        diesel::delete(deliveries::table.filter(deliveries::subject.eq(&id))).execute(conn).await?;
        delete_events(conn, &id).await?;
        diesel::delete(former()).execute(conn).await?;
        diesel::delete(meetings::table.filter(meetings::id.eq(&id))).execute(conn).await?;
    }
    Ok(())
}

/// Erases a user from the jobs of a meeting that are still open. Only cancellations name the user until they are sent or given up: calendars
/// ignore a cancellation by another organizer. A webhook whose callback belonged to the user is cancelled.
async fn erase_from_open_jobs(
    conn: &mut Connection,
    meeting: &Meeting,
    user: &DeletedUser,
    placeholder: &Email,
) -> Result<(), Error> {
    let open = jobs::table.filter(jobs::subject.eq(meeting.id.to_string())).filter(jobs::state.eq_any(OPEN));
    let rows: Vec<(String, String, bool, String, String)> =
        open.select((jobs::id, jobs::kind, jobs::supersedable, jobs::payload, jobs::errors)).load(conn).await?;
    let erased = |text: &str| without(text, user.email.as_str(), placeholder.as_str());
    for (id, kind, supersedable, payload, errors) in rows {
        let mine = jobs::table.filter(jobs::id.eq(&id));
        if kind == DELIVER_WEBHOOK.name && meeting.callback.is_none() {
            let over = (jobs::state.eq(JobState::Cancelled.name()), jobs::due_at.eq(None::<DateTime>));
            diesel::update(mine).set((over, jobs::payload.eq("{}"), jobs::errors.eq("[]"))).execute(conn).await?;
            continue;
        }
        let is_cancellation = kind == SEND_INVITATIONS.name && !supersedable;
        let payload = if is_cancellation { payload } else { erased(&payload) };
        diesel::update(mine).set((jobs::payload.eq(payload), jobs::errors.eq(erased(&errors)))).execute(conn).await?;
    }
    Ok(())
}

/// Erases what was sent to a user, and the saved responses to their requests.
async fn erase_mentions(conn: &mut Connection, user: &DeletedUser) -> Result<(), Abort> {
    let sent = deliveries::table.filter(deliveries::target.eq(user.email.as_str()));
    let by: Vec<String> = sent.select(deliveries::job_id).load(conn).await?;
    scrub_jobs(conn, &by).await?;
    diesel::delete(sent).execute(conn).await?;
    let answered = idempotency::key.like(format!("{} %", user.id));
    diesel::delete(idempotency::table.filter(answered)).execute(conn).await?;
    Ok(())
}
