//! The queries about meetings, each named for the question it answers.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable};
use jiff::Timestamp;
use uuid::Uuid;

use super::changes::Change;
use super::hold_limit::find_exhausted;
use super::mails::check_limits;
use super::model::Meeting;
use super::rows::{lock_meeting, read_meeting, save_change};
use crate::platform::auth::Principal;
use crate::platform::data::instant::stored;
use crate::platform::data::schema::deliveries;
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, columns};
use crate::platform::email::Email;
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::Problem;
use crate::platform::jobs::rows::DeliveryRow;
use crate::roles::reservation::actors::save_actor;
use crate::roles::reservation::api::meetings::Status;
use crate::roles::reservation::api::problems::UNKNOWN_MEETING;
use crate::roles::reservation::holds::quarter_at;
use crate::roles::reservation::schema::{attendees, holds, meetings, subjects};
use crate::roles::reservation::store::Store;
use crate::roles::reservation::subjects::{lock_attendees, lock_subjects};
use crate::roles::user::api::Person;
use crate::{read, transact};

/// Addresses in one query.
const CHUNK: usize = 1000;

/// Which meetings a list contains.
#[derive(Default)]
pub struct MeetingFilter {
    pub attendee: Option<Email>,
    pub organizer: Option<Email>,
    pub status: Option<Status>,
    /// Those that end after this instant.
    pub since: Option<Timestamp>,
    /// Those that begin before this instant.
    pub until: Option<Timestamp>,
}

impl Store {
    /// Creates a meeting, and saves the response under the caller's key. `people` are all attendees.
    pub async fn create_meeting(
        &self,
        people: &[Person],
        key: Option<&IdempotencyKey>,
        mut change: Change,
        response: StoredResponse,
    ) -> Result<StoredResponse, Problem> {
        let work = async |conn: &mut Connection| {
            lock_subjects(conn, people).await?;
            if change.meeting.status.holds() {
                change.meeting.held_on_acceptance = find_exhausted(conn, &self.auth, None, &change.meeting).await?;
            }
            save_change(conn, self, None, &change).await?;
            save_actor(conn, &change.meeting).await?;
            check_limits(conn, self, &change.meeting).await
        };
        self.owner.write_once(key, response, work).await
    }

    /// Changes a meeting by `decide`, which reads it as it is, and may refuse. `principal` makes the change, if an account does. `people` are all its attendees if the change may add some.
    pub async fn change_meeting(
        &self,
        id: Uuid,
        principal: Option<&Principal>,
        people: &[Person],
        decide: impl Fn(Meeting) -> Result<Change, Problem> + Send + Sync,
    ) -> Result<Meeting, Abort> {
        let meeting = transact!(self.owner.db, |conn| {
            let before = lock_meeting(conn, id).await?.ok_or_else(|| Abort::Rejected(unknown(id)))?;
            let change = decide(before.clone().changed_by(principal)).map_err(Abort::Rejected)?;
            let newcomers = change.meeting.attendees.iter().map(|one| &one.email);
            let newcomers: Vec<&Email> = newcomers.filter(|email| !before.has_attendee(email)).collect();
            if !newcomers.is_empty() {
                lock_subjects(conn, people).await?;
            } else if change.invites() {
                lock_attendees(conn, &change.meeting.emails()).await?;
            }
            save_change(conn, self, Some(&before), &change).await?;
            save_actor(conn, &change.meeting).await?;
            if change.invites() {
                check_limits(conn, self, &change.meeting).await?;
            }
            Ok::<Meeting, Abort>(change.meeting)
        })?;
        self.owner.outbox_notify.notify_one();
        Ok(meeting)
    }

    /// One meeting.
    pub async fn meeting(&self, id: Uuid) -> Result<Option<Meeting>, Error> {
        let id = id.to_string();
        let found: Option<String> = read!(self.owner.db, |conn| async {
            meetings::table.filter(meetings::id.eq(&id)).select(meetings::document).first(conn).await.optional()
        })?;
        found.as_deref().map(read_meeting).transpose()
    }

