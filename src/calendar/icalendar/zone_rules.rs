//! From wall clock to instant and back, by the rules of a zone.

use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::values::{seconds_to_wall, wall_to_seconds};
use crate::calendar::time::Zone;

/// The rules of a time zone.
#[derive(Clone, Debug)]
pub enum ZoneRules {
    /// No zone: the wall clock of the reader (RFC 5545, floating time).
    Floating,
    /// A zone of the IANA database.
    Iana(TimeZone),
    /// The changes of a VTIMEZONE, in order and not empty.
    Custom(Rc<[OffsetChange]>),
}

/// A change of a zone's offset, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct OffsetChange {
    /// The wall clock at the change, by the offset before it.
    pub(super) wall: i64,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl ZoneRules {
    /// The rules of an IANA zone.
    pub fn of_zone(zone: &Zone) -> ZoneRules {
        ZoneRules::Iana(zone.rules().clone())
    }

    /// The rules of UTC.
    pub fn utc() -> ZoneRules {
        ZoneRules::Iana(TimeZone::UTC)
    }

    /// Whether the wall clock has no zone.
    pub fn is_floating(&self) -> bool {
        matches!(self, ZoneRules::Floating)
    }

    /// The Unix second at which the clock shows `wall`: the earlier of two, and in a gap, the one by the offset before it (RFC
    /// 5545, 3.3.5).
    pub fn instant(&self, wall: i64) -> i64 {
        match self {
            ZoneRules::Floating => wall,
            ZoneRules::Iana(zone) => {
                let found = zone.to_ambiguous_timestamp(seconds_to_wall(wall)).compatible();
                found.map_or(wall, Timestamp::as_second)
            }
            ZoneRules::Custom(changes) => {
                let later = changes.partition_point(|change| change.wall <= wall);
                match (later.checked_sub(1).map(|last| changes[last]), changes.first()) {
                    (Some(last), _) if wall - last.wall < last.to - last.from => wall - last.from,
                    (Some(last), _) => wall - last.to,
                    (None, first) => wall - first.map_or(0, |first| first.from),
                }
            }
        }
    }

    /// What the clock shows at a Unix second.
    pub fn wall(&self, instant: i64) -> i64 {
        match self {
            ZoneRules::Floating => instant,
            ZoneRules::Iana(zone) => {
                Timestamp::from_second(instant).map_or(instant, |at| wall_to_seconds(zone.to_datetime(at)))
            }
            ZoneRules::Custom(changes) => {
                let later = changes.partition_point(|change| change.wall - change.from <= instant);
                let last = later.checked_sub(1).map(|last| changes[last].to);
                instant + last.or(changes.first().map(|first| first.from)).unwrap_or(0)
            }
        }
    }
}
