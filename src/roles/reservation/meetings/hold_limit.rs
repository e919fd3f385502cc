//! How much time of somebody who has not answered the meetings of one organizer hold: one account cannot take the days of another.

use diesel::prelude::*;
use jiff::SignedDuration;

use super::model::Meeting;
use super::rows::read_meeting;
use crate::config::{Auth, AuthMode};
use crate::platform::data::instant::now;
use crate::platform::data::{Connection, Error, RunQueryDsl};
use crate::platform::email::Email;
use crate::roles::reservation::api::meetings::Period;
use crate::roles::reservation::holds::quarter_at;
use crate::roles::reservation::schema::{holds, meetings, subjects};

/// Meetings of one organizer that hold time of one attendee who has not accepted them.
const MAX_UNANSWERED: usize = 5;
/// The time that those meetings hold of one attendee: a working day.
const MAX_UNANSWERED_TIME: SignedDuration = SignedDuration::from_hours(8);
/// The time that such meetings of all organizers hold of one attendee: somebody may have many accounts.
const MAX_UNANSWERED_TIME_OF_ALL: SignedDuration = SignedDuration::from_hours(16);

/// Finds the attendees who have not accepted this meeting, and of whom meetings that they have not accepted already hold too much time. This
/// meeting holds their time only when they accept. A hold that the meeting had `before` stays as long as the meeting keeps its time.
/// Where callers need not sign in, there is no limit. The caller has locked all attendees, so that of two meetings that are arranged at once
/// each counts the other.
pub async fn find_exhausted(
    conn: &mut Connection,
    auth: &Auth,
    before: Option<&Meeting>,
    meeting: &Meeting,
) -> Result<Vec<Email>, Error> {
    let Some(period) = meeting.time().filter(|_| auth.mode != AuthMode::Open) else { return Ok(Vec::new()) };
    let held_before = before.map(Meeting::held).unwrap_or_default();
    let is_new = |email: &Email| !held_before.contains(&email);
    let has_moved = before.is_none_or(|before| before.time() != Some(period));
    let unanswered = |email: &&Email| !meeting.has_accepted(email) && (has_moved || is_new(email));
    let asked: Vec<&Email> = meeting.held().into_iter().filter(unanswered).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let mine = subjects::table.filter(subjects::email.eq_any(asked.iter().map(|email| email.as_str())));
    let ids: Vec<String> = mine.select(subjects::id).load(conn).await?;
    let ahead = holds::table.filter(holds::subject.eq_any(ids)).filter(holds::quarter.ge(quarter_at(now())));
    let others = meetings::table
        .filter(meetings::id.ne(meeting.id.to_string()))
        .filter(meetings::id.eq_any(ahead.select(holds::meeting_id)))
        .select(meetings::document);
    let others: Vec<String> = others.load(conn).await?;
    let others = others.iter().map(|document| read_meeting(document)).collect::<Result<Vec<Meeting>, Error>>()?;
    let is_exhausted = |email: &Email| {
        let holding = others.iter().filter(|one| !one.has_accepted(email) && one.held().contains(&email));
        let (mine, of_others): (Vec<&Meeting>, Vec<&Meeting>) =
            holding.partition(|one| one.organizer == meeting.organizer);
        let sum = |of: &[&Meeting]| of.iter().filter_map(|one| one.time()).map(length).sum::<SignedDuration>();
        let time = sum(&mine) + length(period);
        is_new(email) && mine.len() >= MAX_UNANSWERED
            || time > MAX_UNANSWERED_TIME
            || time + sum(&of_others) > MAX_UNANSWERED_TIME_OF_ALL
    };
    Ok(asked.into_iter().filter(|email| is_exhausted(email)).cloned().collect())
}

fn length(period: Period) -> SignedDuration {
    period.start.duration_until(period.end)
}
