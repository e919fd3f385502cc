//! The notices to the organizer of a meeting: attendees have declined, there is no common time, or the meeting has failed.

use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text, Timestamp as TimestampType};
use jiff::SignedDuration;
use jiff_diesel::DateTime;
use serde_json::json;

use super::mails::{DAY, HOUR};
use super::model::Meeting;
use crate::platform::data::instant::stored;
use crate::platform::data::schema::jobs;
use crate::platform::data::{Connection, Error, RunQueryDsl};
use crate::platform::jobs::create_job;
use crate::platform::jobs::model::OPEN;
use crate::roles::reservation::api::jobs::Notice;
use crate::roles::reservation::api::meetings::Status;
use crate::roles::reservation::jobs::kinds::{self, NoticeAbout, SEND_NOTICE};
use crate::roles::reservation::schema::{mails, subjects};
use crate::roles::reservation::store::Store;

impl Meeting {
    /// What the organizer must hear of that was not so before.
    fn notice_since(&self, before: &Meeting) -> Option<Notice> {
        // a meeting that has stood before may stand again at once
        let mut noted = self.history.iter().rev().take_while(|noted| noted.at == self.updated_at);
        let about = noted.find_map(|noted| match noted.status {
            Status::NoCommonTime => Some(Notice::NoCommonTime),
            Status::Failed => Some(Notice::Failed),
            _ => None,
        });
        if about.is_some() && self.version != before.version {
            return about;
        }
        let mut others = self.reported_declines.iter().filter(|email| **email != self.organizer);
        let is_new = others.any(|who| !before.reported_declines.contains(who));
        is_new.then_some(Notice::Declined)
    }
}

/// Mails the organizer what matters about a change. A notice that waits tells this change as well. A mailbox that has got as many notices as
/// an hour or a day allows mails gets no more.
///
/// # Errors
/// A database that does not answer.
pub async fn save_notice(
    conn: &mut Connection,
    store: &Store,
    before: Option<&Meeting>,
    meeting: &Meeting,
) -> Result<(), Error> {
    let Some(before) = before else { return Ok(()) };
    let Some(about) = meeting.notice_since(before) else { return Ok(()) };
    let requested = (about != Notice::Declined).then(|| before.requested());
    let notice = NoticeAbout { about, requested };
    let id = meeting.id.to_string();
    let notices = jobs::table.filter(jobs::subject.eq(&id)).filter(jobs::kind.eq(SEND_NOTICE.name));
    let waiting = notices.filter(jobs::state.eq_any(OPEN)).filter(jobs::attempt.eq(0));
    for (job, payload) in waiting.select((jobs::id, jobs::payload)).load::<(String, String)>(conn).await? {
        if serde_json::from_str(&payload).is_ok_and(|waits: NoticeAbout| waits.about == about) {
            let mine = jobs::table.filter(jobs::id.eq(job));
            diesel::update(mine).set(jobs::payload.eq(json!(notice).to_string())).execute(conn).await?;
            return Ok(());
        }
    }
    let organizer = || subjects::table.filter(subjects::email.eq(meeting.organizer.as_str()));
    // the notices alone: they count for no other limit, so that no attendee uses up the mails of others
    let received = || {
        let mine = mails::table.filter(mails::recipient.eq_any(organizer().select(subjects::id)));
        mine.filter(mails::organizer.eq(mails::recipient))
    };
    let since = |age: SignedDuration| stored(meeting.updated_at.saturating_sub(age).unwrap_or_default());
    for (age, limit) in [(HOUR, store.invitations.per_hour), (DAY, store.invitations.per_day)] {
        let count = received().filter(mails::counted_at.gt(since(age))).count().get_result::<i64>(conn).await?;
        if limit > 0 && count >= limit {
            tracing::info!(meeting = id, "no notice to the organizer: the mailbox has got as many e-mails as allowed");
            return Ok(());
        }
    }
    let mine = received().filter(mails::meeting_id.eq(&id));
    let last: Option<DateTime> = mine.select(max(mails::counted_at)).get_result(conn).await?;
    let due_at = store.wait_after(last, meeting.updated_at);
    let added = organizer().select((
        id.clone().into_sql::<Text>(),
        subjects::id,
        subjects::id,
        String::new().into_sql::<Text>(),
        stored(due_at.unwrap_or(meeting.updated_at)).into_sql::<TimestampType>(),
        true.into_sql::<Bool>(),
        false.into_sql::<Bool>(),
    ));
    diesel::insert_into(mails::table).values(added).into_columns(mails::all_columns).execute(conn).await?;
    create_job(conn, &store.owner, &kinds::notify_organizer(notice, due_at), meeting.id, &meeting.case_id).await
}
