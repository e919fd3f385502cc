//! Reads the time zones of the setting `time.zoneinfo`.

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::calendar::time::install_time_zones;
pub use crate::calendar::time::{BUNDLED_TIME_ZONES, time_zone_version as version};

/// Files of a zoneinfo folder that are the zone of the machine, and no zone by name.
const NO_ZONES: [&str; 2] = ["localtime", "posixrules"];

/// Installs the time zones of a zoneinfo folder for this process; of an empty path, none. They are read once, so that answers do not
/// change while it runs.
///
/// # Errors
/// The folder has no time zones, or one that cannot be read.
pub fn install(folder: &Path) -> anyhow::Result<()> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    let shown = folder.display();
    let remedy = "set it to a folder such as /usr/share/zoneinfo, or leave it empty for the compiled-in time zones";
    let database = TimeZoneDatabase::from_dir(folder).ok();
    let names = database.iter().flat_map(TimeZoneDatabase::available).map(|name| name.to_string());
    let names: Vec<String> = names.filter(|name| !NO_ZONES.contains(&name.as_str())).collect();
    if !names.iter().any(|name| folder.join(name).exists()) {
        bail!("time.zoneinfo is {shown}, which has no time zones: {remedy}");
    }
    let mut zones = Vec::new();
    for name in names.into_iter().filter(|name| folder.join(name).exists()) {
        let unreadable = || format!("the time zone {name} in time.zoneinfo, {shown}, cannot be read: {remedy}");
        let data = std::fs::read(folder.join(&name)).with_context(unreadable)?;
        TimeZone::tzif(&name, &data).with_context(unreadable)?;
        zones.push((name, data));
    }
    match install_time_zones(version_of(folder), zones) {
        true => Ok(()),
        false => bail!("time.zoneinfo cannot be used: this process has used other time zones already; start it again"),
    }
}

/// The version of the data, as the folder tells it.
fn version_of(folder: &Path) -> String {
    let read = |name: &str| std::fs::read(folder.join(name)).ok();
    let line = |text: Vec<u8>| String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned();
    let source = || line(read("tzdata.zi")?).strip_prefix("# version ").map(str::to_owned);
    let found = source().or_else(|| read("+VERSION").map(line)).unwrap_or_default();
    let is_plain = !found.is_empty() && found.len() <= 40 && found.chars().all(|c| c.is_ascii_graphic());
    if is_plain { found } else { "unknown".to_owned() }
}
