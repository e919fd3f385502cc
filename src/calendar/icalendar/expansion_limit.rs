//! How much work the expansion of one calendar, and of each component, may cost. It counts work and not time, so that the same
//! calendar always has the same answer.

use super::content_line::IcsError;

/// The most work of one calendar. A calendar beyond it is refused.
const MAX_OF_CALENDAR: WorkBudget = WorkBudget { occurrences: 100_000, steps: 100_000 };
/// The most work of one component. A component beyond it is left out, and leaves half of the work to the others.
const MAX_OF_COMPONENT: WorkBudget = WorkBudget { occurrences: 50_000, steps: 50_000 };

/// An amount of work, as a limit or as what is left of one.
#[derive(Clone, Copy)]
pub struct WorkBudget {
    /// Occurrences that are examined.
    occurrences: usize,
    /// Steps of rules: a period is one, a year 4, and each time that is examined one. A period without an occurrence counts too.
    steps: usize,
}

/// What is left of the limits.
pub struct ExpansionLimit {
    of_calendar: WorkBudget,
    of_component: WorkBudget,
}

impl Default for ExpansionLimit {
    fn default() -> ExpansionLimit {
        ExpansionLimit { of_calendar: MAX_OF_CALENDAR, of_component: MAX_OF_COMPONENT }
    }
}

impl ExpansionLimit {
    /// Begins a component. Returns what is left for the one around it.
    pub fn begin_component(&mut self) -> WorkBudget {
        std::mem::replace(&mut self.of_component, MAX_OF_COMPONENT)
    }

    /// Continues the component around the one that ends.
    pub fn resume_component(&mut self, outer: WorkBudget) {
        self.of_component = outer;
    }

    /// Counts one occurrence for a line.
    ///
    /// # Errors
    /// The component or the calendar has too many.
    pub fn count_occurrence(&mut self, line: usize) -> Result<(), IcsError> {
        self.count_occurrences(line, 1)
    }

    /// Counts occurrences for a line.
    ///
    /// # Errors
    /// The component or the calendar has too many.
    pub fn count_occurrences(&mut self, line: usize, count: usize) -> Result<(), IcsError> {
        let of_calendar = self.of_calendar.occurrences.checked_sub(count).ok_or_else(|| {
            let what = "the calendar has more than 100000 occurrences: leave out events that repeat that often";
            IcsError::of_calendar(line, what)
        })?;
        self.of_calendar.occurrences = of_calendar;
        self.of_component.occurrences = self
            .of_component
            .occurrences
            .checked_sub(count)
            .ok_or_else(|| IcsError::of_component(line, "this has more than 50000 occurrences"))?;
        Ok(())
    }

    /// Ensures that this number of steps is left, without counting them.
    ///
    /// # Errors
    /// There are fewer.
    pub fn ensure_steps(&self, line: usize, steps: usize) -> Result<(), IcsError> {
        if steps > self.of_component.steps {
            return Err(IcsError::of_component(line, "this rule repeats too often, or never matches a date"));
        }
        if steps > self.of_calendar.steps {
            let what = "the calendar takes too long to expand: its rules repeat too often, or never match a date";
            return Err(IcsError::of_calendar(line, what));
        }
        Ok(())
    }

    /// Counts the steps of a rule.
    ///
    /// # Errors
    /// There are too many.
    pub fn count_steps(&mut self, line: usize, steps: usize) -> Result<(), IcsError> {
        self.ensure_steps(line, steps)?;
        self.of_component.steps -= steps;
        self.of_calendar.steps -= steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{ExpansionLimit, IcsError};

    #[test]
    fn a_component_that_takes_too_much_leaves_half_to_the_others() -> Result<(), IcsError> {
        let mut limit = ExpansionLimit::default();
        limit.count_steps(1, 50_000)?;
        assert_eq!(limit.count_steps(1, 1).err().map(|error| error.is_of_component()), Some(true));
        let outer = limit.begin_component();
        limit.count_steps(2, 49_999)?;
        limit.resume_component(outer);
        assert!(limit.ensure_steps(1, 1).is_err(), "the component around it has no more than before");
        limit.begin_component();
        assert_eq!(
            limit.count_steps(3, 2).err().map(|error| error.is_of_component()),
            Some(false),
            "the calendar has too much"
        );
        limit.count_occurrences(3, 50_000)?;
        assert_eq!(limit.count_occurrence(3).err().map(|error| error.is_of_component()), Some(true));
        Ok(())
    }
}
