//! What user and the worker tell each other about a subscribed calendar.

use serde::{Deserialize, Serialize};

use crate::platform::outbound::calendar_source::{Fetched, Validators};

/// A subscription to be looked after.
#[derive(Debug, Serialize, Deserialize)]
pub struct CalendarSubscription {
    /// Where it is published. Whoever knows it may read the calendar.
    pub url: String,
    /// What was seen of it before.
    pub seen: Validators,
}

/// What came of looking.
#[derive(Serialize, Deserialize)]
pub struct RefreshReport {
    /// Which attempt.
    pub attempt: i32,
    /// What is there.
    pub fetched: Fetched,
}
