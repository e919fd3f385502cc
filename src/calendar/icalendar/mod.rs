//! iCalendar (RFC 5545, 5546, 7953): the objects that we write, and those that we read.

mod busy_periods;
mod components;
mod content_line;
mod parser;
mod recurrence;
#[cfg(test)]
mod tests;
mod values;
mod vavailability;
mod vavailability_reader;
mod vevent;
mod vfreebusy;
mod vtimezone;
mod vtimezone_reader;
mod windows_zones;
mod writer;

use content_line::{ContentLineError, NO_LINE};

pub use busy_periods::{BusyPeriods, DateRange, Period, merged, read};
pub use values::{DAY, civil, month_of, seconds};
pub use vavailability::VAvailability;
pub use vavailability_reader::{VAvailabilityError, parse as parse_vavailability};
pub use vevent::{CalAddress, Invitation, Invitee, Method, Participation, find_own_meetings};
pub use vfreebusy::{BusyType, VFreeBusy};
pub use vtimezone_reader::{ZoneRules, clock_of};
pub use writer::one_line;

/// Why a calendar cannot be read, and where. It repeats nothing of the calendar, whose words are private.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct IcsError {
    /// Counted from 1.
    pub line: usize,
    /// A sentence fragment: what is wrong and what is right.
    pub what: String,
}

impl IcsError {
    fn of(why: &ContentLineError) -> IcsError {
        IcsError::new(why.number, NO_LINE)
    }

    fn new(line: usize, what: impl Into<String>) -> IcsError {
        IcsError { line, what: what.into() }
    }
}
