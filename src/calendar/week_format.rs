//! How a week is written as JSON: day by day, as ranges, hours or a grid, or as a string of digits.

use super::clock;
use super::day::Day;
use super::standards::view;
use super::week::{QUARTERS_PER_DAY, Week};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::ops::Range;

pub use super::week_reading::parse;

/// How a week is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// All seven days, each with its merged `"HH:MM-HH:MM"` ranges.
    #[default]
    Ranges,
    /// All seven days, each with the hours whose four quarters are all set.
    Hours,
    /// Seven arrays of 24: 1 for an hour whose four quarters are all set, else 0.
    Grid,
    /// 168 digits, one for each hour: 0 for one whose four quarters are all set, else 2.
    View,
    /// 672 digits, one for each quarter.
    ViewQuarters,
}

impl Format {
    /// The name, as [`Format::parse`] reads it.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Ranges => "ranges",
            Format::Hours => "hours",
            Format::Grid => "grid",
            Format::View => "view",
            Format::ViewQuarters => "view-quarters",
        }
    }

    /// How many quarters a digit stands for, if the format is one of digits.
    pub const fn digit_quarters(self) -> Option<usize> {
        match self {
            Format::View => Some(4),
            Format::ViewQuarters => Some(1),
            _ => None,
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Format> {
        match text {
            "ranges" => Some(Format::Ranges),
            "hours" => Some(Format::Hours),
            "grid" => Some(Format::Grid),
            "view" => Some(Format::View),
            "view-quarters" => Some(Format::ViewQuarters),
            _ => None,
        }
    }
}

/// The week as a JSON value; days come Monday first.
pub fn days(week: &Week, format: Format) -> serde_json::Value {
    // Nothing in `Days` can fail: its keys are strings and its numbers small.
    serde_json::to_value(Days(week, format)).unwrap_or_default()
}

/// A week that writes itself in a format, without a `Value` in between.
#[derive(Clone, Copy, Debug)]
pub struct Days<'a>(pub &'a Week, pub Format);

impl Serialize for Days<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Days(week, format) = *self;
        if let Some(quarters) = format.digit_quarters() {
            return serializer.serialize_str(&view::digits(week, &Week::EMPTY, quarters));
        }
        if format == Format::Grid {
            return serializer.collect_seq(Day::ALL.map(|day| grid_row(week, day)));
        }
        let mut map = serializer.serialize_map(Some(Day::ALL.len()))?;
        for day in Day::ALL {
            match format {
                Format::Ranges => map.serialize_entry(day.name(), &Ranges(week, day))?,
                _ => map.serialize_entry(day.name(), &Hours(week, day))?,
            }
        }
        map.end()
    }
}

struct Ranges<'a>(&'a Week, Day);

impl Serialize for Ranges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for run in self.0.runs_of(self.1) {
            let text = range_text(&run);
            list.serialize_element(std::str::from_utf8(&text).unwrap_or_default())?;
        }
        list.end()
    }
}

struct Hours<'a>(&'a Week, Day);

impl Serialize for Hours<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = grid_row(self.0, self.1);
        serializer.collect_seq((0..24).filter(|hour| row[*hour] == 1))
    }
}

/// `HH:MM-HH:MM` of quarters within a day.
pub(super) fn range_text(run: &Range<usize>) -> [u8; 11] {
    let mut text = [b'-'; 11];
    text[..5].copy_from_slice(&clock::bytes(run.start));
    text[6..].copy_from_slice(&clock::bytes(run.end));
    text
}

/// 1 for each hour of the day whose four quarters are all set.
fn grid_row(week: &Week, day: Day) -> [u8; 24] {
    let quarters = super::bits::read(week.bits(), day.index() * QUARTERS_PER_DAY);
    let evening = super::bits::read(week.bits(), day.index() * QUARTERS_PER_DAY + 64);
    std::array::from_fn(|hour| {
        let four = if hour < 16 { quarters >> (4 * hour) } else { evening >> (4 * (hour - 16)) };
        u8::from(four & 15 == 15)
    })
}

#[cfg(test)]
mod tests {
    use super::{Days, Format, Week, days, parse};
    use serde_json::{Value, json};

    fn week(value: Value) -> Week {
        parse(&value).unwrap_or_default()
    }

    #[test]
    fn ranges_list_all_seven_days_monday_first() {
        let week = week(json!({"sunday": ["23:00-24:00"], "monday": [9, 10, "13:30-15:00"]}));
        let text = serde_json::to_string(&Days(&week, Format::Ranges)).unwrap_or_default();
        assert_eq!(
            text,
            r#"{"monday":["09:00-11:00","13:30-15:00"],"tuesday":[],"wednesday":[],"#.to_owned()
                + r#""thursday":[],"friday":[],"saturday":[],"sunday":["23:00-24:00"]}"#
        );
        assert_eq!(days(&week, Format::Ranges).to_string(), text);
    }

    #[test]
    fn hours_list_only_hours_whose_four_quarters_are_all_set() {
        let week = week(json!({"monday": [9, 23, "13:30-15:00"], "tuesday": ["08:00-08:45"]}));
        let hours = days(&week, Format::Hours);
        assert_eq!(hours["monday"], json!([9, 14, 23]));
        assert_eq!(hours["tuesday"], json!([]));
        assert_eq!(hours.as_object().map(|days| days.len()), Some(7));
    }

    #[test]
    fn a_grid_is_seven_rows_of_24_and_reads_back() {
        let week = week(json!({"tuesday": [0, 15, 16, 23]}));
        let grid = days(&week, Format::Grid);
        assert_eq!(grid.as_array().map(Vec::len), Some(7));
        assert_eq!(grid[1][16], json!(1));
        assert_eq!(grid[1][17], json!(0));
        assert_eq!(parse(&grid), Ok(week));
    }

    #[test]
    fn formats_are_read_by_name() {
        assert_eq!(Format::parse("hours"), Some(Format::Hours));
        assert_eq!(Format::parse("Hours"), None);
        assert_eq!(Format::default(), Format::Ranges);
    }
}
