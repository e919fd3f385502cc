//! Periods in seconds, and the busy periods of a calendar.

/// The dates of interest, in seconds: of instants, and of wall clocks without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// The first second.
    pub from: i64,
    /// The second after the last one.
    pub to: i64,
}

/// A half-open period, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// The first second.
    pub start: i64,
    /// The second after the last one.
    pub end: i64,
}

/// When the owner of a calendar is busy: sorted, apart from each other, and within the range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusyPeriods {
    /// In Unix seconds.
    pub fixed: Vec<Period>,
    /// In seconds of the owner's own wall clock, in whatever zone: whole days, and times without a zone.
    pub floating: Vec<Period>,
}

/// Sorts periods, and merges those that touch or overlap.
pub fn merge_periods(mut periods: Vec<Period>) -> Vec<Period> {
    periods.sort_unstable();
    let mut merged: Vec<Period> = Vec::new();
    for period in periods {
        match merged.last_mut() {
            Some(last) if period.start <= last.end => last.end = last.end.max(period.end),
            _ => merged.push(period),
        }
    }
    merged
}
