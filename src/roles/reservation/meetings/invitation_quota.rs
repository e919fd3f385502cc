//! How many meetings a day may invite one person: an account could fill any mailbox otherwise.

use diesel::prelude::*;
use jiff::SignedDuration;

use crate::config::{Auth, AuthMode};
use crate::platform::data::instant::{now, stored};
use crate::platform::data::{Abort, Connection, RunQueryDsl};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::reservation::schema::{attendees, meetings, subjects};
use crate::roles::user::api::problems::TOO_MANY_LETTERS;

/// Seconds until a retry makes sense: the invitations of a day expire one by one.
const HOUR: u32 = 3600;

/// Refuses another invitation of one of these people if they were invited as often within a day as the settings allow.
///
/// # Errors
/// 429 that names the first of them.
pub async fn check_quota(
    conn: &mut Connection,
    auth: &Auth,
    invited: impl Iterator<Item = &Email>,
    organizer: &Email,
) -> Result<(), Abort> {
    let limit = auth.invitations_per_day;
    if limit == 0 || auth.mode == AuthMode::Open {
        return Ok(());
    }
    let now = now();
    let yesterday = stored(now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now));
    let invited: Vec<&str> = invited.filter(|email| *email != organizer).map(Email::as_str).collect();
    let counts: Vec<(String, i64)> = attendees::table
        .inner_join(meetings::table.on(meetings::id.eq(attendees::meeting_id)))
        .inner_join(subjects::table.on(subjects::id.eq(attendees::subject)))
        .filter(subjects::email.eq_any(invited).and(meetings::organizer.ne(attendees::subject)))
        .filter(meetings::created_at.gt(yesterday))
        .group_by(subjects::email)
        .select((subjects::email, diesel::dsl::count_star()))
        .load(conn)
        .await?;
    let Some((email, _)) = counts.iter().find(|(_, count)| *count >= limit) else { return Ok(()) };
    // the exact number would tell how often others invite this person
    let detail =
        format!("{email} was invited to {limit} meetings within a day, the most that is allowed; try again later");
    Err(Abort::Rejected(Problem { retry_after: Some(HOUR), ..Problem::new(TOO_MANY_LETTERS, detail) }))
}