    /// A page of the meetings that a filter selects, in the order of creation, after the one with the id `after`.
    pub async fn meetings(&self, filter: &MeetingFilter, after: &str, limit: i64) -> Result<Vec<Meeting>, Error> {
        let organizers: Vec<String> = match &filter.organizer {
            Some(email) => read!(self.owner.db, |conn| subjects::table
                .filter(subjects::email.eq(email.as_str()))
                .select(subjects::id)
                .load(conn))?,
            None => Vec::new(),
        };
        let status = filter.status.map_or("", Status::name);
        // a statement has one text, whatever is given
        let selected = || {
            let by_organizer = meetings::organizer.eq_any(&organizers);
            let by_organizer = by_organizer.or(filter.organizer.is_none().into_sql::<Bool>());
            let by_status = meetings::status.eq(status).or(status.is_empty().into_sql::<Bool>());
            let begins = meetings::starts_at.lt(filter.until.map(stored));
            let begins = begins.or(filter.until.is_none().into_sql::<Nullable<Bool>>());
            let ends = meetings::ends_at.gt(filter.since.map(stored));
            let ends = ends.or(filter.since.is_none().into_sql::<Nullable<Bool>>());
            meetings::id.gt(after).and(by_organizer).and(by_status).and(begins).and(ends)
        };
        let found: Vec<String> = match &filter.attendee {
            Some(attendee) => read!(self.owner.db, |conn| meetings::table
                .inner_join(attendees::table.on(attendees::meeting_id.eq(meetings::id)))
                .inner_join(subjects::table.on(subjects::id.eq(attendees::subject)))
                .filter(subjects::email.eq(attendee.as_str()))
                .filter(selected())
                .order(meetings::id.asc())
                .limit(limit)
                .select(meetings::document)
                .load(conn))?,
            None => read!(self.owner.db, |conn| meetings::table
                .filter(selected())
                .order(meetings::id.asc())
                .limit(limit)
                .select(meetings::document)
                .load(conn))?,
        };
        found.iter().map(|document| read_meeting(document)).collect()
    }

    /// Those of these people who have accepted a meeting of this organizer that holds their time from now on. An invitation that they
    /// have not answered does not count: the organizer alone decides about that.
    pub async fn accepted_by(&self, organizer: &str, emails: &[Email], now: Timestamp) -> Result<Vec<Email>, Error> {
        let mut accepted = Vec::new();
        for chunk in emails.chunks(CHUNK) {
            let keys: Vec<&str> = chunk.iter().map(Email::as_str).collect();
            let ahead = || {
                let people = subjects::table.filter(subjects::email.eq_any(&keys)).select(subjects::id);
                holds::table.filter(holds::subject.eq_any(people)).filter(holds::quarter.ge(quarter_at(now)))
            };
            let found: Vec<String> = read!(self.owner.db, |conn| meetings::table
                .filter(meetings::organizer.eq(organizer))
                .filter(meetings::id.eq_any(ahead().select(holds::meeting_id)))
                .select(meetings::document)
                .load(conn))?;
            let found = found.iter().map(|document| read_meeting(document)).collect::<Result<Vec<Meeting>, Error>>()?;
            let comes = |email: &&Email| found.iter().any(|one| one.has_accepted(email) && one.held().contains(email));
            accepted.extend(chunk.iter().filter(comes).cloned());
        }
        Ok(accepted)
    }

    /// The attempts to deliver something about a meeting, or to a webhook, oldest first.
    pub async fn deliveries(&self, subject: Uuid) -> Result<Vec<DeliveryRow>, Error> {
        let id = subject.to_string();
        read!(self.owner.db, |conn| deliveries::table
            .filter(deliveries::subject.eq(&id))
            .order(deliveries::id.asc())
            .select(columns::<DeliveryRow>())
            .load(conn))
    }
}

/// No meeting has this id.
pub fn unknown(id: Uuid) -> Problem {
    Problem::new(UNKNOWN_MEETING, format!("no meeting has the id {id}"))
}
