//! The kinds of jobs of this role, and what they are created with.

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::platform::email::Email;
use crate::platform::jobs::model::{JobKind, NewJob, Retention};
use crate::roles::user::api::account_mail::Purpose;

/// Refreshes a subscribed calendar. There are many, and successes teach nothing.
pub const REFRESH_CALENDAR: JobKind =
    JobKind { retention: Retention::DayAfterSuccess, ..JobKind::new("refresh_calendar") };
/// Mails a one-time code. After a day its code has expired; the code outlives it, for it says whose it was.
pub const ACCOUNT_MAIL: JobKind =
    JobKind { redact_on_success: true, retention: Retention::Day, ..JobKind::new("send_letter") };

/// All of them.
pub const ALL: &[JobKind] = &[REFRESH_CALENDAR, ACCOUNT_MAIL];

/// The payload of [`ACCOUNT_MAIL`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CodeMail {
    pub purpose: Purpose,
    pub email: Email,
    /// The code that the link in it carries.
    pub code: String,
    /// How long it works.
    pub minutes: u32,
}

/// The refresh of a subscribed calendar.
pub fn refresh() -> NewJob {
    NewJob::new(&REFRESH_CALENDAR, json!({}))
}

/// The mail of a one-time code, under the code's id.
pub fn code_mail(id: Uuid, mail: &CodeMail) -> NewJob {
    NewJob { id, ..NewJob::new(&ACCOUNT_MAIL, json!(mail)) }
}
