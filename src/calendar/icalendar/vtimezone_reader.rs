//! Reads the time zones of a calendar: IANA names first, then Windows names, then VTIMEZONE (RFC 5545, 3.6.5), then what an unknown
//! name tells.

use std::collections::HashMap;

use super::content_line::IcsError;
use super::expansion_limit::ExpansionLimit;
use super::parser::Component;
use super::recurrence_parser::RecurrenceRule;
use super::values::{DateOrTime, parse_date_or_time, parse_utc_offset};
use super::warnings::Warnings;
use super::zone_names::{MAX_NAME, canonical_name, guess_zone};
use super::zone_rules::{OffsetChange, ZoneRules};
use crate::calendar::time::{SECONDS_PER_DAY, Zone};

/// How far before the dates of interest the rules of a zone are expanded, so that they include the last change before.
const LOOK_BACK: i64 = 3 * 366 * SECONDS_PER_DAY;
/// The most STANDARD and DAYLIGHT parts of a VTIMEZONE: a zone with the changes of a century has fewer.
const MAX_OBSERVANCES: usize = 100;
/// Zones of the database whose names many people write for a place with summer time.
const NEVER_SUMMER: [&str; 2] = ["EST", "MST"];
/// A wall clock before all others.
const LONG_AGO: i64 = i64::MIN / 2;

/// A property that names a zone.
#[derive(Clone, Copy)]
pub struct ZoneReference<'n> {
    name: &'n str,
    /// The line of the property, counted from 1.
    line: usize,
    /// The component of the property. That of a zone for the whole calendar is VCALENDAR.
    component: &'n str,
}

impl<'n> ZoneReference<'n> {
    /// A reference by a property of this line and component. A name that is too long is cut, so that it stays unknown, but takes
    /// little work.
    pub fn new(name: &'n str, line: usize, component: &'n str) -> ZoneReference<'n> {
        let name = name.char_indices().nth(MAX_NAME + 1).map_or(name, |(end, _)| &name[..end]);
        ZoneReference { name, line, component }
    }

    /// The zone of the name, if it needs no VTIMEZONE.
    pub fn known_zone(&self) -> Option<Zone> {
        zone_of_name(self.name)
    }
}

/// The zones of one calendar. Each is read when a property first names it.
pub struct CalendarZones<'a> {
    /// By canonical name.
    definitions: HashMap<String, &'a Component<'a>>,
    /// By canonical name; none if nothing tells the zone.
    known: HashMap<String, Option<ZoneRules>>,
    /// The dates of interest, on any wall clock.
    from: i64,
    to: i64,
}

