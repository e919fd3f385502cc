//! What the time zones of a calendar mean: names of the IANA database first, then Windows', then the calendar's own rules.

use std::collections::HashMap;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::IcsError;
use super::components::{Definition, Observance};
use super::recurrence::{ExpansionLimit, starts};
use super::values::{DAY, When, civil, offset, seconds, when};
use super::windows_zones;
use crate::calendar::Zone;

/// How far before the dates of interest the rules of a zone are worked out: the last change before them is among those.
const EARLIER: i64 = 3 * 366 * DAY;

/// From wall clock to instant and back.
#[derive(Clone, Debug)]
pub enum ZoneRules {
    /// No zone: the wall clock of whoever looks at it.
    Floating,
    /// A zone of the database.
    Place(TimeZone),
    /// Rules that came with the calendar.
    Rules(Rc<[Change]>),
}

/// When a wall clock is set to another offset.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// On the wall clock as it was until then.
    wall: i64,
    from: i64,
    to: i64,
}

impl ZoneRules {
    /// The rules of UTC.
    pub fn utc() -> ZoneRules {
        ZoneRules::Place(TimeZone::UTC)
    }

    /// The Unix second at which the clock shows `wall`; the earlier of two, and where there is none, as if the clock had not
    /// been set yet (RFC 5545, 3.3.5).
    pub fn instant(&self, wall: i64) -> i64 {
        match self {
            ZoneRules::Floating => wall,
            ZoneRules::Place(zone) => {
                let found = zone.to_ambiguous_timestamp(civil(wall)).compatible();
                found.map_or(wall, Timestamp::as_second)
            }
            ZoneRules::Rules(changes) => {
                let at = changes.partition_point(|change| change.wall <= wall);
                match (at.checked_sub(1).map(|last| changes[last]), changes.first()) {
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
            ZoneRules::Place(zone) => {
                Timestamp::from_second(instant).map_or(instant, |at| seconds(zone.to_datetime(at)))
            }
            ZoneRules::Rules(changes) => {
                let at = changes.partition_point(|change| change.wall - change.from <= instant);
                let last = at.checked_sub(1).map(|last| changes[last].to);
                instant + last.or(changes.first().map(|first| first.from)).unwrap_or(0)
            }
        }
    }
}

/// The zone behind its name, for wall clocks that are kept without one.
pub fn clock_of(zone: &Zone) -> ZoneRules {
    TimeZoneDatabase::bundled().get(zone.name()).map_or_else(|_| ZoneRules::utc(), ZoneRules::Place)
}

/// The zones of one calendar, each worked out when it is first named.
pub struct CalendarZones<'a> {
    definitions: &'a [Definition],
    known: HashMap<String, ZoneRules>,
    /// The dates of interest, on any wall clock.
    from: i64,
    to: i64,
}

impl<'a> CalendarZones<'a> {
    pub fn new(definitions: &'a [Definition], from: i64, to: i64) -> CalendarZones<'a> {
        CalendarZones { definitions, known: HashMap::new(), from, to }
    }

    /// The zone of this name.
    ///
    /// # Errors
    /// The name means nothing, or its rules cannot be followed.
    pub fn find(&mut self, name: &str, line: usize, budget: &mut ExpansionLimit) -> Result<ZoneRules, IcsError> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let defined = self.definitions.iter().find(|one| one.name == name);
        let place = named(name).or_else(|| defined.and_then(|one| named(one.place.as_deref()?)));
        let clock = match (place, defined) {
            (Some(zone), _) => clock_of(&zone),
            (None, Some(defined)) => ZoneRules::Rules(self.changes(defined, budget)?.into()),
            (None, None) => {
                let what =
                    "this TZID is no IANA name, no name of Windows', and no VTIMEZONE of the calendar describes it";
                return Err(IcsError::new(line, what));
            }
        };
        self.known.insert(name.to_owned(), clock.clone());
        Ok(clock)
    }

    fn changes(&self, defined: &Definition, budget: &mut ExpansionLimit) -> Result<Vec<Change>, IcsError> {
        let mut changes = Vec::new();
        for one in &defined.observances {
            let Observance { line, start, from, to, rules, dates } = one;
            let wrong = |what: &str| IcsError::new(*line, what);
            let wall = |text: &str| match when(text) {
                Some(When::Wall(wall) | When::Day(wall)) => Ok(wall),
                _ => Err(wrong("the dates of a VTIMEZONE must be local, such as 19701025T030000")),
            };
            let start = wall(start)?;
            let given = offset(from).zip(offset(to));
            let (from, to) = given.ok_or_else(|| wrong("TZOFFSETFROM and TZOFFSETTO must be such as +0100"))?;
            let mut walls = vec![start];
            for date in dates {
                walls.push(wall(date)?);
            }
            let fixed = ZoneRules::Rules([Change { wall: i64::MIN / 2, from, to: from }].into());
            for rule in rules {
                let begin = self.from - EARLIER;
                let found = starts(rule, start, &fixed, begin, self.to, budget);
                walls.extend(found.map_err(|what| IcsError::new(*line, what))?);
            }
            changes.extend(walls.into_iter().map(|wall| Change { wall, from, to }));
        }
        changes.sort_by_key(|change| change.wall);
        match changes.is_empty() {
            true => Err(IcsError::new(defined.line, "this VTIMEZONE says nothing: it needs STANDARD or DAYLIGHT")),
            false => Ok(changes),
        }
    }
}

/// What a name means by itself: an IANA name, also behind a path (`/mozilla.org/20050126_1/Europe/Berlin`), or Windows' name.
fn named(name: &str) -> Option<Zone> {
    let name = name.trim();
    let tails = name
        .match_indices('/')
        .map(|(at, _)| &name[at + 1..])
        .filter(|_| name.starts_with('/') || name.contains("://"));
    std::iter::once(name).chain(tails).find_map(|tail| Zone::parse(tail).ok()).or_else(|| windows_zones::zone(name))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn names_are_found_behind_paths_and_among_those_of_windows() {
        for (name, zone) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("/freeassociation.sourceforge.net/Tzfile/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
            ("/mozilla.org/20050126_1/Europe/Paris", "Europe/Paris"),
            ("tzone://Microsoft/Utc", "UTC"),
            ("W. Europe Standard Time", "Europe/Berlin"),
            ("Pacific Standard Time (Mexico)", "America/Tijuana"),
        ] {
            assert_eq!(named(name).map(|zone| zone.name().to_owned()).as_deref(), Some(zone), "{name}");
        }
        for name in ["", "Customized Time Zone", "tzone://Microsoft/Custom", "Somewhere/Berlin/Mitte", "/"] {
            assert!(named(name).is_none(), "{name}");
        }
    }
}
