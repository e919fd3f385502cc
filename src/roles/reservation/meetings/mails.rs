//! The mails about meetings: the jobs that send them, and how many one mailbox gets.
//!
//! A row counts each mail to one recipient. The mail waits until a worker takes it; meanwhile later changes of its meeting go into the same
//! mail, which counts once. A change that causes one mail too many is refused. Cancellations are counted and never refused: each follows a mail
//! that was counted.

use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text, Timestamp as TimestampType};
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use uuid::Uuid;

use super::changes::Change;
use super::model::Meeting;
use crate::config::AuthMode;
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::jobs::create_job;
use crate::platform::jobs::rows::cancel_superseded;
use crate::roles::reservation::jobs::kinds::{self, Invitation, SEND_INVITATIONS};
use crate::roles::reservation::schema::{mails, meetings, subjects};
use crate::roles::reservation::store::Store;
use crate::roles::user::api::problems::TOO_MANY_LETTERS;
use crate::transact;

/// The recipients of one job: a job that fails repeats no more mails than this.
const MAX_RECIPIENTS: usize = 50;
/// Seconds until a retry makes sense.
const RETRY_AFTER: u32 = 3600;
pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A recipient of a mail that a change has added, with one mail too many. A limit includes the mail that is added. Notices to organizers
/// do not count: their attendees cause them.
const OVER_LIMIT: &str = "SELECT subjects.email FROM mails AS added \
    JOIN mails ON mails.recipient = added.recipient JOIN subjects ON subjects.id = added.recipient \
    WHERE added.meeting_id = $1 AND added.counted_at = $2 AND NOT added.is_sent AND mails.counted_at > $3 \
    AND mails.organizer <> mails.recipient \
    GROUP BY subjects.email HAVING COUNT(*) > $4 \
    OR SUM(CASE WHEN mails.counted_at > $5 THEN 1 ELSE 0 END) > $6 \
    OR SUM(CASE WHEN mails.organizer = added.organizer THEN 1 ELSE 0 END) > $7 \
    OR SUM(CASE WHEN mails.organizer = added.organizer AND mails.counted_at > $5 THEN 1 ELSE 0 END) > $8 \
    OR SUM(CASE WHEN mails.organizer = added.organizer THEN 1 ELSE 0 END) > 1 \
    AND (COUNT(*) > $9 OR SUM(CASE WHEN mails.counted_at > $5 THEN 1 ELSE 0 END) > $10) LIMIT 1";

#[derive(QueryableByName)]
struct Recipient {
    #[diesel(sql_type = Text)]
    email: String,
}

/// Refuses a change that was saved in this transaction if a mailbox would get one mail too many. The caller has locked the recipients before,
/// so that of several changes at a time each counts the mails of the others.
///
/// # Errors
/// 429 that names a recipient.
pub async fn check_limits(conn: &mut Connection, store: &Store, meeting: &Meeting) -> Result<(), Abort> {
    if store.auth.mode == AuthMode::Open {
        return Ok(());
    }
    let before = |age: SignedDuration| stored(meeting.updated_at.saturating_sub(age).unwrap_or_default());
    let limit = |limit: i64| if limit == 0 { i64::MAX } else { limit };
    // a few organizers must not use up what is left for everybody else: the last quarter is for the first mail of each
    let known = |of: i64| limit(of - of / 4);
    let limits = &store.invitations;
    let query = diesel::sql_query(OVER_LIMIT)
        .bind::<Text, _>(meeting.id.to_string())
        .bind::<TimestampType, _>(stored(meeting.updated_at))
        .bind::<TimestampType, _>(before(DAY))
        .bind::<BigInt, _>(limit(limits.per_day))
        .bind::<TimestampType, _>(before(HOUR))
        .bind::<BigInt, _>(limit(limits.per_hour))
        .bind::<BigInt, _>(limit(limits.organizer_per_day))
        .bind::<BigInt, _>(limit(limits.organizer_per_hour))
        .bind::<BigInt, _>(known(limits.per_day))
        .bind::<BigInt, _>(known(limits.per_hour));
    check_actor_limits(conn, store, meeting).await?;
    let over: Vec<Recipient> = query.load(conn).await?;
    let Some(Recipient { email }) = over.into_iter().next() else { return Ok(()) };
    // which limit it is would tell how often others write to this person
    let detail = format!("{email} has got as many e-mails about meetings as an hour or a day allows; try again later");
    Err(Abort::Rejected(Problem { retry_after: Some(RETRY_AFTER), ..Problem::new(TOO_MANY_LETTERS, detail) }))
}

