//! The queries about meetings, each named for the question it answers.

use std::collections::HashMap;

use crate::platform::data::{RunQueryDsl, columns};
use diesel::prelude::*;
use uuid::Uuid;

use super::changes::Change;
use super::invitation_quota::check_quota;
use super::model::Meeting;
use super::request::Wish;
use super::rows::{Document, lock_meeting, save_change};
use crate::calendar::Zone;
use crate::platform::data::Abort;
use crate::platform::data::Error;
use crate::platform::data::idempotency::{find_response, save_response};
use crate::platform::data::instant::{self, stored};
use crate::platform::data::schema::deliveries;
use crate::platform::email::Email;
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::{Problem, UNKNOWN_MEETING, UNKNOWN_USER};
use crate::platform::jobs::rows::DeliveryRow;
use crate::roles::user::api::Busy;
use crate::roles::user::api::meetings::Period;
use crate::roles::user::jobs::order::Person;
use crate::roles::user::schema::{attendees, busy, meetings, users};
use crate::roles::user::store::Store;
use crate::{read, transact};

/// Addresses in one query.
const CHUNK: usize = 1000;

/// Which meetings are listed.
pub struct Page {
    /// Those that this user is asked to come to; all if left out.
    pub attendee: Option<Email>,
    /// After the one with this id; from the first if empty.
    pub after: String,
    pub limit: i64,
}

impl Store {
    /// Makes a meeting as `open` says, and keeps the answer under the caller's key.
    pub async fn create_meeting(
        &self,
        wish: &Wish,
        key: Option<&IdempotencyKey>,
        open: impl Fn(&Zone) -> Change + Send + Sync,
        answer: impl Fn(&Change) -> StoredResponse + Send + Sync,
    ) -> Result<StoredResponse, Abort> {
        let emails: Vec<&str> = wish.attendees.iter().map(|one| one.email.as_str()).collect();
        let kept = transact!(self.owner.db, |conn| {
            if let Some(kept) = find_response(conn, key).await? {
                return Ok(kept);
            }
            self.owner.check_backpressure()?;
            let known = users::table.filter(users::email.eq_any(&emails)).select((users::email, users::time_zone));
            let known: Vec<(String, String)> = known.load(conn).await?;
            let home = home_of(wish, &known)?;
            check_quota(conn, &self.auth, &emails, wish.organizer.as_str()).await?;
            let change = open(&home);
            let answer = answer(&change);
            if let Some(kept) = save_response(conn, key, &answer).await? {
                return Ok(kept);
            }
            save_change(conn, &self.owner, None, &change).await?;
            Ok::<StoredResponse, Abort>(answer)
        })?;
        self.owner.outbox_notify.notify_one();
        Ok(kept)
    }

