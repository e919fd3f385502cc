//! Instants as both databases keep them: UTC, to the microsecond.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use jiff_diesel::{DateTime, ToDiesel as _};

/// Now, to the microsecond: PostgreSQL keeps no more.
pub fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// As a column holds it.
pub fn stored(at: Timestamp) -> DateTime {
    TimeZone::UTC.to_datetime(at).to_diesel()
}

/// As a column held it; `None` for what no clock shows.
pub fn read(at: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(at.to_jiff()).ok()
}
