//! What the reader of a calendar left out or assumed, so that the owner of the calendar learns of it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::{Deserialize, Serialize};

use super::content_line::{IcsError, Loss};

/// The most warnings of one calendar that are listed. A calendar with more has them of the same few kinds.
const MAX_LISTED: usize = 50;

/// A part of a calendar that was left out, or read by an assumption. Like an error, it repeats nothing of the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CalendarWarning {
    /// The line, counted from 1.
    #[schema(minimum = 1)]
    pub line: usize,
    /// The component that the line belongs to, such as VEVENT.
    pub component: String,
    /// What is wrong, and what was assumed or left out.
    pub detail: String,
}

/// The warnings of one calendar: each once. The first ones are kept, the others are counted.
#[derive(Default)]
pub struct Warnings {
    listed: Vec<CalendarWarning>,
    /// The hashes of all.
    known: HashSet<u64>,
}

impl Warnings {
    /// Adds a warning.
    pub fn add(&mut self, line: usize, component: &str, detail: impl Into<String>) {
        // The name of an unknown component is content of the calendar.
        let component = if KNOWN.contains(&component) { component } else { "unknown" };
        let detail = detail.into();
        let mut hasher = DefaultHasher::new();
        (line, component, &detail).hash(&mut hasher);
        if self.known.insert(hasher.finish()) && self.listed.len() < MAX_LISTED {
            self.listed.push(CalendarWarning { line, component: component.to_owned(), detail });
        }
    }

    /// Turns an error into a warning, unless it costs the component or the calendar.
    pub fn tolerate<T>(
        &mut self,
        component: &str,
        consequence: &str,
        result: Result<T, IcsError>,
    ) -> Result<Option<T>, IcsError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.loss != Loss::Part => Err(error),
            Err(IcsError { line, what, .. }) => {
                self.add(line, component, format!("{what}; {consequence}"));
                Ok(None)
            }
        }
    }

    /// Turns the error of a component that takes too much work into a warning.
    pub fn leave_out<T>(&mut self, component: &str, result: Result<T, IcsError>) -> Result<Option<T>, IcsError> {
        let result = result.map_err(|error| match error.is_of_component() {
            true => IcsError::new(error.line, error.what),
            false => error,
        });
        self.tolerate(component, "the component is left out", result)
    }

    /// The warnings in the order of their lines. If there are more than are listed, a last one says how many.
    pub fn sorted(self) -> Vec<CalendarWarning> {
        let mut all = self.listed;
        all.sort_by(|one, other| (one.line, &one.detail).cmp(&(other.line, &other.detail)));
        let detail = match self.known.len() - all.len() {
            0 => return all,
            1 => "1 more warning is not listed".to_owned(),
            more => format!("{more} more warnings are not listed"),
        };
        all.push(CalendarWarning { line: 1, component: "VCALENDAR".to_owned(), detail });
        all
    }
}

/// The components whose names a warning shows.
const KNOWN: [&str; 12] = [
    "VCALENDAR",
    "VEVENT",
    "VFREEBUSY",
    "VTIMEZONE",
    "STANDARD",
    "DAYLIGHT",
    "VALARM",
    "VTODO",
    "VJOURNAL",
    "VAVAILABILITY",
    "AVAILABLE",
    "VPOLL",
];
