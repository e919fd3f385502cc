//! How many meetings a day may ask one person to come: whoever has an account could fill anybody's mailbox otherwise.

use crate::platform::http::problem::{Problem, TOO_MANY_LETTERS};
use crate::roles::user::store::Stop;

/// Seconds after which it is worth asking again: the day passes by the hour.
const HOUR: u32 = 3600;

/// Refuses to ask these people to one more meeting of this organizer, within a transaction, if one of them was asked to as many
/// within a day as may be.
macro_rules! check_flood {
    ($store:expr, $conn:ident, $emails:expr, $organizer:expr) => {{
        use $crate::roles::user::schema::{attendees, meetings};
        let (most, organizer) = ($store.auth.invitations_per_day, $organizer.as_str());
        if most > 0 && $store.auth.mode != $crate::config::AuthMode::Open {
            let now = $crate::platform::data::instant::now();
            let day = now.saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap_or(now);
            let asked: Vec<&str> = $emails.iter().copied().filter(|email| *email != organizer).collect();
            let counts: Vec<(String, i64)> = attendees::table
                .inner_join(meetings::table.on(meetings::id.eq(attendees::meeting_id)))
                .filter(attendees::email.eq_any(asked).and(meetings::organizer.ne(attendees::email)))
                .filter(meetings::created_at.gt($crate::platform::data::instant::stored(day)))
                .group_by(attendees::email)
                .select((attendees::email, diesel::dsl::count_star()))
                .load($conn)
                .await?;
            $crate::roles::user::meetings::flood::check(&counts, most)?;
        }
    }};
}
pub(super) use check_flood;

/// Names the first who was asked often enough, but not how often: that is nobody else's business.
pub(super) fn check(counts: &[(String, i64)], most: i64) -> Result<(), Stop> {
    let Some((email, _)) = counts.iter().find(|(_, count)| *count >= most) else { return Ok(()) };
    let detail = format!("{email} was asked to {most} meetings within a day, and no more are allowed; try again later");
    Err(Stop::Refused(Problem { retry_after: Some(HOUR), ..Problem::new(TOO_MANY_LETTERS, detail) }))
}
