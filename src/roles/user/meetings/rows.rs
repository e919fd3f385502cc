//! Writing a change down: the meeting, whose time it holds, its jobs, and what is to be published of it.

use diesel::prelude::*;
use diesel::sql_types::Text;
use jiff_diesel::DateTime;
use uuid::Uuid;

use super::changes::Change;
use super::model::Meeting;
use crate::platform::data::instant::stored;
use crate::platform::data::outbox::{OutboxRow, Subject, enqueue};
use crate::platform::data::{Abort, Connection, Error, Owner, RunQueryDsl};
use crate::platform::email::Email;
use crate::platform::http::problem::{Problem, SLOT_TAKEN};
use crate::platform::jobs::model::NewJob;
use crate::platform::jobs::rows::{JobRow, cancel_superseded, create_job};
use crate::roles::user::api::meetings::{Period, Status};
use crate::roles::user::jobs::kinds;
use crate::roles::user::schema::{attendees, busy, meetings};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = meetings)]
pub struct MeetingRow {
    id: String,
    organizer: String,
    status: String,
    version: i64,
    document: String,
    created_at: DateTime,
    updated_at: DateTime,
}

#[derive(Insertable)]
#[diesel(table_name = attendees)]
pub struct AttendeeRow {
    email: String,
    meeting_id: String,
}

#[derive(Insertable)]
#[diesel(table_name = busy)]
pub struct BusyRow {
    pub email: String,
    pub starts_at: DateTime,
    pub ends_at: DateTime,
    pub meeting_id: String,
}

/// What becomes of the time that a meeting holds.
pub struct Hold {
    /// For whom it is held as before: nobody has to wait for them.
    pub stays: Vec<String>,
    pub new: Vec<BusyRow>,
}

/// A meeting read back.
#[derive(QueryableByName)]
pub struct Document {
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub document: String,
}

impl Document {
    pub fn read(self) -> Result<Meeting, Error> {
        serde_json::from_str(&self.document).map_err(|why| Error::Corrupt(format!("a meeting: {why}")))
    }
}

/// All rows of one change.
pub struct Rows {
    pub meeting: MeetingRow,
    /// Whether those who come are other people than before.
    pub attendees: Option<Vec<AttendeeRow>>,
    /// Whose time is to be held, if that is not as before.
    pub busy: Option<Hold>,
    pub jobs: Vec<JobRow>,
    pub event: OutboxRow,
}

impl Rows {
    pub fn of(owner: &Owner, before: Option<&Meeting>, change: &Change) -> Rows {
        let meeting = &change.meeting;
        let moved = before.is_none_or(|before| before.status != meeting.status);
        let tells = moved && !matches!(meeting.status, Status::Queued | Status::Running);
        let webhook = kinds::webhook(meeting).filter(|_| tells);
        let news: Vec<&NewJob> = change.jobs.iter().chain(&webhook).collect();
        let what = if moved { meeting.status.name() } else { "updated" };
        let now = meeting.updated_at;
        let about = Subject { kind: "meeting", id: meeting.id, version: meeting.version };
        let case_id = &meeting.case_id;
        Rows {
            attendees: attendees_of(before, meeting),
            busy: busy_of(before, meeting),
            event: OutboxRow::event(owner.role, &about, what, case_id, now, meeting.public()),
            jobs: news.iter().map(|job| JobRow::new(owner, job, meeting.id, case_id, now)).collect(),
            meeting: MeetingRow {
                id: meeting.id.to_string(),
                organizer: meeting.organizer.to_string(),
                status: meeting.status.name().to_owned(),
                version: meeting.version,
                document: serde_json::to_string(meeting).unwrap_or_default(),
                created_at: stored(meeting.created_at),
                updated_at: stored(now),
            },
        }
    }
}

fn attendees_of(before: Option<&Meeting>, meeting: &Meeting) -> Option<Vec<AttendeeRow>> {
    let row = |email: Email| AttendeeRow { email: email.to_string(), meeting_id: meeting.id.to_string() };
    let others = before.is_none_or(|before| before.emails() != meeting.emails());
    others.then(|| meeting.emails().into_iter().map(row).collect())
}

