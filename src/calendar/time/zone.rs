//! Time zones: an IANA name and the rules behind it, from the one database of the process.

use super::fault::truncate_for_message;
use super::{windows_zones, zone_data};
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, Zoned, civil::DateTime, tz::Offset};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::borrow::Cow;
use std::hash::{Hash, Hasher};

/// A time zone of the IANA database; cheap to clone. Two zones are equal if their current names are: `Asia/Calcutta` is
/// `Asia/Kolkata`.
///
/// The database is compiled in, so every machine gives the same answers, unless another one is installed at start.
#[derive(Clone, Debug)]
pub struct Zone {
    rules: TimeZone,
    /// The current name, if the zone has an old one.
    current_name: Option<&'static str>,
}

/// The text names no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {found:?}: use an IANA name such as Europe/Paris")]
pub struct ZoneError {
    /// The text, truncated.
    found: String,
}

/// A period in which a zone's offset stays the same; Unix seconds, half-open.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub start: i64,
    pub end: i64,
    /// Wall clock minus UTC, in seconds.
    pub offset: i64,
}

impl Zone {
    /// Reads an IANA name in any case; the database's own spelling is kept. A Windows name, as Exchange and Graph send it, becomes
    /// the IANA name of the same zone.
    ///
    /// # Errors
    /// For everything that is no such name: fixed offsets (`+05:30`), paths, abbreviations, nothing.
    pub fn parse(text: &str) -> Result<Zone, ZoneError> {
        let found = Zone::of_iana_name(text).or_else(|| Zone::of_iana_name(windows_zones::iana_name(text)?));
        found.ok_or_else(|| ZoneError { found: truncate_for_message(text).into_owned() })
    }

    fn of_iana_name(name: &str) -> Option<Zone> {
        // A zone that was seen before is not parsed again.
        let zone = Zone { rules: zone_data::find_rules(name)?, current_name: zone_data::current_name(name) };
        zone.is_real_zone().then_some(zone)
    }

    /// All zones of the database.
    pub fn list_all() -> impl Iterator<Item = Zone> {
        zone_data::list_names().filter_map(Zone::of_iana_name)
    }

    /// `UTC`.
    pub fn utc() -> Zone {
        Zone { rules: TimeZone::UTC, current_name: zone_data::current_name("UTC") }
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        // `parse` refuses zones without a name.
        self.rules.iana_name().unwrap_or("UTC")
    }

    /// The name by which zones are compared.
    fn current_name(&self) -> &str {
        self.current_name.unwrap_or_else(|| self.name())
    }

    /// Whether the name is a zone: two names of the database mean "no zone was set".
    fn is_real_zone(&self) -> bool {
        !self.rules.is_unknown() && self.rules.iana_name().is_some_and(|name| name != "Factory")
    }

    /// The wall clock at an instant.
    pub fn datetime_at(&self, instant: Timestamp) -> Zoned {
        instant.to_zoned(self.rules.clone())
    }

    /// The date on the wall clock at an instant.
    pub fn date_at(&self, instant: Timestamp) -> Date {
        self.rules.to_datetime(instant).date()
    }

    /// The instant at which a date begins on the wall clock.
    pub fn start_of(&self, date: Date) -> Timestamp {
        date.to_zoned(self.rules.clone()).map_or(Timestamp::MAX, |start| start.timestamp())
    }

    /// The instant as RFC 3339 text on the wall clock, with its offset.
    ///
    /// RFC 3339 has no seconds in offsets. An offset that has them is rounded to the minute, and the time of day with it, so that
    /// the instant stays exact.
    pub fn format_rfc3339(&self, instant: Timestamp) -> String {
        let minutes = (self.rules.to_offset(instant).seconds() + 30).div_euclid(60);
        let offset = Offset::from_seconds(60 * minutes).unwrap_or(Offset::UTC);
        instant.display_with_offset(offset).to_string()
    }

    /// The rules behind the name.
    pub(in crate::calendar) fn rules(&self) -> &TimeZone {
        &self.rules
    }

    /// Wall clock minus UTC at an instant, in seconds.
    pub(in crate::calendar) fn offset_at(&self, second: i64) -> i64 {
        i64::from(self.rules.to_offset(timestamp(second)).seconds())
    }

    /// The first instant of a date: midnight (the earlier of two), or where a gap over midnight ends.
    pub(in crate::calendar) fn start_of_day(&self, date: Date) -> i64 {
        let midnight = date.at(0, 0, 0, 0);
        match self.rules.to_ambiguous_timestamp(midnight).offset() {
            AmbiguousOffset::Unambiguous { offset } => second_at(midnight, offset),
            AmbiguousOffset::Fold { before, .. } => second_at(midnight, before),
            AmbiguousOffset::Gap { before, after } => {
                // Read with the later offset, a midnight that does not exist lies before the jump.
                let eve = timestamp(second_at(midnight, after));
                let jump = self.rules.following(eve).next();
                jump.map_or(second_at(midnight, before), |jump| jump.timestamp().as_second())
            }
        }
    }

