//! What user and the worker tell each other about a subscribed calendar.

use serde::{Deserialize, Serialize};

use crate::platform::outbound::calendar_source::{Fetched, Seen};

/// A subscription to be looked after.
#[derive(Debug, Serialize, Deserialize)]
pub struct Feed {
    /// Where it is published. Whoever knows it may read the calendar.
    pub url: String,
    /// What was seen of it before.
    pub seen: Seen,
}

/// What came of looking.
#[derive(Serialize, Deserialize)]
pub struct Refreshed {
    /// Which attempt.
    pub attempt: i32,
    /// What is there.
    pub fetched: Fetched,
}
