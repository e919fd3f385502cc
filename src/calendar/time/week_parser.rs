//! Reads a week from JSON: days with hours and ranges, a 7x24 grid, or a string of digits. Every fault is reported.

use super::availability_view::parse_digits;
use super::day::Day;
use super::fault::{Fault, describe_json, pointer_segment, truncate_for_message};
use super::time_of_day::{self, Minutes};
use super::week::{QUARTERS_PER_DAY, Week};
use serde_json::{Map, Value};
use std::ops::Range;

/// Reads a week from one of its three input forms.
///
/// - An object of days (any case; a missing day is empty), each an array of at most 96 entries: hours
///   0..=23 and `"HH:MM-HH:MM"` ranges on quarters, `24:00` only as an end. A range that ends before it starts continues on the
///   next day, after Sunday on Monday. Entries may overlap, repeat and come in any order.
/// - An array of seven arrays, Monday first, of 24 numbers 0 or 1, one for each hour.
/// - A text of 168 or 672 digits, as [`parse_digits`] reads it.
///
/// # Errors
/// Every [`Fault`] found, in the order of the input.
pub fn parse(value: &Value) -> Result<Week, Vec<Fault>> {
    let (mut week, mut faults) = (Week::EMPTY, Vec::new());
    match value {
        Value::Object(days) => parse_days(days, &mut week, &mut faults),
        Value::Array(rows) => parse_grid(rows, &mut week, &mut faults),
        Value::String(digits) => return parse_digits(digits).map_err(|fault| vec![fault]),
        other => {
            let detail =
                format!("{} is not a week: use an object of days, a 7x24 array or 168 digits", describe_json(other));
            faults.push(Fault::new("", "not_a_week", detail));
        }
    }
    if faults.is_empty() { Ok(week) } else { Err(faults) }
}

fn parse_days(days: &Map<String, Value>, week: &mut Week, faults: &mut Vec<Fault>) {
    let mut seen = [false; 7];
    for (key, entries) in days {
        let pointer = pointer_segment(key);
        let Some(day) = Day::parse(key) else {
            let detail = format!("{:?} is not a day: use monday to sunday", truncate_for_message(key));
            faults.push(Fault::new(pointer, "unknown_day", detail));
            continue;
        };
        if std::mem::replace(&mut seen[day.index()], true) {
            let detail = format!("{} is given twice: give each day once", day.name());
            faults.push(Fault::new(pointer.as_str(), "duplicate_day", detail));
        }
        parse_day(day.name(), &pointer, entries, true, faults, |quarters| week.insert_on(day, quarters));
    }
}

fn parse_grid(rows: &[Value], week: &mut Week, faults: &mut Vec<Fault>) {
    if rows.len() != 7 {
        let detail = format!("{} rows: a grid has 7, Monday first", rows.len());
        return faults.push(Fault::new("", "not_seven_days", detail));
    }
    for (day, row) in Day::ALL.into_iter().zip(rows) {
        let pointer = format!("/{}", day.index());
        let Some(hours) = row.as_array().filter(|hours| hours.len() == 24) else {
            let detail = format!("{} is not a row of 24 numbers 0 or 1", describe_json(row));
            faults.push(Fault::new(pointer, "not_24_hours", detail));
            continue;
        };
        for (hour, value) in hours.iter().enumerate() {
            match value.as_u64() {
                Some(0) => {}
                Some(1) => week.insert_on(day, 4 * hour..4 * hour + 4),
                _ => {
                    let detail = format!("{} is neither 0 nor 1", describe_json(value));
                    faults.push(Fault::new(format!("{pointer}/{hour}"), "not_0_or_1", detail));
                }
            }
        }
    }
}

