//! The days that a recurrence rule names: its parts BYMONTH to BYDAY (RFC 5545, 3.3.10).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use jiff::civil::Date;

use super::recurrence_parser::Frequency;

const WEEKDAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

/// Which days a rule names. A list without elements names all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayFilter {
    pub months: NumberSet,
    pub month_days: NumberSet,
    pub year_days: BTreeSet<i16>,
    pub weeks: NumberSet,
    pub weekdays: NumberSet,
    /// Days of the week with their number in the month or the year, from its end if negative.
    pub numbered_weekdays: BTreeSet<(i16, i8)>,
    /// The first day of a week, from Monday.
    pub week_start: i8,
    /// Whether weekdays are numbered within a month, and not within a year.
    pub counts_in_months: bool,
}

impl DayFilter {
    /// The filter of a rule that begins on this day: a rule that names no days means that of its start.
    pub fn with_day_of(&self, start: Date, frequency: Frequency) -> DayFilter {
        let mut filter = self.clone();
        let names_days = !(self.weeks.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.weekdays.is_empty()
            && self.numbered_weekdays.is_empty());
        match frequency {
            _ if names_days => {}
            Frequency::Yearly => {
                if filter.months.is_empty() {
                    filter.months.insert(start.month().into());
                }
                filter.month_days.insert(start.day().into());
            }
            Frequency::Monthly => filter.month_days.insert(start.day().into()),
            Frequency::Weekly => filter.weekdays.insert(start.weekday().to_monday_zero_offset().into()),
            _ => {}
        }
        filter
    }

    /// Whether the rule may name days of this month.
    pub fn has_month(&self, month: i8) -> bool {
        self.months.is_empty() || self.months.contains(month.into())
    }

    /// Whether the rule names this day.
    pub fn matches(&self, date: Date) -> bool {
        let (day, of_month) = (i16::from(date.day()), i16::from(date.days_in_month()));
        let (year_day, of_year) = (date.day_of_year(), date.days_in_year());
        let has_year_day = |days: &BTreeSet<i16>| days.contains(&year_day) || days.contains(&(year_day - of_year - 1));
        self.has_month(date.month())
            && (self.month_days.is_empty()
                || self.month_days.contains(day)
                || self.month_days.contains(day - of_month - 1))
            && (self.year_days.is_empty() || has_year_day(&self.year_days))
            && (self.weekdays.is_empty() && self.numbered_weekdays.is_empty() || self.has_weekday(date))
            && (self.weeks.is_empty() || self.has_week(date))
    }

    fn has_weekday(&self, date: Date) -> bool {
        let weekday = date.weekday().to_monday_zero_offset();
        let (day, all) = match self.counts_in_months {
            true => (date.day().into(), date.days_in_month().into()),
            false => (date.day_of_year(), date.days_in_year()),
        };
        self.weekdays.contains(weekday.into())
            || [(day - 1) / 7 + 1, (day - all) / 7 - 1]
                .iter()
                .any(|number| self.numbered_weekdays.contains(&(*number, weekday)))
    }

    /// Whether a day belongs to a week of the rule. A week belongs to the year that has most of its days.
    fn has_week(&self, date: Date) -> bool {
        let weekday = (date.weekday().to_monday_zero_offset() - self.week_start).rem_euclid(7);
        let mut middle = date.day_of_year() + 3 - i16::from(weekday);
        let mut days = date.days_in_year();
        if middle < 1 {
            days = days_in_year(date.year() - 1);
            middle += days;
        } else if middle > days {
            middle -= days;
            days = days_in_year(date.year() + 1);
        }
        let (week, weeks) = ((middle - 1) / 7 + 1, (days - (middle - 1) % 7 - 1) / 7 + 1);
        self.weeks.contains(week) || self.weeks.contains(week - weeks - 1)
    }

    /// Reads the elements of BYDAY: `MO`, `-1FR`, and also `Monday` and `MOTU`. Returns whether all of them could be read.
    pub fn read_weekdays(&mut self, value: &str, may_count: bool) -> bool {
        let mut is_complete = true;
        for item in value.split(',') {
            let mut rest = item;
            while !rest.is_empty() {
                let (number, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len()));
                let (name, after) =
                    after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
                rest = after;
                let counted = if number.is_empty() { Some(0) } else { number.parse::<i16>().ok() };
                let (Some(number), Some(days)) = (counted, weekdays(name, !number.is_empty())) else {
                    is_complete = false;
                    continue;
                };
                for day in days {
                    match may_count && number != 0 {
                        true => drop(self.numbered_weekdays.insert((number, day))),
                        false => self.weekdays.insert(day.into()),
                    }
                }
                is_complete &= may_count || counted == Some(0) && item.bytes().all(|byte| byte.is_ascii_alphabetic());
            }
        }
        is_complete
    }
}

/// The weekday of this name, or of its beginning, counted from Monday.
pub fn weekday(name: &str) -> Option<i8> {
    let found = WEEKDAYS.iter().position(|day| name.len() >= 2 && day.starts_with(name));
    found.and_then(|day| i8::try_from(day).ok())
}

/// The weekdays of a name, or of several names of two letters that nothing separates.
fn weekdays(name: &str, is_one: bool) -> Option<Vec<i8>> {
    if let Some(day) = weekday(name) {
        return Some(vec![day]);
    }
    if name.is_empty() || name.len() % 2 == 1 || is_one {
        return None;
    }
    (0..name.len()).step_by(2).map(|at| weekday(&name[at..at + 2])).collect()
}

fn days_in_year(year: i16) -> i16 {
    if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 }
}

/// A set of numbers from -63 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NumberSet {
    positive: u64,
    negative: u64,
}

impl NumberSet {
    /// Adds a number; one beyond the set is left out.
    pub fn insert(&mut self, number: i16) {
        let bit = 1_u64.checked_shl(number.unsigned_abs().into()).unwrap_or(0);
        *(if number < 0 { &mut self.negative } else { &mut self.positive }) |= bit;
    }

    /// Whether the set has a number.
    pub fn contains(&self, number: i16) -> bool {
        let bits = if number < 0 { self.negative } else { self.positive };
        bits.checked_shr(number.unsigned_abs().into()).is_some_and(|bits| bits & 1 == 1)
    }

    /// Whether the set has no numbers.
    pub fn is_empty(&self) -> bool {
        self.positive | self.negative == 0
    }

    /// The numbers that are not negative, in order; `default` if there are none.
    pub fn numbers_or(&self, default: i8) -> Vec<i64> {
        match self.positive {
            0 => vec![default.into()],
            bits => (0..64).filter(|number| bits >> number & 1 == 1).collect(),
        }
    }

    /// How many numbers [`NumberSet::numbers_or`] has.
    pub fn count(&self) -> usize {
        self.positive.count_ones().max(1).try_into().unwrap_or(usize::MAX)
    }
}

/// The numbers of a list that are within a range, and whether all were.
pub fn read_numbers(value: &str, range: &RangeInclusive<i16>) -> (Vec<i16>, bool) {
    let is_valid = |number: &i16| range.contains(number) && (*number != 0 || *range.start() == 0);
    let read: Vec<Option<i16>> = value.split(',').map(|item| item.parse().ok().filter(is_valid)).collect();
    let is_complete = read.iter().all(Option::is_some);
    (read.into_iter().flatten().collect(), is_complete)
}
