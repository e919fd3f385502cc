//! Reads the time zones of a calendar: IANA names first, then Windows names, then VTIMEZONE (RFC 5545, 3.6.5).

use std::collections::HashMap;

use super::content_line::IcsError;
use super::parser::Component;
use super::recurrence::{ExpansionLimit, expand_rule};
use super::values::{DateOrTime, parse_date_or_time, parse_utc_offset};
use super::windows_zones::zone_of_windows_name;
use super::zone_rules::{OffsetChange, ZoneRules};
use crate::calendar::time::{SECONDS_PER_DAY, Zone};

/// How far before the dates of interest the rules of a zone are expanded, so that they include the last change before.
const LOOK_BACK: i64 = 3 * 366 * SECONDS_PER_DAY;

/// The zones of one calendar. Each is read when a property first names it.
pub struct CalendarZones<'a> {
    definitions: Vec<&'a Component<'a>>,
    known: HashMap<String, ZoneRules>,
    /// The dates of interest, on any wall clock.
    from: i64,
    to: i64,
}

impl<'a> CalendarZones<'a> {
    /// The zones that these VTIMEZONE components define.
    pub fn new(definitions: Vec<&'a Component<'a>>, from: i64, to: i64) -> CalendarZones<'a> {
        CalendarZones { definitions, known: HashMap::new(), from, to }
    }

    /// The zone of this name, which a line refers to.
    ///
    /// # Errors
    /// The name is unknown, or its rules cannot be expanded.
    pub fn find(&mut self, name: &str, line: usize, limit: &mut ExpansionLimit<'_>) -> Result<ZoneRules, IcsError> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let is_named = |zone: &&&Component<'_>| zone.find("TZID").is_some_and(|line| line.value() == name);
        let definition = self.definitions.iter().find(is_named).copied();
        let location = definition.and_then(|zone| zone_of_name(zone.find("X-LIC-LOCATION")?.value()));
        let rules = match (zone_of_name(name).or(location), definition) {
            (Some(zone), _) => ZoneRules::of_zone(&zone),
            (None, Some(definition)) => ZoneRules::Custom(self.changes(definition, limit)?.into()),
            (None, None) => {
                let what = "this TZID is not an IANA name or a Windows name, and the calendar has no VTIMEZONE for it";
                return Err(IcsError::new(line, what));
            }
        };
        self.known.insert(name.to_owned(), rules.clone());
        Ok(rules)
    }

    fn changes(
        &self,
        definition: &Component<'_>,
        limit: &mut ExpansionLimit<'_>,
    ) -> Result<Vec<OffsetChange>, IcsError> {
        let mut changes = Vec::new();
        let is_observance = |one: &&Component<'_>| matches!(one.name.as_str(), "STANDARD" | "DAYLIGHT");
        for observance in definition.components.iter().filter(is_observance) {
            let invalid = |what: &str| IcsError::new(observance.line, what);
            let wall = |text: &str| match parse_date_or_time(text) {
                Some(DateOrTime::Local(wall) | DateOrTime::Date(wall)) => Ok(wall),
                _ => Err(invalid("the dates of a VTIMEZONE must be local, such as 19701025T030000")),
            };
            let value = |name: &str| observance.find(name).map_or("", |line| line.value());
            let start = wall(value("DTSTART"))?;
            let offsets = parse_utc_offset(value("TZOFFSETFROM")).zip(parse_utc_offset(value("TZOFFSETTO")));
            let (from, to) = offsets.ok_or_else(|| invalid("TZOFFSETFROM and TZOFFSETTO must be such as +0100"))?;
            let mut walls = vec![start];
            for line in observance.find_all("RDATE") {
                for date in line.bounded()?.value().split(',') {
                    walls.push(wall(date)?);
                }
            }
            let fixed = ZoneRules::Custom([OffsetChange { wall: i64::MIN / 2, from, to: from }].into());
            for line in observance.find_all("RRULE") {
                walls.extend(expand_rule(line.bounded()?, start, &fixed, self.from - LOOK_BACK, self.to, limit)?);
            }
            changes.extend(walls.into_iter().map(|wall| OffsetChange { wall, from, to }));
        }
        changes.sort_by_key(|change| change.wall);
        match changes.is_empty() {
            true => Err(IcsError::new(definition.line, "this VTIMEZONE is empty: it needs STANDARD or DAYLIGHT")),
            false => Ok(changes),
        }
    }
}

/// The zone that a name means without a VTIMEZONE: an IANA name, also behind a path
/// (`/mozilla.org/20050126_1/Europe/Berlin`), or a Windows name.
fn zone_of_name(name: &str) -> Option<Zone> {
    let name = name.trim();
    let has_path = name.starts_with('/') || name.contains("://");
    let tails = name.match_indices('/').map(|(at, _)| &name[at + 1..]).filter(|_| has_path);
    let iana = std::iter::once(name).chain(tails).find_map(|tail| Zone::parse(tail).ok());
    iana.or_else(|| zone_of_windows_name(name))
}

#[cfg(test)]
mod tests {
    use super::zone_of_name;

    #[test]
    fn names_are_found_behind_paths_and_among_windows_names() {
        for (name, zone) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("/freeassociation.sourceforge.net/Tzfile/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
            ("/mozilla.org/20050126_1/Europe/Paris", "Europe/Paris"),
            ("tzone://Microsoft/Utc", "UTC"),
            ("W. Europe Standard Time", "Europe/Berlin"),
            ("Pacific Standard Time (Mexico)", "America/Tijuana"),
        ] {
            assert_eq!(zone_of_name(name).map(|zone| zone.name().to_owned()).as_deref(), Some(zone), "{name}");
        }
        for name in ["", "Customized Time Zone", "tzone://Microsoft/Custom", "Somewhere/Berlin/Mitte", "/"] {
            assert!(zone_of_name(name).is_none(), "{name}");
        }
    }
}
