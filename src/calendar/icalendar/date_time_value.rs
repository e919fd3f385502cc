//! A date or a time with the rules of its zone, and how long an event lasts.

use super::values::{DurationValue, midnight_before};
use super::zone_rules::ZoneRules;
use crate::calendar::time::SECONDS_PER_DAY;

/// A DATE or DATE-TIME with the rules of its zone.
#[derive(Clone)]
pub struct DateTimeValue {
    pub zone: ZoneRules,
    pub wall: i64,
    /// Whether the value is a whole day.
    pub is_date: bool,
    /// Whether the value is written in UTC, so that it tells no wall clock.
    pub is_utc: bool,
}

impl DateTimeValue {
    /// The day of a midnight.
    pub fn day(&self) -> Option<DateTimeValue> {
        let is_midnight = midnight_before(self.wall) == self.wall;
        let day = || DateTimeValue { zone: ZoneRules::Floating, wall: self.wall, is_date: true, is_utc: false };
        is_midnight.then(day)
    }

    /// Whether this is a time without a zone.
    pub fn is_floating_time(&self) -> bool {
        !self.is_date && self.zone.is_floating()
    }

    /// The wall clock of another zone at this time; without a zone on either side, the same wall clock.
    pub fn wall_in(&self, zone: &ZoneRules) -> i64 {
        match self.zone.is_floating() || zone.is_floating() {
            true => self.wall,
            false => zone.wall(self.zone.instant(self.wall)),
        }
    }

    /// The seconds from this start to an end. If only one of them floats, it is placed on the clock of the other, or on `home`, the
    /// clock of the owner, if the other is in UTC.
    pub fn seconds_to(&self, end: &DateTimeValue, home: &ZoneRules) -> i64 {
        let clock_of = |other: &DateTimeValue| if other.is_utc { home.clone() } else { other.zone.clone() };
        match (self.zone.is_floating(), end.zone.is_floating()) {
            (true, true) => end.wall - self.wall,
            (false, false) => end.zone.instant(end.wall) - self.zone.instant(self.wall),
            (false, true) => clock_of(self).instant(end.wall) - self.zone.instant(self.wall),
            (true, false) => clock_of(end).wall(end.zone.instant(end.wall)) - self.wall,
        }
    }
}

/// How long an occurrence lasts.
#[derive(Clone, Copy)]
pub enum EventDuration {
    /// Seconds.
    Exact(i64),
    /// Days on the wall clock, then seconds.
    Nominal(DurationValue),
}

impl EventDuration {
    /// The seconds, if each day has 24 hours.
    pub fn max_seconds(self) -> i64 {
        match self {
            EventDuration::Exact(seconds) => seconds.max(0),
            EventDuration::Nominal(duration) => duration.days * SECONDS_PER_DAY + duration.seconds,
        }
    }

    /// The Unix second at which an occurrence ends that starts at this wall clock.
    pub fn end(self, zone: &ZoneRules, wall: i64) -> i64 {
        match self {
            EventDuration::Exact(seconds) => zone.instant(wall) + seconds,
            EventDuration::Nominal(DurationValue { days, seconds }) => {
                zone.instant(wall + days * SECONDS_PER_DAY) + seconds
            }
        }
    }
}
