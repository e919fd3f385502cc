//! How much time of somebody who has not answered the meetings of one organizer hold: one account cannot take the days of another.

use diesel::prelude::*;

use super::model::Meeting;
use super::rows::read_meeting;
use crate::config::{Auth, AuthMode};
use crate::platform::data::instant::now;
use crate::platform::data::{Connection, Error, RunQueryDsl, exclusive};
use crate::platform::email::Email;
use crate::roles::reservation::api::meetings::Participation;
use crate::roles::reservation::holds::quarter_at;
use crate::roles::reservation::schema::{holds, meetings, subjects};
use crate::roles::reservation::subjects::find_subjects;

/// Meetings of one organizer that hold time of one attendee who has not accepted them.
const MAX_UNANSWERED: usize = 5;

/// The required attendees, apart from those whose time the meeting held `before`, of whom meetings of the same organizer hold enough time already. This meeting holds their time when they
/// accept. Where callers need not sign in, there is no bound.
pub async fn find_exhausted(
    conn: &mut Connection,
    auth: &Auth,
    before: Option<&Meeting>,
    meeting: &Meeting,
) -> Result<Vec<Email>, Error> {
    if auth.mode == AuthMode::Open {
        return Ok(Vec::new());
    }
    let waits = |meeting: &Meeting, email: &Email| {
        meeting.attendee(email).is_some_and(|one| one.participation != Participation::Accepted)
    };
    let required = meeting.attendees.iter().filter(|one| one.attendance.is_required()).map(|one| &one.email);
    let held = before.map(Meeting::held).unwrap_or_default();
    let asked: Vec<&Email> = required.filter(|email| waits(meeting, email) && !held.contains(email)).collect();
    let mine = subjects::table.filter(subjects::email.eq_any(asked.iter().map(|email| email.as_str())));
    // two meetings that are arranged at once are counted one after the other; in one order, so that they never wait for each other
    let ids: Vec<String> = exclusive(mine.order(subjects::id).select(subjects::id)).load(conn).await?;
    let organizer = find_subjects(conn, std::slice::from_ref(&meeting.organizer)).await?;
    let Some(organizer) = organizer.get(meeting.organizer.as_str()) else { return Ok(Vec::new()) };
    let ahead = holds::table.filter(holds::subject.eq_any(ids)).filter(holds::quarter.ge(quarter_at(now())));
    let others = meetings::table
        .filter(meetings::organizer.eq(&organizer.id))
        .filter(meetings::id.ne(meeting.id.to_string()))
        .filter(meetings::id.eq_any(ahead.select(holds::meeting_id)))
        .select(meetings::document);
    let others: Vec<String> = others.load(conn).await?;
    let others = others.iter().map(|document| read_meeting(document)).collect::<Result<Vec<Meeting>, Error>>()?;
    let holding = |email: &Email| others.iter().filter(|one| waits(one, email) && one.held().contains(&email)).count();
    Ok(asked.into_iter().filter(|email| holding(email) >= MAX_UNANSWERED).cloned().collect())
}
