//! Names of time zones that no database has: what they tell about the zone.

use std::sync::LazyLock;

use jiff::tz::{Offset, TimeZone};

use super::values::parse_utc_offset;
use super::zone_rules::ZoneRules;
use crate::calendar::time::Zone;

/// The maximum length of a name that is searched.
pub const MAX_NAME: usize = 255;
/// The areas of the database whose names end with a city; names such as `US/Eastern` do not.
const AREAS: [&str; 8] = ["Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];

/// Names that people use, in lower case, and the zones that they usually mean. Those of the database itself are not among them.
/// AST, CST, GST and IST have other meanings too; the warning names the one that was taken.
const COMMON_NAMES: [(&str, &str); 34] = [
    ("z|coordinated universal time|universal time", "UTC"),
    ("greenwich mean time", "GMT"),
    ("bst|british summer time", "Europe/London"),
    ("west", "Europe/Lisbon"),
    ("cest|mez|mesz", "Europe/Berlin"),
    ("eest", "Europe/Athens"),
    ("msk", "Europe/Moscow"),
    ("trt", "Europe/Istanbul"),
    ("et|edt", "America/New_York"),
    ("ct|cst|cdt", "America/Chicago"),
    ("mt|mdt", "America/Denver"),
    ("pt|pst|pdt", "America/Los_Angeles"),
    ("akst|akdt", "America/Anchorage"),
    ("ast|adt", "America/Halifax"),
    ("nst|ndt", "America/St_Johns"),
    ("brt", "America/Sao_Paulo"),
    ("sast", "Africa/Johannesburg"),
    ("cat", "Africa/Maputo"),
    ("eat", "Africa/Nairobi"),
    ("wat", "Africa/Lagos"),
    ("idt", "Asia/Jerusalem"),
    ("gst", "Asia/Dubai"),
    ("pkt", "Asia/Karachi"),
    ("ist", "Asia/Kolkata"),
    ("ict", "Asia/Bangkok"),
    ("wib", "Asia/Jakarta"),
    ("sgt", "Asia/Singapore"),
    ("hkt", "Asia/Hong_Kong"),
    ("jst|japan standard time", "Asia/Tokyo"),
    ("kst", "Asia/Seoul"),
    ("awst", "Australia/Perth"),
    ("acst|acdt", "Australia/Adelaide"),
    ("aest|aedt", "Australia/Sydney"),
    ("nzst|nzdt", "Pacific/Auckland"),
];

/// A name as it is compared: without quotes, escapes, case, and double spaces. A TZID is escaped as a property, and quoted as a
/// parameter.
pub fn canonical_name(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !matches!(c, '\\' | '"')).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The zone that a name tells, and how to show it: by a city (`(UTC+01:00) Berlin, Rome`), a name of the database without its slash
/// (`US-Eastern`), an abbreviation (`PST`), a Windows name without its usual end (`Eastern Time (US & Canada)`), or an offset
/// (`GMT+0100`). A zone whose clock never has the given offset does not count.
pub fn guess_zone(name: &str) -> Option<(ZoneRules, String)> {
    if name.len() > MAX_NAME {
        return None;
    }
    let plain = canonical_name(name).replace('_', " ");
    let offset = offset_in(&plain);
    // The name between an offset and a remark.
    let name = plain.rsplit_once(") ").map_or(plain.as_str(), |(_, after)| after);
    let name = name.split(" (").next().unwrap_or_default().trim();
    let zones = [zone_without_slash(name), common_zone(name), windows_zone(name)];
    let zone = zones.into_iter().flatten().find(|zone| has_offset(zone, offset));
    match (zone.or_else(|| city_in(&plain, offset)), offset) {
        (Some(zone), _) => Some((ZoneRules::of_zone(&zone), zone.name().to_owned())),
        (None, Some(seconds)) => {
            let offset = Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?;
            let zone = TimeZone::fixed(offset);
            Some((ZoneRules::Iana(zone), format!("UTC{offset}")))
        }
        (None, None) => None,
    }
}

/// `US-Eastern`, `America New York`: a name of the database whose slash is another character.
fn zone_without_slash(name: &str) -> Option<Zone> {
    let (area, place) = name.trim_end_matches(" time").split_once(['-', ' '])?;
    Zone::parse(&format!("{area}/{}", place.replace(' ', "_"))).ok()
}

/// `PST`, `Coordinated Universal Time`: a name that is used without a database.
fn common_zone(name: &str) -> Option<Zone> {
    let (_, zone) = COMMON_NAMES.iter().find(|(names, _)| names.split('|').any(|one| one == name))?;
    Zone::parse(zone).ok()
}

/// `Eastern Time`, `Eastern Daylight Time`: a Windows name without its usual end.
fn windows_zone(name: &str) -> Option<Zone> {
    let name = name.trim_end_matches(" time").trim_end_matches(" daylight").trim_end_matches(" summer").trim();
    Zone::parse(&format!("{name} standard time")).ok()
}

/// The first city of the database in the name; of two zones of one city, the first by name.
fn city_in(plain: &str, offset: Option<i64>) -> Option<Zone> {
    static CITIES: LazyLock<Vec<(String, Zone)>> = LazyLock::new(|| {
        let zones = Zone::list_all().filter_map(|zone| {
            let (area, city) = zone.name().split_once('/')?;
            let city = city.rsplit('/').next()?.to_lowercase().replace('_', " ");
            let is_city = AREAS.contains(&area) && !["north", "south", "west", "act", "nsw"].contains(&city.as_str());
            is_city.then_some((city, zone))
        });
        zones.collect()
    });
    let found = CITIES.iter().filter_map(|(city, zone)| {
        let at = plain.find(city.as_str())?;
        let is_word_char = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let is_word =
            !is_word_char(plain[..at].chars().next_back()) && !is_word_char(plain[at + city.len()..].chars().next());
        (is_word && has_offset(zone, offset)).then_some((at, usize::MAX - city.len(), zone))
    });
    found.min_by_key(|(at, length, zone)| (*at, *length, zone.name())).map(|(_, _, zone)| zone.clone())
}

/// Whether the clocks of a zone are this far from UTC in some part of this year.
fn has_offset(zone: &Zone, offset: Option<i64>) -> bool {
    // January and July of 2026: any year would do.
    offset.is_none_or(|offset| [1_768_000_000, 1_784_000_000].iter().any(|at| zone.offset_at(*at) == offset))
}

/// The first offset in a name: `+0100`, `GMT -5`, `(UTC+05:30)`.
fn offset_in(plain: &str) -> Option<i64> {
    let is_offset = |at: usize| {
        let rest = &plain[at..];
        let end =
            rest[1..].find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.')).map_or(rest.len(), |end| end + 1);
        let before = plain[..at].trim_end();
        let is_marked = before.is_empty() || before.ends_with(['(', 't', 'c', 'z']);
        is_marked.then(|| parse_utc_offset(&rest[..end].replace('.', ":"))).flatten()
    };
    let offset = plain.match_indices(['+', '-']).find_map(|(at, _)| is_offset(at));
    offset.filter(|seconds| seconds.abs() <= 14 * 3600)
}

#[cfg(test)]
mod tests {
    use super::{COMMON_NAMES, Zone, canonical_name, guess_zone};

    #[test]
    fn a_name_tells_a_city_or_an_offset() {
        for (name, shown) in [
            ("(GMT +01:00)", "UTC+01"),
            ("GMT+0200", "UTC+02"),
            ("UTC-5", "UTC-05"),
            ("+05:30", "UTC+05:30"),
            ("(GMT-03.30)", "UTC-03:30"),
            ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "Europe/Amsterdam"),
            ("(GMT+01.00) Amsterdam / Berlin / Bern", "Europe/Amsterdam"),
            ("(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi", "Asia/Chongqing"),
            ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
            ("Pacific Time (US & Canada)", "America/Los_Angeles"),
            ("W. Europe Daylight Time", "Europe/Berlin"),
            ("(UTC-03:00) Buenos Aires", "America/Argentina/Buenos_Aires"),
            ("Somewhere/Berlin/Mitte", "Europe/Berlin"),
            ("New_York, office", "America/New_York"),
            ("(UTC-07:00) Arizona", "UTC-07"),
            ("(UTC+09:00) Berlin", "UTC+09"),
            ("US-Eastern", "US/Eastern"),
            ("US_Pacific", "US/Pacific"),
            ("us mountain time", "US/Mountain"),
            ("America-Argentina/La Rioja", "America/Argentina/La_Rioja"),
            ("Coordinated Universal Time", "UTC"),
            ("(UTC) Coordinated Universal Time", "UTC"),
            ("Z", "UTC"),
            ("PST", "America/Los_Angeles"),
            ("EDT", "America/New_York"),
            ("(UTC-06:00) CST", "America/Chicago"),
            ("(UTC+08:00) CST", "UTC+08"),
            ("IST", "Asia/Kolkata"),
            ("CEST", "Europe/Berlin"),
        ] {
            assert_eq!(guess_zone(name).map(|(_, shown)| shown).as_deref(), Some(shown), "{name}");
        }
        for name in ["", "Customized Time Zone", "Office-1", "Berliner", "+99:00", "tzone://Microsoft/Custom"] {
            assert!(guess_zone(name).is_none(), "{name}");
        }
    }

    #[test]
    fn every_common_name_means_a_zone_and_is_none_of_the_database() {
        for (names, zone) in COMMON_NAMES {
            assert!(Zone::parse(zone).is_ok(), "{zone}");
            for name in names.split('|') {
                assert!(Zone::parse(name).is_err(), "{name} has a meaning of its own");
                assert_eq!(guess_zone(name).map(|(_, shown)| shown).as_deref(), Some(zone), "{name}");
            }
        }
    }

    #[test]
    fn names_are_compared_without_escapes_and_case() {
        assert_eq!(canonical_name("(UTC+08:00) Kuala Lumpur\\, Singapore"), "(utc+08:00) kuala lumpur, singapore");
        assert_eq!(canonical_name("\"My  Zone\""), canonical_name("my zone"));
    }
}