/// Reads the value of a day, an array of at most 96 entries. `insert` gets the quarters 0..96 of each valid entry, and `faults` gets
/// the other entries. Messages call the day `name`; `pointer` points to it. If `has_next_day`, a range may continue on the next day:
/// its quarters end after 96.
pub(super) fn parse_day(
    name: &str,
    pointer: &str,
    entries: &Value,
    has_next_day: bool,
    faults: &mut Vec<Fault>,
    mut insert: impl FnMut(Range<usize>),
) {
    let Value::Array(entries) = entries else {
        let detail = format!("{} is not an array: list hours and ranges for {name}", describe_json(entries));
        return faults.push(Fault::new(pointer, "not_an_array", detail));
    };
    if entries.len() > QUARTERS_PER_DAY {
        let detail = format!("{} entries: a day has at most 96", entries.len());
        return faults.push(Fault::new(pointer, "too_many_entries", detail));
    }
    for (index, value) in entries.iter().enumerate() {
        match parse_entry(value, has_next_day) {
            Ok(quarters) => insert(quarters),
            Err((code, detail)) => faults.push(Fault::new(format!("{pointer}/{index}"), code, detail)),
        }
    }
}

/// The quarters of one entry of a day, or the code and the detail of a fault.
fn parse_entry(value: &Value, has_next_day: bool) -> Result<Range<usize>, (&'static str, String)> {
    match value {
        Value::Number(number) if number.is_u64() || number.is_i64() => {
            match number.as_u64().and_then(|hour| usize::try_from(hour).ok()) {
                Some(hour @ 0..=23) => Ok(4 * hour..4 * hour + 4),
                _ => Err(("hour_out_of_range", format!("{number} is not an hour: use 0 to 23"))),
            }
        }
        Value::String(text) => parse_range(text, has_next_day),
        other => Err(not_an_entry(other)),
    }
}

/// The quarters of `HH:MM-HH:MM`; after 96 they are on the next day.
fn parse_range(text: &str, has_next_day: bool) -> Result<Range<usize>, (&'static str, String)> {
    let not_a_range = || not_an_entry(&Value::from(text));
    let (start, end) = text.split_once('-').ok_or_else(not_a_range)?;
    let start = time_of_day::parse(start.as_bytes()).ok_or_else(not_a_range)?;
    let end = time_of_day::parse(end.as_bytes()).ok_or_else(not_a_range)?;
    let (Minutes::OfDay(start @ 0..1440), Minutes::OfDay(end)) = (start, end) else {
        let detail = format!("{text:?} is outside the day: use 00:00 to 23:45, or 24:00 as an end");
        return Err(("time_out_of_range", detail));
    };
    if start % 15 != 0 || end % 15 != 0 {
        let detail = format!("{text:?} is not on quarters: use minutes 00, 15, 30 or 45");
        return Err(("not_on_a_quarter", detail));
    }
    match (start / 15, end / 15) {
        (start, end) if start < end => Ok(start..end),
        (start, end) if start > end && (has_next_day || end == 0) => Ok(start..QUARTERS_PER_DAY + end),
        (start, end) if start > end => Err(("crosses_midnight", crosses_midnight(text))),
        _ => Err(("empty_range", format!("{text:?} is empty: end a range after its start"))),
    }
}

/// An override replaces a whole date, so a range of one date cannot reach the next one without its other hours.
fn crosses_midnight(text: &str) -> String {
    let (start, end) = text.split_once('-').unwrap_or((text, text));
    let parts = format!("send \"{start}-24:00\" here, and \"00:00-{end}\" under the next date");
    format!("{text:?} crosses midnight: {parts}, together with the other hours of that date")
}

fn not_an_entry(value: &Value) -> (&'static str, String) {
    let detail = format!("{} is neither an hour 0 to 23 nor a range such as \"09:00-12:30\"", describe_json(value));
    ("not_an_hour_or_range", detail)
}

#[cfg(test)]
mod tests {
    use super::{Week, parse};
    use serde_json::{Value, json};

    fn faults(value: Value) -> Vec<(String, String)> {
        let faults = parse(&value).err().unwrap_or_default();
        let short = faults.into_iter().map(|fault| (fault.pointer, fault.code.into_owned()));
        short.collect()
    }