    /// 12:00 of a date.
    pub(super) fn noon(&self, date: Date) -> i64 {
        let noon = self.rules.to_ambiguous_timestamp(date.at(12, 0, 0, 0)).compatible();
        noon.map_or(0, Timestamp::as_second)
    }

    /// The segments that make up `start..end` (Unix seconds); none if that is empty.
    pub(in crate::calendar) fn segments(&self, start: i64, end: i64) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut at = Segment { start, end, offset: self.offset_at(start) };
        for transition in self.rules.following(timestamp(start)) {
            let jump = transition.timestamp().as_second();
            if jump >= end {
                break;
            }
            segments.push(Segment { end: jump, ..at });
            at.start = jump;
            at.offset = i64::from(transition.offset().seconds());
        }
        if at.start < end {
            segments.push(at);
        }
        segments
    }
}

/// The instant of a Unix second. Those of a search window (years 1970..=2199) are always in jiff's range.
pub(in crate::calendar) fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// The Unix second at which clocks `offset` from UTC show `wall`.
fn second_at(wall: DateTime, offset: Offset) -> i64 {
    let as_utc = wall.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    as_utc.as_secs() - i64::from(offset.seconds())
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.current_name() == other.current_name()
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.current_name().hash(state);
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
        Zone::parse(&Cow::<str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Zone, ZoneError};
    use jiff::civil::{Date, date};
    use serde_json::json;

    fn midnight(zone: &str, date: Date) -> Result<String, ZoneError> {
        Ok(super::timestamp(Zone::parse(zone)?.start_of_day(date)).to_string())
    }

    #[test]
    fn a_name_is_read_in_any_case_and_keeps_its_own_spelling() -> Result<(), ZoneError> {
        assert_eq!(Zone::parse("europe/BERLIN")?.name(), "Europe/Berlin");
        assert_eq!(Zone::parse("utc")?, Zone::utc());
        assert_eq!(json!(Zone::parse("asia/kolkata")?), "Asia/Kolkata");
        assert!(serde_json::from_value::<Zone>(json!("Europe/Paris")).is_ok());
        Ok(())
    }

    #[test]
    fn old_and_windows_names_are_the_zones_that_they_mean() -> Result<(), ZoneError> {
        let old = Zone::parse("asia/calcutta")?;
        assert_eq!((old.name(), &old), ("Asia/Calcutta", &Zone::parse("Asia/Kolkata")?));
        assert_eq!(Zone::parse("Etc/UTC")?, Zone::utc());
        assert_ne!(old, Zone::parse("Asia/Colombo")?);
        assert_eq!(Zone::parse("Eastern Standard Time")?.name(), "America/New_York");
        assert_eq!(Zone::parse("w. europe standard time")?.name(), "Europe/Berlin");
        Ok(())
    }

    #[test]
    fn the_data_knows_that_cuba_keeps_its_summer_time() -> Result<(), ZoneError> {
        assert_eq!(midnight("America/Havana", date(2026, 12, 7))?, "2026-12-07T04:00:00Z");
        Ok(())
    }

    #[test]
    fn other_texts_are_refused() {
        let bad = ["", " ", "+05:30", "GMT+25", "Mars/Olympus", "../../etc/passwd", "Etc/Unknown"];
        for text in bad.into_iter().chain(["Factory", "Europe/", "/etc/localtime", "Z", "\0"]) {
            assert!(Zone::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_shows_the_text_and_a_way_out() {
        let error = Zone::parse(&"x".repeat(1000)).err().map(|error| error.to_string());
        let shown = format!("{}…", "x".repeat(40));
        let text = format!("unknown time zone {shown:?}: use an IANA name such as Europe/Paris");
        assert_eq!(error, Some(text));
    }

    #[test]
    fn a_day_starts_at_its_first_instant() -> Result<(), ZoneError> {
        // Midnight does not exist, exists twice, and the whole day does not exist.
        let gap = midnight("America/Sao_Paulo", date(2017, 10, 15))?;
        assert_eq!(gap, "2017-10-15T03:00:00Z");
        let fold = midnight("America/Havana", date(2025, 11, 2))?;
        assert_eq!(fold, "2025-11-02T04:00:00Z");
        let skipped = midnight("Pacific/Apia", date(2011, 12, 30))?;
        assert_eq!(skipped, midnight("Pacific/Apia", date(2011, 12, 31))?);
        Ok(())
    }

    #[test]
    fn a_day_starts_where_a_gap_over_midnight_ends() -> Result<(), ZoneError> {
        // 23:30 jumped to 00:30: the date's first instant shows 00:30.
        assert_eq!(midnight("America/Toronto", date(1919, 3, 31))?, "1919-03-31T04:30:00Z");
        Ok(())
    }
}
