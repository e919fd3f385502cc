//! How much work the expansion of one calendar may cost. It counts work and not time, so that the same calendar is always accepted
//! or always refused.

use super::content_line::IcsError;

/// Occurrences of one calendar that are examined.
const MAX_OCCURRENCES: usize = 100_000;
/// Steps of the rules of one calendar: a period is one, and a year 4. A rule that never matches costs the steps of its whole range.
const MAX_STEPS: usize = 100_001;

/// What is left of the limits.
pub struct ExpansionLimit {
    occurrences: usize,
    steps: usize,
}

impl Default for ExpansionLimit {
    fn default() -> ExpansionLimit {
        ExpansionLimit { occurrences: MAX_OCCURRENCES, steps: MAX_STEPS }
    }
}

impl ExpansionLimit {
    /// Counts one occurrence for a line.
    ///
    /// # Errors
    /// There are too many.
    pub fn spend(&mut self, line: usize) -> Result<(), IcsError> {
        self.occurrences = self.occurrences.checked_sub(1).ok_or_else(|| {
            let what = "the calendar has more than 100000 occurrences: leave out events that repeat that often";
            IcsError::limit(line, what)
        })?;
        Ok(())
    }

    /// Counts the steps of a rule.
    ///
    /// # Errors
    /// There are too many.
    pub fn work(&mut self, line: usize, steps: usize) -> Result<(), IcsError> {
        self.steps = self.steps.checked_sub(steps).ok_or_else(|| {
            let what = "the calendar takes too long to expand: its rules repeat too often, or never match a date";
            IcsError::limit(line, what)
        })?;
        Ok(())
    }
}
