//! Time: weeks, zones, the windows that are searched, and the sets of quarters in them.

mod availability_view;
pub(super) mod bits;
mod date_window;
mod day;
pub(super) mod fault;
mod grid;
mod long_format;
mod overrides;
mod projector;
mod search_window;
#[cfg(test)]
mod tests;
mod time_of_day;
mod wall_clock;
pub(super) mod week;
mod week_format;
mod week_parser;
mod window_format;
mod windows_zones;
pub(super) mod zone;
mod zone_data;
pub(super) mod zone_mapping;

pub use date_window::{WindowError, YEARS, iso_week};
pub use day::Day;
pub use fault::{Fault, describe_json, pointer_segment, truncate_for_message};
pub use grid::Grid;
pub use long_format::format_minutes;
pub use overrides::Overrides;
pub use projector::Projector;
pub use search_window::{SECONDS_PER_DAY, SearchWindow};
pub use week::{Week, base64_week};
pub use week_format::{Format, FormattedWeek, week_to_json};
pub use week_parser::parse as parse_week;
pub use zone::{Zone, ZoneError};
pub use zone_data::{BUNDLED_TIME_ZONES, install_time_zones, time_zone_fingerprint, time_zone_version};
