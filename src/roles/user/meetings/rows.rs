//! Writing a change down: the meeting, whose time it holds, its jobs, and what is to be published of it.

use diesel::prelude::*;
use jiff_diesel::DateTime;

use super::changes::Change;
use super::model::Meeting;
use crate::config::Jobs as Limits;
use crate::platform::data::Error;
use crate::platform::data::instant::stored;
use crate::platform::email::Email;
use crate::roles::user::api::meetings::{Period, Status};
use crate::roles::user::jobs::model::NewJob;
use crate::roles::user::jobs::rows::JobRow;
use crate::roles::user::outbox;
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
    pub messages: Vec<outbox::Row>,
}

impl Rows {
    pub fn of(before: Option<&Meeting>, change: &Change, limits: &Limits) -> Rows {
        let meeting = &change.meeting;
        let moved = before.is_none_or(|before| before.status != meeting.status);
        let tells = moved && !matches!(meeting.status, Status::Queued | Status::Running);
        let webhook = NewJob::webhook(meeting).filter(|_| tells);
        let news: Vec<&NewJob> = change.jobs.iter().chain(&webhook).collect();
        let what = if moved { meeting.status.name() } else { "updated" };
        let now = meeting.updated_at;
        let fact =
            outbox::Row::fact("meeting", what, meeting.id, meeting.version, &meeting.case_id, now, meeting.public());
        let jobs: Vec<JobRow> = news.iter().map(|job| JobRow::new(job, meeting, limits)).collect();
        let origins = jobs.iter().map(|row| (row.case_id.as_str(), row.traceparent.as_str()));
        let notices = news.iter().zip(origins).map(|(job, origin)| outbox::Row::job(job.id, job.kind, origin, 0, now));
        Rows {
            attendees: attendees_of(before, meeting),
            busy: busy_of(before, meeting),
            messages: std::iter::once(fact).chain(notices).collect(),
            jobs,
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

/// Reads a meeting that nobody else changes until this transaction ends.
macro_rules! hold_meeting {
    ($db:expr, $conn:ident, $id:expr) => {{
        let query = diesel::sql_query($db.exclusive("SELECT document FROM meetings WHERE id = $1"));
        let query = query.bind::<diesel::sql_types::Text, _>($id.to_string());
        let held: Option<$crate::roles::user::meetings::rows::Document> = query.get_result($conn).await.optional()?;
        match held {
            Some(held) => Some(held.read()?),
            None => None,
        }
    }};
}

/// Writes a change down, within a transaction that holds the meeting. Refused when its time is taken.
macro_rules! put_meeting {
    ($store:expr, $conn:ident, $before:expr, $change:expr) => {{
        use $crate::roles::user::jobs::{meters, model::State};
        use $crate::roles::user::schema::{attendees, busy, jobs, meetings};
        let (before, change): (
            Option<&$crate::roles::user::meetings::model::Meeting>,
            &$crate::roles::user::meetings::changes::Change,
        ) = ($before, $change);
        let unchanged = before.is_some_and(|before| before.version == change.meeting.version);
        if !unchanged {
            let rows = $crate::roles::user::meetings::rows::Rows::of(before, change, &$store.limits);
            let id = change.meeting.id.to_string();
            match before {
                None => diesel::insert_into(meetings::table).values(&rows.meeting).execute($conn).await?,
                Some(_) => {
                    diesel::update(meetings::table.filter(meetings::id.eq(&id)))
                        .set(&rows.meeting)
                        .execute($conn)
                        .await?
                }
            };
            if let Some(others) = &rows.attendees {
                if before.is_some() {
                    diesel::delete(attendees::table.filter(attendees::meeting_id.eq(&id))).execute($conn).await?;
                }
                for row in others {
                    diesel::insert_into(attendees::table).values(row).execute($conn).await?;
                }
            }
            if let Some(held) = &rows.busy {
                let mine = busy::table.filter(busy::meeting_id.eq(&id));
                if before.is_some() {
                    diesel::delete(mine.filter(busy::email.ne_all(&held.stays))).execute($conn).await?;
                }
                $crate::roles::user::meetings::rows::hold_time!($store.db, $conn, &held.new);
            }
            if change.overtakes {
                let open = jobs::table
                    .filter(jobs::meeting_id.eq(&id))
                    .filter(jobs::state.eq_any($crate::roles::user::jobs::model::OPEN));
                // whoever is to hear that it is off hears it all the same
                let open = open.filter(jobs::payload.not_like($crate::roles::user::jobs::model::FAREWELLS));
                let off: Vec<String> =
                    diesel::update(open.filter(jobs::kind.ne($crate::roles::user::jobs::model::WEBHOOK)))
                        .set((jobs::state.eq(State::Cancelled.name()), jobs::due_at.eq(None::<jiff_diesel::DateTime>)))
                        .returning(jobs::kind)
                        .get_results($conn)
                        .await?;
                off.iter().for_each(|kind| meters::count(kind, State::Cancelled));
            }
            for row in &rows.jobs {
                diesel::insert_into(jobs::table).values(row).execute($conn).await?;
                meters::count(&row.kind, State::Queued);
            }
            $crate::roles::user::outbox::post!($conn, &rows.messages);
        }
    }};
}

/// Holds everybody's time, one transaction at a time for each of them: two meetings that want the same hour meet here.
macro_rules! hold_time {
    ($db:expr, $conn:ident, $rows:expr) => {
        for row in $rows {
            // the rows come sorted, so that two such transactions never wait for each other
            let lock = diesel::sql_query($db.exclusive("SELECT email FROM users WHERE email = $1"));
            lock.bind::<diesel::sql_types::Text, _>(&row.email).execute($conn).await?;
            let clash = busy::table.filter(busy::email.eq(&row.email));
            let clash = clash.filter(busy::starts_at.lt(row.ends_at)).filter(busy::ends_at.gt(row.starts_at));
            let taken: i64 = clash.count().get_result($conn).await?;
            if taken > 0 {
                let detail = "another meeting has taken this time for somebody who must be there";
                return Err(Stop::Refused(Problem::new($crate::platform::http::problem::SLOT_TAKEN, detail)));
            }
            diesel::insert_into(busy::table).values(row).execute($conn).await?;
        }
    };
}
pub(in crate::roles::user) use {hold_meeting, hold_time, put_meeting};
