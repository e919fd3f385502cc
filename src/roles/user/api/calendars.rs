//! What user and the worker tell each other about a subscribed calendar.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::platform::outbound::calendar_source::{Fetched, Validators};

/// A subscription to be looked after.
#[derive(Serialize, Deserialize)]
pub struct CalendarSubscription {
    /// The URL of the calendar, which may contain a password. Everyone who knows the URL can read the calendar.
    pub url: String,
    /// What was seen of it before.
    pub seen: Validators,
}

impl fmt::Debug for CalendarSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the URL is secret
        f.debug_struct("CalendarSubscription").finish_non_exhaustive()
    }
}

/// What came of looking.
#[derive(Serialize, Deserialize)]
pub struct RefreshReport {
    /// Which attempt.
    pub attempt: i32,
    /// What is there.
    pub fetched: Fetched,
}
