//! The names that Windows gives to time zones, and the IANA zones of the same clock (CLDR, windowsZones.xml, territory 001).

use std::collections::HashMap;
use std::sync::LazyLock;

/// The IANA names by the Windows names in lower case.
static IANA_NAMES: LazyLock<HashMap<String, &str>> =
    LazyLock::new(|| list_names().map(|(windows, iana)| (windows.to_lowercase(), iana)).collect());

/// The IANA name of a Windows name such as `W. Europe Standard Time`; the name of its daylight time means the same zone.
pub fn iana_name(name: &str) -> Option<&'static str> {
    let standard = name.trim().to_ascii_lowercase().replace(" daylight time", " standard time");
    IANA_NAMES.get(&standard).copied()
}

/// The names and their zones.
fn list_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("windows_zones.txt").lines().filter_map(|line| line.split_once(" = "))
}

#[cfg(test)]
mod tests {
    use super::{iana_name, list_names};
    use crate::calendar::Zone;

    #[test]
    fn every_windows_name_has_a_zone_in_the_database() {
        assert_eq!(list_names().count(), 141);
        for (windows, iana) in list_names() {
            assert!(Zone::parse(iana).is_ok(), "{windows}: {iana}");
        }
        assert_eq!(iana_name("w. europe daylight time"), Some("Europe/Berlin"));
        assert_eq!(iana_name("Mars Standard Time"), None);
    }
}
