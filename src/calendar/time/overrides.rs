//! Dates with their own availability, which replaces a user's typical day on them.

use super::bits::{self, Runs};
use super::date_window::check_year;
use super::fault::{Fault, describe_json, pointer_segment, truncate_for_message};
use super::week::QUARTERS_PER_DAY;
use super::week_format::range_text;
use super::week_parser::parse_day;
use jiff::civil::Date;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

/// The quarters of one date, on the wall clock of the user's zone: quarter `q` is bit `q % 64` of word `q / 64`.
type Quarters = [u64; 2];

/// For some dates, the quarters in which a user can meet instead of those of the typical week: none ("not this Friday"), or
/// others ("also Saturday, 10 to 12").
///
/// In JSON an object of dates, each in the form of a week's day: `{"2026-11-27": [], "2026-11-28": ["10:00-12:00"]}`. A range ends
/// with its date. Dates are written in order, with merged ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<Date, Quarters>);

impl Overrides {
    /// How many dates there may be.
    pub const MAX_DATES: usize = 366;

    /// Reads an object of at most 366 dates of the years 1970 to 2199, each with what a day of a week may hold: hours and ranges.
    ///
    /// # Errors
    /// Every [`Fault`] found, in the order of the input.
    pub fn parse(value: &Value) -> Result<Overrides, Vec<Fault>> {
        let Value::Object(dates) = value else {
            let detail = format!("{} is not an object of dates: use one such as {EXAMPLE}", describe_json(value));
            return Err(vec![Fault::new("", "not_overrides", detail)]);
        };
        if dates.len() > Overrides::MAX_DATES {
            let detail = format!("{} dates: override at most {}", dates.len(), Overrides::MAX_DATES);
            return Err(vec![Fault::new("", "too_many_dates", detail)]);
        }
        let (mut overrides, mut faults) = (Overrides::default(), Vec::new());
        for (key, entries) in dates {
            let pointer = pointer_segment(key);
            match parse_date(key) {
                Ok(date) => {
                    let quarters = overrides.0.entry(date).or_default();
                    parse_day(key, &pointer, entries, false, &mut faults, |run| bits::fill(quarters, run));
                }
                Err((code, detail)) => faults.push(Fault::new(pointer, code, detail)),
            }
        }
        match faults.is_empty() {
            true => Ok(overrides),
            false => Err(faults),
        }
    }

    /// Whether no date is overridden.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many dates are overridden.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Overrides a date: adds these quarters (0..96) to what it has instead of the week's day; an empty range leaves it with none.
    pub fn insert(&mut self, date: Date, quarters: Range<usize>) {
        let day = self.0.entry(date).or_default();
        bits::fill(day, quarters.start..quarters.end.min(QUARTERS_PER_DAY));
    }

    /// The same dates with no quarter at all. On these dates a user has no `if_needed` time: it belongs to typical days.
    pub fn cleared(&self) -> Overrides {
        Overrides(self.0.keys().map(|date| (*date, Quarters::default())).collect())
    }

    /// The merged runs of an overridden date, as quarters 0..96 of that day; `None` if the date is not overridden.
    pub fn runs_of(&self, date: Date) -> Option<impl Iterator<Item = Range<usize>>> {
        self.0.get(&date).map(runs)
    }

    /// The overridden dates, in order, each with its merged runs.
    pub fn iter(&self) -> impl Iterator<Item = (Date, impl Iterator<Item = Range<usize>>)> {
        self.0.iter().map(|(date, quarters)| (*date, runs(quarters)))
    }

    /// Whether one of these dates is overridden.
    pub(super) fn has_any(&self, dates: RangeInclusive<Date>) -> bool {
        self.0.range(dates).next().is_some()
    }
}

const EXAMPLE: &str = r#"{"2026-11-27": [], "2026-11-28": ["10:00-12:00"]}"#;

fn runs(quarters: &Quarters) -> Runs<'_> {
    Runs::new(quarters, 0..QUARTERS_PER_DAY)
}

/// The date of a key, or the code and the detail of a fault.
fn parse_date(key: &str) -> Result<Date, (&'static str, String)> {
    // The parser also reads longer and shorter forms of ISO 8601, but a date must have one key alone.
    let Some(date) = key.parse::<Date>().ok().filter(|date| date.to_string() == key) else {
        return Err(("not_a_date", format!("{:?} is not a date: write it as 2026-11-27", truncate_for_message(key))));
    };
    check_year(date.year()).map(|()| date).map_err(|why| ("year_out_of_reach", why.to_string()))
}