fn busy_of(before: Option<&Meeting>, meeting: &Meeting) -> Option<Hold> {
    let as_before = before.map(|before| (before.held(), before.period.filter(|_| before.status.holds())));
    let (held_before, period_before) = as_before.unwrap_or_default();
    let period = meeting.period.filter(|_| meeting.status.holds());
    let held = if period.is_some() { meeting.held() } else { Vec::new() };
    if (&held_before, period_before) == (&held, period) {
        return None;
    }
    let stays = |email: &&Email| period == period_before && held_before.contains(email);
    let (stays, new): (Vec<&Email>, Vec<&Email>) = held.into_iter().partition(stays);
    let row = |(period, email): (Period, &Email)| BusyRow {
        email: email.to_string(),
        starts_at: stored(period.start),
        ends_at: stored(period.end),
        meeting_id: meeting.id.to_string(),
    };
    let new = period.map_or_else(Vec::new, |period| new.into_iter().map(|email| row((period, email))).collect());
    Some(Hold { stays: stays.into_iter().map(Email::to_string).collect(), new })
}

/// Reads a meeting and locks it until the transaction ends.
pub async fn lock_meeting(conn: &mut Connection, id: Uuid) -> Result<Option<Meeting>, Error> {
    let query = diesel::sql_query(conn.exclusive("SELECT document FROM meetings WHERE id = $1"));
    let found: Option<Document> = query.bind::<Text, _>(id.to_string()).get_result(conn).await.optional()?;
    found.map(Document::read).transpose()
}

/// Writes a change of a meeting that the caller has locked: its rows, the time that it holds, its jobs and its event.
///
/// # Errors
/// A time that is taken.
pub async fn save_change(
    conn: &mut Connection,
    owner: &Owner,
    before: Option<&Meeting>,
    change: &Change,
) -> Result<(), Abort> {
    if before.is_some_and(|before| before.version == change.meeting.version) {
        return Ok(());
    }
    let rows = Rows::of(owner, before, change);
    let id = change.meeting.id.to_string();
    match before {
        None => diesel::insert_into(meetings::table).values(&rows.meeting).execute(conn).await?,
        Some(_) => {
            let mine = meetings::table.filter(meetings::id.eq(&id));
            diesel::update(mine).set(&rows.meeting).execute(conn).await?
        }
    };
    if let Some(others) = &rows.attendees {
        if before.is_some() {
            diesel::delete(attendees::table.filter(attendees::meeting_id.eq(&id))).execute(conn).await?;
        }
        for row in others {
            diesel::insert_into(attendees::table).values(row).execute(conn).await?;
        }
    }
    if let Some(held) = &rows.busy {
        if before.is_some() {
            let mine = busy::table.filter(busy::meeting_id.eq(&id));
            diesel::delete(mine.filter(busy::email.ne_all(&held.stays))).execute(conn).await?;
        }
        hold_time(conn, &held.new).await?;
    }
    if change.supersedes_jobs {
        cancel_superseded(conn, change.meeting.id).await?;
    }
    enqueue(conn, std::slice::from_ref(&rows.event)).await?;
    for row in &rows.jobs {
        create_job(conn, owner, row).await?;
    }
    Ok(())
}

/// Holds the time of people, one transaction at a time for each of them: two meetings that want the same hour meet here.
///
/// # Errors
/// A time that is taken.
async fn hold_time(conn: &mut Connection, rows: &[BusyRow]) -> Result<(), Abort> {
    for row in rows {
        // the rows come sorted, so that two such transactions never wait for each other
        let lock = diesel::sql_query(conn.exclusive("SELECT email FROM users WHERE email = $1"));
        lock.bind::<Text, _>(row.email.clone()).execute(conn).await?;
        let overlap = busy::table.filter(busy::email.eq(&row.email));
        let overlap = overlap.filter(busy::starts_at.lt(row.ends_at)).filter(busy::ends_at.gt(row.starts_at));
        if overlap.count().get_result::<i64>(conn).await? > 0 {
            let detail = "another meeting has taken this time for a required attendee";
            return Err(Abort::Rejected(Problem::new(SLOT_TAKEN, detail)));
        }
        diesel::insert_into(busy::table).values(row).execute(conn).await?;
    }
    Ok(())
}
