//! The stored form of busy time: by month, as pairs of seconds since the first midnight of the month.

use std::collections::BTreeMap;

use jiff::civil::date;

use crate::calendar::icalendar::{BusyPeriods, Period, month_bounds, seconds_to_wall, wall_to_seconds};

/// The busy time of one month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusyMonth {
    pub fixed: Vec<u8>,
    pub floating: Vec<u8>,
}

/// The months of these periods, by number.
pub fn pack_months(spans: &BusyPeriods) -> BTreeMap<i32, BusyMonth> {
    let mut months: BTreeMap<i32, BusyMonth> = BTreeMap::new();
    for span in &spans.fixed {
        split_by_month(*span, |month, bytes| months.entry(month).or_default().fixed.extend(bytes));
    }
    for span in &spans.floating {
        split_by_month(*span, |month, bytes| months.entry(month).or_default().floating.extend(bytes));
    }
    months
}

/// Splits a period at the ends of months.
fn split_by_month(span: Period, mut put: impl FnMut(i32, [u8; 8])) {
    let mut start = span.start;
    while start < span.end {
        let (first, next) = month_bounds(start);
        let end = span.end.min(next);
        let mut bytes = [0; 8];
        for (at, value) in [start - first, end - first].into_iter().enumerate() {
            // no month has 2^32 seconds
            bytes[4 * at..4 * at + 4].copy_from_slice(&u32::try_from(value).unwrap_or(0).to_be_bytes());
        }
        put(month_number(start), bytes);
        start = end;
    }
}

/// The number of the month of this second, in wall-clock time or UTC.
pub fn month_number(wall: i64) -> i32 {
    let day = seconds_to_wall(wall).date();
    i32::from(day.year()) * 12 + i32::from(day.month()) - 1
}

/// The periods in the bytes of one month; invalid bytes have none.
pub fn unpack_month(month: i32, bytes: &[u8]) -> impl Iterator<Item = Period> {
    let year = i16::try_from(month.div_euclid(12)).unwrap_or(1970);
    let first = date(year, i8::try_from(month.rem_euclid(12)).unwrap_or(0) + 1, 1);
    let first = wall_to_seconds(first.at(0, 0, 0, 0));
    bytes.chunks_exact(8).map(move |pair| {
        let at = |from: usize| {
            first + i64::from(u32::from_be_bytes([pair[from], pair[from + 1], pair[from + 2], pair[from + 3]]))
        };
        Period { start: at(0), end: at(4) }
    })
}

#[cfg(test)]
mod tests {
    use super::{BusyPeriods, Period, month_number, pack_months, unpack_month};

    #[test]
    fn periods_are_split_at_the_ends_of_months() {
        let day = 86_400;
        let spans = BusyPeriods {
            fixed: vec![Period { start: -1, end: 32 * day }],
            floating: vec![Period { start: 5, end: 6 }],
        };
        let months = pack_months(&spans);
        let read: Vec<Period> =
            months.iter().flat_map(|(month, one)| unpack_month(*month, &one.fixed).collect::<Vec<_>>()).collect();
        let expected = [(-1, 0), (0, 31 * day), (31 * day, 32 * day)].map(|(start, end)| Period { start, end });
        assert_eq!(read, expected);
        let january = &months[&month_number(0)];
        assert_eq!(unpack_month(month_number(0), &january.floating).collect::<Vec<_>>(), [Period { start: 5, end: 6 }]);
        assert_eq!(unpack_month(month_number(0), &january.floating[1..]).count(), 0);
    }
}
