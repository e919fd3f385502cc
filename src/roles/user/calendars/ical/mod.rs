//! iCalendar (RFC 5545) as far as it says when somebody is busy: text in, periods out. Pure but for the clock of its budget.
//!
//! The way through it: `calendar::standards::lines` unfolds, `components` collects what matters of each component, `clocks` knows what the zones of
//! the text mean, `recurrence` repeats (by the `rrule` crate), and [`read`] puts busy spans together. Recurrences are worked
//! out on the wall clock, and each occurrence is then placed by the zone's own rules of that date.

mod clocks;
mod components;
mod reader;
mod recurrence;
#[cfg(test)]
mod tests;
mod values;
mod windows;

use crate::calendar::standards::lines::{NO_LINE, NoLine};
pub use clocks::{Clock, clock_of};
pub use reader::{Range, Span, Spans, merged, own_meetings, read};
pub use values::{DAY, civil, month_of, seconds};

/// Why a calendar cannot be read, and where. It repeats nothing of the calendar, whose words are private.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Flaw {
    /// Counted from 1.
    pub line: usize,
    /// A sentence fragment: what is wrong and what is right.
    pub what: String,
}

impl Flaw {
    fn of(why: &NoLine) -> Flaw {
        Flaw::new(why.number, NO_LINE)
    }

    fn new(line: usize, what: impl Into<String>) -> Flaw {
        Flaw { line, what: what.into() }
    }
}