    /// Changes a meeting by `decide`, which sees it as it is, and may refuse.
    pub async fn change_meeting(
        &self,
        id: Uuid,
        decide: impl Fn(Meeting) -> Result<Change, Problem> + Send + Sync,
    ) -> Result<Meeting, Abort> {
        let meeting = transact!(self.owner.db, |conn| {
            let before = lock_meeting(conn, id).await?.ok_or_else(|| Abort::Rejected(unknown(id)))?;
            let change = decide(before.clone()).map_err(Abort::Rejected)?;
            let strangers: Vec<&str> = newcomers(&before, &change.meeting);
            if !strangers.is_empty() {
                let known = users::table.filter(users::email.eq_any(&strangers)).select(users::email);
                let known: Vec<String> = known.load(conn).await?;
                all_known(strangers.iter().copied(), &known)?;
                check_quota(conn, &self.auth, &strangers, before.organizer.as_str()).await?;
            }
            save_change(conn, &self.owner, Some(&before), &change).await?;
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
        found.map(|document| Document { document }.read()).transpose()
    }

    /// A page of meetings in the order of their making.
    pub async fn meetings(&self, page: &Page) -> Result<Vec<Meeting>, Error> {
        let found: Vec<String> = match &page.attendee {
            Some(email) => read!(self.owner.db, |conn| meetings::table
                .inner_join(attendees::table.on(attendees::meeting_id.eq(meetings::id)))
                .filter(attendees::email.eq(email.as_str()))
                .filter(meetings::id.gt(&page.after))
                .order(meetings::id.asc())
                .limit(page.limit)
                .select(meetings::document)
                .load(conn))?,
            None => read!(self.owner.db, |conn| meetings::table
                .filter(meetings::id.gt(&page.after))
                .order(meetings::id.asc())
                .limit(page.limit)
                .select(meetings::document)
                .load(conn))?,
        };
        found.into_iter().map(|document| Document { document }.read()).collect()
    }

    /// The names, addresses and zones of these users.
    pub async fn people(&self, emails: &[Email]) -> Result<HashMap<String, Person>, Error> {
        let emails: Vec<&str> = emails.iter().map(Email::as_str).collect();
        let rows: Vec<(String, Person)> = read!(self.owner.db, |conn| users::table
            .filter(users::email.eq_any(&emails))
            .select((users::email, (users::name, users::typed_email, users::time_zone)))
            .load(conn))?;
        Ok(rows.into_iter().collect())
    }

    /// When these users cannot meet, within a period.
    pub async fn busy(&self, emails: &[&str], period: Period) -> Result<Vec<Busy>, Error> {
        let (from, to) = (stored(period.start), stored(period.end));
        let mut found = Vec::new();
        for chunk in emails.chunks(CHUNK) {
            let rows: Vec<(String, jiff_diesel::DateTime, jiff_diesel::DateTime)> =
                read!(self.owner.db, |conn| busy::table
                    .filter(busy::email.eq_any(chunk))
                    .filter(busy::starts_at.lt(to))
                    .filter(busy::ends_at.gt(from))
                    .select((busy::email, busy::starts_at, busy::ends_at))
                    .load(conn))?;
            for (email, start, end) in rows {
                let wrong = || Error::Corrupt(format!("a busy period of {email}"));
                let at = |at| instant::read(at).ok_or_else(wrong);
                found.push(Busy {
                    email: Email::parse(&email).map_err(|_| wrong())?,
                    start: at(start)?,
                    end: at(end)?,
                });
            }
        }
        Ok(found)
    }

    /// Every attempt to reach somebody outside for a meeting, the first one first.
    pub async fn deliveries(&self, meeting: Uuid) -> Result<Vec<DeliveryRow>, Error> {
        let id = meeting.to_string();
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

/// The organizer's zone, if everybody who is asked to come is a user.
fn home_of(wish: &Wish, known: &[(String, String)]) -> Result<Zone, Abort> {
    let emails: Vec<String> = known.iter().map(|(email, _)| email.clone()).collect();
    all_known(wish.attendees.iter().map(|one| one.email.as_str()), &emails)?;
    let home = known.iter().find(|(email, _)| email == wish.organizer.as_str());
    Ok(home.and_then(|(_, zone)| Zone::parse(zone).ok()).unwrap_or_else(Zone::utc))
}

fn newcomers<'a>(before: &Meeting, after: &'a Meeting) -> Vec<&'a str> {
    let known = before.emails();
    after.attendees.iter().filter(|one| !known.contains(&one.email)).map(|one| one.email.as_str()).collect()
}

fn all_known<'a>(asked: impl Iterator<Item = &'a str>, known: &[String]) -> Result<(), Abort> {
    let unknown: Vec<String> = asked.filter(|email| !known.iter().any(|one| one == email)).map(str::to_owned).collect();
    match unknown.as_slice() {
        [] => Ok(()),
        [first, ..] => {
            let detail =
                format!("nobody is registered as {first}{}", if unknown.len() > 1 { ", and more" } else { "" });
            Err(Abort::Rejected(Problem { unknown, ..Problem::new(UNKNOWN_USER, detail) }))
        }
    }
}