impl<'a> CalendarZones<'a> {
    /// The zones that these VTIMEZONE components define.
    pub fn new(components: &[&'a Component<'a>], from: i64, to: i64) -> CalendarZones<'a> {
        let mut definitions = HashMap::new();
        for component in components {
            let name = component.find("TZID").map_or("", |line| line.value());
            definitions.entry(canonical_name(name)).or_insert(*component);
        }
        CalendarZones { definitions, known: HashMap::new(), from, to }
    }

    /// The zone that a property refers to; none if nothing tells which zone it is.
    ///
    /// # Errors
    /// The rules of the zone exceed the limit.
    pub fn find(
        &mut self,
        reference: ZoneReference<'_>,
        warnings: &mut Warnings,
        limit: &mut ExpansionLimit,
    ) -> Result<Option<ZoneRules>, IcsError> {
        let name = canonical_name(reference.name);
        if let Some(known) = self.known.get(&name) {
            return Ok(known.clone());
        }
        let definition = self.definitions.get(&name).copied();
        let location = definition.and_then(|zone| zone_of_name(zone.find("X-LIC-LOCATION")?.value()));
        let named = reference.known_zone();
        // A name such as GMT or EST does not say whether the clocks change: the calendar does.
        let is_place = |zone: &Zone| zone.name().contains('/') && !zone.name().starts_with("Etc/");
        let certain = named.clone().filter(is_place).or(location).map(|zone| ZoneRules::of_zone(&zone));
        let defined = match (&certain, definition) {
            (None, Some(definition)) => {
                let outer = limit.begin_component();
                let defined = self.read_definition(definition, warnings, limit);
                limit.resume_component(outer);
                warnings.leave_out("VTIMEZONE", defined)?.flatten()
            }
            _ => None,
        };
        let rules = match (certain.or(defined), named) {
            (Some(rules), _) => Some(rules),
            (None, Some(zone)) => {
                if NEVER_SUMMER.contains(&zone.name()) {
                    let what = "this abbreviation names a time zone without summer time, and no VTIMEZONE defines another; it is read without summer time";
                    warnings.add(reference.line, reference.component, what);
                }
                Some(ZoneRules::of_zone(&zone))
            }
            (None, None) => guess_with_warning(reference, warnings, limit)?,
        };
        self.known.insert(name, rules.clone());
        Ok(rules)
    }

    fn read_definition(
        &self,
        definition: &Component<'_>,
        warnings: &mut Warnings,
        limit: &mut ExpansionLimit,
    ) -> Result<Option<ZoneRules>, IcsError> {
        let is_observance = |one: &&Component<'_>| matches!(one.name.as_str(), "STANDARD" | "DAYLIGHT");
        let observances: Vec<&Component<'_>> = definition.components.iter().filter(is_observance).collect();
        if observances.len() > MAX_OBSERVANCES {
            let what = format!("this VTIMEZONE has more than {MAX_OBSERVANCES} observances; it is left out");
            warnings.add(definition.line, "VTIMEZONE", what);
            return Ok(None);
        }
        let mut changes = Vec::new();
        for observance in observances {
            let read = self.read_changes(observance, warnings, limit);
            changes.extend(warnings.tolerate(&observance.name, "it is left out", read)?.unwrap_or_default());
        }
        changes.sort_by_key(|change| change.wall);
        Ok((!changes.is_empty()).then(|| ZoneRules::Custom(changes.into())))
    }

    /// The changes of the offset by one observance. Some programs leave out what does not change.
    fn read_changes(
        &self,
        observance: &Component<'_>,
        warnings: &mut Warnings,
        limit: &mut ExpansionLimit,
    ) -> Result<Vec<OffsetChange>, IcsError> {
        let (line, name) = (observance.line, observance.name.as_str());
        let wall = |text: &str| match parse_date_or_time(text) {
            Some(DateOrTime::Local(wall) | DateOrTime::Date(wall) | DateOrTime::Utc(wall)) => Some(wall),
            None => None,
        };
        let value = |name: &str| observance.find(name).map_or("", |line| line.value());
        let (from, to) = (parse_utc_offset(value("TZOFFSETFROM")), parse_utc_offset(value("TZOFFSETTO")));
        let missing = || IcsError::new(line, "TZOFFSETFROM and TZOFFSETTO must be such as +0100");
        if from.is_none() || to.is_none() {
            warnings.add(line, name, "TZOFFSETFROM or TZOFFSETTO cannot be read; the other one counts for both");
        }
        let (from, to) = (from.or(to).ok_or_else(missing)?, to.or(from).ok_or_else(missing)?);
        let start = wall(value("DTSTART"));
        if start.is_none() {
            warnings.add(line, name, "this DTSTART cannot be read; the offset counts from the beginning");
        }
        let mut walls = vec![start.unwrap_or(LONG_AGO)];
        for line in observance.find_all("RDATE") {
            for date in line.value().split(',') {
                limit.count_occurrence(line.number)?;
                walls.extend(wall(date));
            }
        }
        let fixed = ZoneRules::Custom([OffsetChange { wall: LONG_AGO, from, to: from }].into());
        for line in observance.find_all("RRULE") {
            // Clocks change at night, mostly at two.
            let start = start.unwrap_or(2 * 3600);
            let expanded = RecurrenceRule::parse(line, &fixed)
                .and_then(|rule| rule.expand(line, start, self.from - LOOK_BACK, self.to, limit));
            walls.extend(warnings.tolerate(name, "the rule is left out", expanded)?.unwrap_or_default());
        }
        Ok(walls.into_iter().map(|wall| OffsetChange { wall, from, to }).collect())
    }
}

/// The zone that an unknown name tells, with a warning of what was assumed.
fn guess_with_warning(
    reference: ZoneReference<'_>,
    warnings: &mut Warnings,
    limit: &mut ExpansionLimit,
) -> Result<Option<ZoneRules>, IcsError> {
    limit.count_steps(reference.line, 50)?;
    let guess = guess_zone(reference.name);
    let assumption = match (&guess, reference.component) {
        (Some((_, shown)), _) => format!("it is read as {shown}, by its name"),
        (None, "VCALENDAR") => "times without a zone are read on the clock of the owner".to_owned(),
        (None, _) => "it is read on the clock of the calendar, or else of its owner".to_owned(),
    };
    let what = format!("this time zone is unknown, and no VTIMEZONE defines it: {assumption}");
    warnings.add(reference.line, reference.component, what);
    Ok(guess.map(|(rules, _)| rules))
}

/// The zone that a name means without a VTIMEZONE: an IANA name, also behind a path
/// (`/mozilla.org/20050126_1/Europe/Berlin`), or a Windows name.
fn zone_of_name(name: &str) -> Option<Zone> {
    let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    if name.len() > MAX_NAME {
        return None;
    }
    let has_path = name.starts_with('/') || name.contains("://");
    // No name of the database has more than three parts.
    let slashes: Vec<usize> = name.rmatch_indices('/').map(|(at, _)| at).take(if has_path { 3 } else { 0 }).collect();
    let tails = slashes.into_iter().rev().map(|at| &name[at + 1..]);
    std::iter::once(name).chain(tails).find_map(|tail| Zone::parse(tail).ok())
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
            ("\"Europe/Zurich\"", "Europe/Zurich"),
            ("'Asia/Tokyo' ", "Asia/Tokyo"),
            ("CET", "CET"),
        ] {
            assert_eq!(zone_of_name(name).map(|zone| zone.name().to_owned()).as_deref(), Some(zone), "{name}");
        }
        for name in ["", "Customized Time Zone", "tzone://Microsoft/Custom", "Somewhere/Berlin/Mitte", "/"] {
            assert!(zone_of_name(name).is_none(), "{name}");
        }
    }
}
