//! Writes a change of a meeting: the meeting, its attendees, the time that it holds, its jobs, and its event.

use diesel::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::changes::Change;
use super::mails::save_mails;
use super::model::Meeting;
use super::notices::save_notice;
use crate::platform::data::instant::stored;
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, exclusive};
use crate::platform::data::{EventSubject, OutboxRow, execute_all};
use crate::platform::email::Email;
use crate::platform::jobs::rows::{cancel_superseded, create_job};
use crate::roles::reservation::api::meetings::{Period, Status};
use crate::roles::reservation::holds::{hold_period, release_attendees, release_meeting};
use crate::roles::reservation::jobs::kinds::{self, SEND_INVITATIONS};
use crate::roles::reservation::schema::{attendees, former_attendees, meetings};
use crate::roles::reservation::store::Store;
use crate::roles::reservation::subjects::{Subjects, find_subjects};
use crate::roles::reservation::webhooks::store::save_events;

#[derive(Insertable)]
#[diesel(table_name = attendees)]
struct AttendeeRow {
    subject: String,
    meeting_id: String,
    holds_time: bool,
}

/// Reads a meeting out of its column.
pub fn read_meeting(document: &str) -> Result<Meeting, Error> {
    serde_json::from_str(document).map_err(|why| Error::Corrupt(format!("a meeting: {why}")))
}

/// Locks a meeting until the transaction ends, and reads it.
pub async fn lock_meeting(conn: &mut Connection, id: Uuid) -> Result<Option<Meeting>, Error> {
    let lock = exclusive(meetings::table.filter(meetings::id.eq(id.to_string())).select(meetings::document));
    let found: Option<String> = lock.get_result(conn).await.optional()?;
    found.as_deref().map(read_meeting).transpose()
}

/// Writes a change of a meeting that the caller has locked. Its attendees are subjects already.
///
/// # Errors
/// A period that another meeting holds.
pub async fn save_change(
    conn: &mut Connection,
    store: &Store,
    before: Option<&Meeting>,
    change: &Change,
) -> Result<(), Abort> {
    let meeting = &change.meeting;
    if before.is_some_and(|before| before.version == meeting.version) {
        return Ok(());
    }
    let held_before = before.map(held);
    let (emails, held_now) = (meeting.emails(), held(meeting));
    let has_same_people =
        before.is_some_and(|before| before.emails() == emails && before.organizer == meeting.organizer);
    if !has_same_people || held_before.as_ref() != Some(&held_now) {
        let subjects = find_subjects(conn, &emails).await?;
        save_meeting(conn, before.is_some(), meeting, Some(&subjects)).await?;
        if has_same_people {
            update_attendees(conn, meeting, &held_now.1, &subjects).await?;
        } else {
            save_attendees(conn, before.is_some(), meeting, &subjects).await?;
            save_former_attendees(conn, before, meeting).await?;
        }
        save_holds(conn, meeting, held_before, held_now).await?;
    } else {
        save_meeting(conn, true, meeting, None).await?;
    }
    if change.supersedes_jobs {
        // what mails tell of a time that stands stays true until other mails take their place
        let stands = meeting.standing.is_some() || meeting.status.holds();
        let void = kinds::ALL.iter().filter(|kind| !(stands && **kind == SEND_INVITATIONS));
        cancel_superseded(conn, meeting.id, &void.map(|kind| kind.name).collect::<Vec<_>>()).await?;
    }
    save_mails(conn, store, before, change).await?;
    save_notice(conn, store, before, &change.meeting).await?;
    save_consequences(conn, store, before, change).await
}

/// Whose time a meeting holds, and when; no period if it holds none.
fn held(meeting: &Meeting) -> (Option<Period>, Vec<&Email>) {
    let period = meeting.time();
    (period, if period.is_some() { meeting.held() } else { Vec::new() })
}

async fn save_meeting(
    conn: &mut Connection,
    exists: bool,
    meeting: &Meeting,
    subjects: Option<&Subjects>,
) -> Result<(), Error> {
    let id = meeting.id.to_string();
    // the id of the organizer is as unknown as the address once the account is deleted
    let organizer_of = |subjects: &Subjects| {
        subjects.get(meeting.organizer.as_str()).map_or_else(String::new, |organizer| organizer.id.clone())
    };
    let organizer = subjects.map(organizer_of);
    let written = (
        meetings::status.eq(meeting.status.name()),
        meetings::version.eq(meeting.version),
        meetings::starts_at.eq(meeting.period.map(|period| stored(period.start))),
        meetings::ends_at.eq(meeting.period.map(|period| stored(period.end))),
        meetings::document.eq(serde_json::to_string(meeting).unwrap_or_default()),
        meetings::updated_at.eq(stored(meeting.updated_at)),
    );
    if exists {
        let organizer = organizer.map(|id| meetings::organizer.eq(id));
        diesel::update(meetings::table.filter(meetings::id.eq(&id))).set((written, organizer)).execute(conn).await?;
    } else {
        let organizer = meetings::organizer.eq(organizer.unwrap_or_default());
        let created = (meetings::id.eq(&id), organizer, meetings::created_at.eq(stored(meeting.created_at)));
        diesel::insert_into(meetings::table).values((created, written)).execute(conn).await?;
    }
    Ok(())
}