/// Refuses a change by a bot that has caused too many mails on behalf of users. The caller has locked the bot.
///
/// # Errors
/// 429.
async fn check_actor_limits(conn: &mut Connection, store: &Store, meeting: &Meeting) -> Result<(), Abort> {
    let Some(actor) = &meeting.actor_id else { return Ok(()) };
    for (age, limit) in [(HOUR, store.invitations.actor_per_hour), (DAY, store.invitations.actor_per_day)] {
        let since = stored(meeting.updated_at.saturating_sub(age).unwrap_or_default());
        let caused = mails::table.filter(mails::actor.eq(actor)).filter(mails::counted_at.gt(since));
        if limit > 0 && caused.count().get_result::<i64>(conn).await? > limit {
            let detail =
                "this bot has caused as many e-mails about meetings as an hour or a day allows; try again later";
            let problem = Problem { retry_after: Some(RETRY_AFTER), ..Problem::new(TOO_MANY_LETTERS, detail) };
            return Err(Abort::Rejected(problem));
        }
    }
    Ok(())
}

/// Counts the mails of a change, and creates the jobs that send them.
pub async fn save_mails(
    conn: &mut Connection,
    store: &Store,
    before: Option<&Meeting>,
    change: &Change,
) -> Result<(), Error> {
    let meeting = &change.meeting;
    for mail in change.mails.iter().filter(|mail| mail.cancel) {
        let unaware = discard_waiting(conn, meeting.id, &mail.recipients).await?;
        let mut mail = mail.clone();
        mail.recipients.retain(|email| !unaware.contains(email));
        count_mails(conn, meeting, &mail.recipients, true, &[]).await?;
        create_jobs(conn, store, meeting, mail, None).await?;
    }
    let removed = before.map(Meeting::emails).unwrap_or_default().into_iter();
    let removed: Vec<Email> = removed.filter(|email| !meeting.has_attendee(email)).collect();
    if !removed.is_empty() {
        discard_waiting(conn, meeting.id, &removed).await?;
    }
    let known = before.filter(|before| before.announced.is_some()).map(Meeting::emails).unwrap_or_default();
    if change.invites() {
        count_mails(conn, meeting, &meeting.emails(), false, &known).await?;
    }
    for mail in change.mails.iter().filter(|mail| !mail.cancel) {
        // the mails that still wait tell less than this one
        let mut mail = mail.clone();
        let first = find_uninvited(conn, meeting.id).await?;
        let is_new = |email: &&Email| !known.contains(email) || first.iter().any(|one| one == email.as_str());
        mail.new = mail.recipients.iter().filter(is_new).cloned().collect();
        for payload in cancel_superseded(conn, meeting.id, &[SEND_INVITATIONS.name]).await? {
            let Ok(unsent) = serde_json::from_str::<Invitation>(&payload) else { continue };
            let missing = unsent.recipients.iter().filter(|email| meeting.has_attendee(email));
            let missing: Vec<Email> = missing.filter(|email| !mail.recipients.contains(email)).cloned().collect();
            mail.recipients.extend(missing);
            mail.new.extend(unsent.new.into_iter().filter(|email| unsent.recipients.contains(email)));
        }
        let due_at = next_mail_at(conn, store, meeting).await?;
        create_jobs(conn, store, meeting, mail, due_at).await?;
    }
    if meeting.status.is_over() && !meeting.status.holds() {
        let waiting =
            mails::table.filter(mails::meeting_id.eq(meeting.id.to_string())).filter(mails::is_sent.eq(false));
        diesel::delete(waiting).execute(conn).await?;
    }
    Ok(())
}

async fn create_jobs(
    conn: &mut Connection,
    store: &Store,
    meeting: &Meeting,
    mail: Invitation,
    due_at: Option<Timestamp>,
) -> Result<(), Error> {
    for recipients in mail.recipients.chunks(MAX_RECIPIENTS) {
        let new = mail.new.iter().filter(|email| recipients.contains(email)).cloned().collect();
        let part = Invitation { recipients: recipients.to_vec(), new, meeting: mail.meeting.clone(), ..mail };
        create_job(conn, &store.owner, &kinds::invite(&part, due_at), meeting.id, &meeting.case_id).await?;
    }
    Ok(())
}

