//! What jobs of this role carry: the input of the worker's handlers.

use serde::Serialize;

use super::calendars::CalendarSubscription;
use super::letters::AccountMail;

/// The kinds of jobs, each with its input.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobPayload {
    /// Fetch a subscribed calendar.
    RefreshCalendar(CalendarSubscription),
    /// Mail a user about their account.
    SendLetter(AccountMail),
    /// A kind that this release does not know.
    Other,
}