async fn save_attendees(
    conn: &mut Connection,
    exists: bool,
    meeting: &Meeting,
    subjects: &Subjects,
) -> Result<(), Error> {
    let (id, (_, held)) = (meeting.id.to_string(), held(meeting));
    if exists {
        diesel::delete(attendees::table.filter(attendees::meeting_id.eq(&id))).execute(conn).await?;
    }
    let conn = &*conn;
    let insertions = meeting.attendees.iter().filter_map(|attendee| {
        let subject = subjects.get(attendee.email.as_str())?.id.clone();
        let row = AttendeeRow { subject, meeting_id: id.clone(), holds_time: held.contains(&&attendee.email) };
        Some(diesel::insert_into(attendees::table).values(row).execute(conn))
    });
    execute_all(insertions).await
}

/// Writes down whose time a meeting holds; its attendees are the same as before.
async fn update_attendees(
    conn: &mut Connection,
    meeting: &Meeting,
    held: &[&Email],
    subjects: &Subjects,
) -> Result<(), Error> {
    let held: Vec<&String> =
        held.iter().filter_map(|email| subjects.get(email.as_str())).map(|subject| &subject.id).collect();
    let mine = attendees::table.filter(attendees::meeting_id.eq(meeting.id.to_string()));
    let holds_time = attendees::holds_time.eq(attendees::subject.eq_any(held));
    diesel::update(mine).set(holds_time).execute(conn).await?;
    Ok(())
}

/// Notes whom a change removes from a meeting.
async fn save_former_attendees(
    conn: &mut Connection,
    before: Option<&Meeting>,
    meeting: &Meeting,
) -> Result<(), Error> {
    let mut removed = before.map(Meeting::emails).unwrap_or_default();
    removed.retain(|email| !meeting.has_attendee(email));
    if removed.is_empty() {
        return Ok(());
    }
    for subject in find_subjects(conn, &removed).await?.into_values() {
        let row = (former_attendees::subject.eq(subject.id), former_attendees::meeting_id.eq(meeting.id.to_string()));
        let insertion = diesel::insert_into(former_attendees::table).values(row);
        let key = (former_attendees::subject, former_attendees::meeting_id);
        insertion.on_conflict(key).do_nothing().execute(conn).await?;
    }
    Ok(())
}

async fn save_holds(
    conn: &mut Connection,
    meeting: &Meeting,
    before: Option<(Option<Period>, Vec<&Email>)>,
    (period, attendees): (Option<Period>, Vec<&Email>),
) -> Result<(), Abort> {
    let (period_before, attendees_before) = before.unwrap_or_default();
    let id = meeting.id.to_string();
    if period_before.is_some() && period_before != period {
        release_meeting(conn, &id).await?;
    } else if attendees_before.iter().any(|email| !attendees.contains(email)) {
        release_attendees(conn, &id).await?;
    }
    let is_new = |email: &&Email| period_before != period || !attendees_before.contains(email);
    match period {
        Some(period) if attendees.iter().any(is_new) => hold_period(conn, &id, period).await,
        _ => Ok(()),
    }
}

/// Creates the jobs of a change, and publishes it.
async fn save_consequences(
    conn: &mut Connection,
    store: &Store,
    before: Option<&Meeting>,
    change: &Change,
) -> Result<(), Abort> {
    let (meeting, owner) = (&change.meeting, &store.owner);
    let has_moved = before.is_none_or(|before| before.status != meeting.status);
    let is_reported = has_moved && !matches!(meeting.status, Status::Queued | Status::Running);
    let what = if has_moved { meeting.status.name() } else { "updated" };
    let about = EventSubject { kind: "meeting", id: meeting.id, version: meeting.version };
    let event = OutboxRow::event(owner.role, &about, what, json!(meeting.view()));
    conn.enqueue(OutboxRow { case_id: meeting.case_id.clone(), ..event });
    let webhook = kinds::webhook(meeting).filter(|_| is_reported);
    for job in change.jobs.iter().chain(&webhook) {
        create_job(conn, owner, job, meeting.id, &meeting.case_id).await?;
    }
    Ok(save_events(conn, store, before, meeting).await?)
}