/// Counts a mail to each of these recipients, unless one waits already. The organizer's own mails are not counted. `known`: the recipients
/// that were invited before.
async fn count_mails(
    conn: &mut Connection,
    meeting: &Meeting,
    recipients: &[Email],
    is_sent: bool,
    known: &[Email],
) -> Result<(), Error> {
    let id = meeting.id.to_string();
    let emails = |of: &[Email]| of.iter().map(Email::to_string).collect::<Vec<_>>();
    let waiting = mails::table.filter(mails::meeting_id.eq(&id)).filter(mails::is_sent.eq(false));
    let added = subjects::table
        .inner_join(meetings::table.on(meetings::id.eq(&id)))
        .filter(subjects::email.eq_any(emails(recipients)))
        .filter(subjects::id.ne(meetings::organizer))
        .filter(subjects::id.ne_all(waiting.select(mails::recipient)))
        .select((
            meetings::id,
            subjects::id,
            meetings::organizer,
            meeting.actor_id.clone().unwrap_or_default().into_sql::<Text>(),
            stored(meeting.updated_at).into_sql::<TimestampType>(),
            is_sent.into_sql::<Bool>(),
            subjects::email.ne_all(emails(known)),
        ));
    let columns = (
        mails::meeting_id,
        mails::recipient,
        mails::organizer,
        mails::actor,
        mails::counted_at,
        mails::is_sent,
        mails::is_first,
    );
    diesel::insert_into(mails::table).values(added).into_columns(columns).execute(conn).await?;
    Ok(())
}

/// Discards the mails to these recipients that wait. Returns those who have never heard of the meeting.
async fn discard_waiting(conn: &mut Connection, meeting: Uuid, recipients: &[Email]) -> Result<Vec<Email>, Error> {
    let unaware = find_uninvited(conn, meeting).await?;
    let them = subjects::table.filter(subjects::email.eq_any(recipients.iter().map(Email::as_str)));
    let waiting = mails::table.filter(mails::meeting_id.eq(meeting.to_string())).filter(mails::is_sent.eq(false));
    diesel::delete(waiting.filter(mails::recipient.eq_any(them.select(subjects::id)))).execute(conn).await?;
    Ok(recipients.iter().filter(|email| unaware.iter().any(|one| one == email.as_str())).cloned().collect())
}

/// The addresses whose first mail about a meeting waits.
async fn find_uninvited(conn: &mut Connection, meeting: Uuid) -> Result<Vec<String>, Error> {
    let waiting = mails::table.filter(mails::meeting_id.eq(meeting.to_string())).filter(mails::is_sent.eq(false));
    let first = waiting.filter(mails::is_first.eq(true)).select(mails::recipient);
    Ok(subjects::table.filter(subjects::id.eq_any(first)).select(subjects::email).load(conn).await?)
}

/// When the next mail about a meeting is due, if it must wait.
async fn next_mail_at(conn: &mut Connection, store: &Store, meeting: &Meeting) -> Result<Option<Timestamp>, Error> {
    let sent = mails::table.filter(mails::meeting_id.eq(meeting.id.to_string())).filter(mails::is_sent.eq(true));
    let to_attendees = sent.filter(mails::recipient.ne(mails::organizer));
    let last: Option<DateTime> = to_attendees.select(max(mails::counted_at)).get_result(conn).await?;
    Ok(store.wait_after(last, meeting.updated_at))
}

/// Notes that a worker has taken the mails to these recipients: a later change causes another mail.
pub async fn mark_sent(conn: &mut Connection, meeting: Uuid, recipients: &[Email]) -> Result<(), Error> {
    let them = subjects::table.filter(subjects::email.eq_any(recipients.iter().map(Email::as_str)));
    let waiting = mails::table.filter(mails::meeting_id.eq(meeting.to_string())).filter(mails::is_sent.eq(false));
    diesel::update(waiting.filter(mails::recipient.eq_any(them.select(subjects::id))))
        .set((mails::is_sent.eq(true), mails::counted_at.eq(stored(now()))))
        .execute(conn)
        .await?;
    Ok(())
}

impl Store {
    /// When a mail is due whose predecessor was sent at this time; none if it is due at once.
    pub(super) fn wait_after(&self, last: Option<DateTime>, now: Timestamp) -> Option<Timestamp> {
        let wait = SignedDuration::try_from_secs_f64(self.invitations.join_seconds).unwrap_or_default();
        last.and_then(read).and_then(|last| last.saturating_add(wait).ok()).filter(|due_at| *due_at > now)
    }

    /// Erases the counts that no limit needs any more.
    pub async fn purge_mails(&self) -> Result<(), Error> {
        let old = stored(now().saturating_sub(DAY).unwrap_or_default());
        transact!(self.owner.db, |conn| {
            diesel::delete(mails::table.filter(mails::counted_at.lt(old))).execute(conn).await?;
            Ok::<(), Error>(())
        })
    }
}
