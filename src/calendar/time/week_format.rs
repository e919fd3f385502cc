//! Writes a week as JSON: day by day, as ranges, hours or a grid, or as a string of digits.

use super::availability_view;
use super::bits;
use super::day::Day;
use super::time_of_day;
use super::week::{QUARTERS_PER_DAY, Week};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::StrDeserializer;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::ops::Range;

/// How a week is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, utoipa::ToSchema)]
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

    /// How many quarters one digit represents, if the format is a string of digits.
    pub const fn digit_quarters(self) -> Option<usize> {
        match self {
            Format::View => Some(4),
            Format::ViewQuarters => Some(1),
            _ => None,
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Format> {
        let name: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
        Format::deserialize(name).ok()
    }
}

/// The week as a JSON value; days come Monday first.
pub fn week_to_json(week: &Week, format: Format) -> serde_json::Value {
    // Serialization cannot fail: the keys are strings and the numbers small.
    serde_json::to_value(FormattedWeek::new(week, format)).unwrap_or_default()
}

/// A week that serializes itself in a format, without a `Value` in between. Only strings of digits show `if_needed`.
#[derive(Clone, Copy, Debug)]
pub struct FormattedWeek<'a> {
    /// When the user is free.
    pub free: &'a Week,
    /// When the user can meet if needed.
    pub if_needed: &'a Week,
    /// How the week is written.
    pub format: Format,
}

impl<'a> FormattedWeek<'a> {
    /// A week without `if_needed`.
    pub fn new(free: &'a Week, format: Format) -> FormattedWeek<'a> {
        FormattedWeek { free, if_needed: &Week::EMPTY, format }
    }
}

impl Serialize for FormattedWeek<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let FormattedWeek { free, if_needed, format } = *self;
        if let Some(quarters) = format.digit_quarters() {
            return serializer.serialize_str(&availability_view::digits(free, if_needed, quarters));
        }
        if format == Format::Grid {
            return serializer.collect_seq(Day::ALL.map(|day| grid_row(free, day)));
        }
        let mut map = serializer.serialize_map(Some(Day::ALL.len()))?;
        for day in Day::ALL {
            map.serialize_entry(day.name(), &FormattedDay { free, day, format })?;
        }
        map.end()
    }
}

/// One day, as its ranges or its hours.
struct FormattedDay<'a> {
    free: &'a Week,
    day: Day,
    format: Format,
}

impl Serialize for FormattedDay<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.format == Format::Hours {
            let row = grid_row(self.free, self.day);
            return serializer.collect_seq((0..24).filter(|hour| row[*hour] == 1));
        }
        let mut list = serializer.serialize_seq(None)?;
        for run in self.free.runs_of(self.day) {
            list.serialize_element(std::str::from_utf8(&range_text(&run)).unwrap_or_default())?;
        }
        list.end()
    }
}

/// `HH:MM-HH:MM` of quarters within a day.
pub(super) fn range_text(run: &Range<usize>) -> [u8; 11] {
    let mut text = [b'-'; 11];
    text[..5].copy_from_slice(&time_of_day::format_quarter(run.start));
    text[6..].copy_from_slice(&time_of_day::format_quarter(run.end));
    text
}

/// 1 for each hour of the day whose four quarters are all set.
fn grid_row(week: &Week, day: Day) -> [u8; 24] {
    let quarters = bits::read(week.bits(), day.index() * QUARTERS_PER_DAY);
    let evening = bits::read(week.bits(), day.index() * QUARTERS_PER_DAY + 64);
    std::array::from_fn(|hour| {
        let four = if hour < 16 { quarters >> (4 * hour) } else { evening >> (4 * (hour - 16)) };
        u8::from(four & 15 == 15)
    })
}

#[cfg(test)]
mod tests {
    use super::{Format, FormattedWeek, Week, week_to_json};
    use crate::calendar::parse_week;
    use serde_json::{Value, json};

    fn week(value: Value) -> Week {
        parse_week(&value).unwrap_or_default()
    }

    #[test]
    fn ranges_list_all_seven_days_monday_first() {
        let week = week(json!({"sunday": ["23:00-24:00"], "monday": [9, 10, "13:30-15:00"]}));
        let text = serde_json::to_string(&FormattedWeek::new(&week, Format::Ranges)).unwrap_or_default();
        assert_eq!(
            text,
            r#"{"monday":["09:00-11:00","13:30-15:00"],"tuesday":[],"wednesday":[],"#.to_owned()
                + r#""thursday":[],"friday":[],"saturday":[],"sunday":["23:00-24:00"]}"#
        );
        assert_eq!(week_to_json(&week, Format::Ranges).to_string(), text);
    }

    #[test]
    fn hours_list_only_hours_whose_four_quarters_are_all_set() {
        let week = week(json!({"monday": [9, 23, "13:30-15:00"], "tuesday": ["08:00-08:45"]}));
        let hours = week_to_json(&week, Format::Hours);
        assert_eq!(hours["monday"], json!([9, 14, 23]));
        assert_eq!(hours["tuesday"], json!([]));
        assert_eq!(hours.as_object().map(|days| days.len()), Some(7));
    }

    #[test]
    fn a_grid_is_seven_rows_of_24_and_reads_back() {
        let week = week(json!({"tuesday": [0, 15, 16, 23]}));
        let grid = week_to_json(&week, Format::Grid);
        assert_eq!(grid.as_array().map(Vec::len), Some(7));
        assert_eq!(grid[1][16], json!(1));
        assert_eq!(grid[1][17], json!(0));
        assert_eq!(parse_week(&grid), Ok(week));
    }

    #[test]
    fn formats_are_read_by_name() {
        assert_eq!(Format::parse("hours"), Some(Format::Hours));
        assert_eq!(Format::parse("Hours"), None);
        assert_eq!(Format::default(), Format::Ranges);
    }
}
