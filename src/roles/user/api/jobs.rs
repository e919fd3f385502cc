//! What jobs of this role carry: the input of the worker's handlers.

use serde::Serialize;

use super::account_mail::AccountMail;
use super::calendars::CalendarSubscription;

/// The kinds of jobs, each with its input.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobPayload {
    /// Fetch a subscribed calendar.
    RefreshCalendar(CalendarSubscription),
    /// Mail a user about their account.
    #[serde(rename = "send_letter")]
    SendAccountMail(AccountMail),
    /// A kind that this release does not know.
    Other,
}
