//! iCalendar (RFC 5545, 5546, 7953). `vevent`, `vfreebusy`, `vavailability` and `vtimezone` write these components.
//!
//! Reading: `content_line` is the lexer and `parser` the parser of all calendars. A `..._reader` reads the properties of one
//! component, `recurrence_parser`, `day_filter` and `recurrence` read and expand rules, `expander` expands events, and `busy_reader` combines
//! them to the busy time of an imported calendar, with `warnings` of what could not be read.

mod busy_reader;
mod content_line;
mod date_time_value;
mod day_filter;
mod event_times;
mod expander;
mod expansion_limit;
mod hidden;
mod parser;
mod period;
mod recurrence;
mod recurrence_parser;
mod values;
mod vavailability;
mod vavailability_reader;
mod vevent;
mod vevent_reader;
mod vfreebusy;
mod vtimezone;
mod vtimezone_reader;
mod warnings;
mod writer;
mod zone_names;
mod zone_rules;

pub use busy_reader::{CalendarReading, read_busy_periods};
pub use content_line::IcsError;
pub use hidden::{find_hidden, is_invisible};
pub use period::{BusyPeriods, DateRange, Period, merge_periods};
pub use values::{month_bounds, seconds_to_wall, wall_to_seconds};
pub use vavailability::VAvailability;
pub use vavailability_reader::{VAvailabilityError, parse as parse_vavailability};
pub use vevent::{CalAddress, EventDetails, Invitation, Invitee, Method, Participation};
pub use vfreebusy::{BusyType, VFreeBusy};
pub use warnings::CalendarWarning;
pub use writer::one_line;
pub use zone_rules::ZoneRules;