    #[test]
    fn every_fault_is_reported_with_its_pointer() {
        let bad = json!({
            "monday": [9, 24, -1, 3.0, "9", null, true, "09:00-09:10", "10:00-10:00", "24:00-24:00",
                       "24:00-02:00", "09:60-10:00", "09:00–10:00", {}, []],
            "Mon/day~": [1],
            "tuesday": 9,
            "TUESDAY": [25],
        });
        let expected = [
            ("/monday/1", "hour_out_of_range"),
            ("/monday/2", "hour_out_of_range"),
            ("/monday/3", "not_an_hour_or_range"),
            ("/monday/4", "not_an_hour_or_range"),
            ("/monday/5", "not_an_hour_or_range"),
            ("/monday/6", "not_an_hour_or_range"),
            ("/monday/7", "not_on_a_quarter"),
            ("/monday/8", "empty_range"),
            ("/monday/9", "time_out_of_range"),
            ("/monday/10", "time_out_of_range"),
            ("/monday/11", "time_out_of_range"),
            ("/monday/12", "not_an_hour_or_range"),
            ("/monday/13", "not_an_hour_or_range"),
            ("/monday/14", "not_an_hour_or_range"),
            ("/Mon~1day~0", "unknown_day"),
            ("/tuesday", "not_an_array"),
            ("/TUESDAY", "duplicate_day"),
            ("/TUESDAY/0", "hour_out_of_range"),
        ];
        assert_eq!(faults(bad), expected.map(|(at, code)| (at.to_owned(), code.into())));
    }

    #[test]
    fn entries_are_merged_in_any_order() {
        let messy = json!({"FRIDAY": ["09:30-10:30", 9, 9, "09:00-09:15", 10]});
        assert_eq!(parse(&messy), parse(&json!({"friday": ["09:00-11:00"]})));
    }

    #[test]
    fn a_range_over_midnight_continues_on_the_next_day() {
        let night = json!({"monday": ["22:00-2:00"], "sunday": ["23:00-00:30"]});
        let parts =
            json!({"monday": ["22:00-24:00", "00:00-00:30"], "tuesday": ["0:00-2:00"], "sunday": ["23:00-24:00"]});
        assert!(parse(&night).is_ok());
        assert_eq!(parse(&night), parse(&parts));
    }

    #[test]
    fn the_whole_week_and_the_empty_week_are_valid() {
        let mut always = Week::EMPTY;
        always.insert(0..672);
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let all = days.map(|day| (day.to_owned(), json!(["00:00-24:00"])));
        assert_eq!(parse(&Value::Object(all.into_iter().collect())), Ok(always));
        assert_eq!(parse(&json!({})), Ok(Week::EMPTY));
    }

    #[test]
    fn a_day_has_at_most_96_entries() {
        assert_eq!(faults(json!({"monday": vec![1; 96]})), []);
        let over = faults(json!({"monday": vec![99; 97]}));
        assert_eq!(over, [("/monday".to_owned(), "too_many_entries".to_owned())]);
    }

    #[test]
    fn a_grid_is_7_by_24_of_0_and_1() {
        let mut rows = vec![vec![json!(0); 24]; 7];
        rows[0][3] = json!(2);
        rows[6][0] = json!(true);
        rows[2].pop();
        let expected = [("/0/3", "not_0_or_1"), ("/2", "not_24_hours"), ("/6/0", "not_0_or_1")];
        assert_eq!(faults(json!(rows)), expected.map(|(at, code)| (at.to_owned(), code.into())));
        assert_eq!(faults(json!([])), [(String::new(), "not_seven_days".to_owned())]);
        assert_eq!(faults(json!("mon")), [(String::new(), "not_a_view".to_owned())]);
        assert_eq!(faults(json!(7)), [(String::new(), "not_a_week".to_owned())]);
    }
}