impl Serialize for Overrides {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |run| String::from_utf8_lossy(&range_text(&run)).into_owned();
        serializer.collect_map(self.iter().map(|(date, runs)| (date, runs.map(text).collect::<Vec<_>>())))
    }
}

impl<'de> Deserialize<'de> for Overrides {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Overrides, D::Error> {
        Overrides::parse(&Value::deserialize(deserializer)?).map_err(|faults| {
            let first = faults.first().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
            D::Error::custom(first.unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Overrides;
    use jiff::civil::date;
    use serde_json::{Value, json};

    fn faults(value: &Value) -> Vec<(String, String)> {
        let faults = Overrides::parse(value).err().unwrap_or_default();
        faults.into_iter().map(|fault| (fault.pointer, fault.code.into_owned())).collect()
    }

    #[test]
    fn dates_are_written_in_order_with_merged_ranges() -> Result<(), serde_json::Error> {
        let read: Overrides = serde_json::from_value(json!({"2026-11-28": [11, "10:00-11:15", 10], "2026-11-27": []}))?;
        assert_eq!(serde_json::to_string(&read)?, r#"{"2026-11-27":[],"2026-11-28":["10:00-12:00"]}"#);
        assert_eq!(serde_json::from_value::<Overrides>(json!(read))?, read);
        Ok(())
    }

    #[test]
    fn a_range_ends_at_midnight_and_cannot_reach_the_next_date() -> Result<(), serde_json::Error> {
        let read: Overrides = serde_json::from_value(json!({"2026-11-28": ["22:00-00:00"]}))?;
        assert_eq!(serde_json::to_string(&read)?, r#"{"2026-11-28":["22:00-24:00"]}"#);
        let refused = Overrides::parse(&json!({"2026-11-28": ["22:00-02:00"]})).err().unwrap_or_default();
        let expected = "\"22:00-02:00\" crosses midnight: send \"22:00-24:00\" here, and \"00:00-02:00\" under the next date, \
            together with the other hours of that date";
        let shown: Vec<_> = refused.iter().map(|fault| (fault.code.as_ref(), fault.detail.as_str())).collect();
        assert_eq!(shown, [("crosses_midnight", expected)]);
        Ok(())
    }

    #[test]
    fn a_date_without_quarters_is_overridden_and_others_are_not() {
        let read = Overrides::parse(&json!({"2026-11-27": []})).unwrap_or_default();
        assert_eq!(read.runs_of(date(2026, 11, 27)).map(Iterator::count), Some(0));
        assert!(read.runs_of(date(2026, 11, 28)).is_none());
        assert_eq!((read.len(), read.is_empty()), (1, false));
    }

    #[test]
    fn every_fault_is_found_with_its_pointer() {
        let bad = json!({
            "2026-11-27": [24, "10:00-11:00"], "2026-11-31": [], "20261127": [], "2026-11-27T10:00": [], "friday": [],
            "2200-01-01": [], "2026-11-28": 9, "a/b": [],
        });
        let expected = [
            ("/2026-11-27/0", "hour_out_of_range"),
            ("/2026-11-31", "not_a_date"),
            ("/20261127", "not_a_date"),
            ("/2026-11-27T10:00", "not_a_date"),
            ("/friday", "not_a_date"),
            ("/2200-01-01", "year_out_of_reach"),
            ("/2026-11-28", "not_an_array"),
            ("/a~1b", "not_a_date"),
        ];
        assert_eq!(faults(&bad), expected.map(|(at, code)| (at.to_owned(), code.to_owned())));
        assert_eq!(faults(&json!([])), [(String::new(), "not_overrides".to_owned())]);
    }

    #[test]
    fn there_are_at_most_366_dates() {
        let dates = |count: i32| -> Value {
            let dates = (0..count).map(|day| date(2026, 1, 1).saturating_add(jiff::Span::new().days(day)));
            Value::Object(dates.map(|date| (date.to_string(), json!([]))).collect())
        };
        assert_eq!(faults(&dates(366)), []);
        assert_eq!(faults(&dates(367)), [(String::new(), "too_many_dates".to_owned())]);
    }
}
