//! Writes a typical week as VAVAILABILITY (RFC 7953).

use std::ops::Range;

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::vevent::CalAddress;
use super::vtimezone;
use super::writer::{Writer, cn_param, mailto, utc_value};
use crate::calendar::time::zone::timestamp;
use crate::calendar::time::{Day, Week, Zone};

/// Weekdays as rules write them (RFC 5545, 3.3.10), Monday first.
pub(super) const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// When a user can meet in every week.
///
/// The quarters of the week are AVAILABLE, all others BUSY-UNAVAILABLE. RFC 7953 has no third value, so `if_needed` time is left
/// out; VFREEBUSY has it.
#[derive(Debug)]
pub struct VAvailability<'a> {
    /// The id of the user.
    pub user_id: Uuid,
    /// When the week was last changed.
    pub dtstamp: Timestamp,
    /// About when the week begins: in the last week before `since` in which the clocks of the zone did not change.
    pub since: Timestamp,
    /// The user.
    pub user: &'a CalAddress,
    /// The zone of the week's wall clock.
    pub zone: &'a Zone,
    /// When the user can meet.
    pub week: &'a Week,
}

impl VAvailability<'_> {
    /// The object, `text/calendar; charset=UTF-8`: the same for the same week.
    pub fn to_ics(&self) -> String {
        let mut ics = Writer::new();
        let monday = self.monday();
        if !self.week.is_empty() && *self.zone != Zone::utc() {
            vtimezone::push(&mut ics, self.zone, timestamp(self.zone.start_of_day(monday)));
        }
        ics.push("BEGIN:VAVAILABILITY");
        ics.push(&format!("UID:{}.availability@w2meet", self.user_id));
        ics.push(&format!("DTSTAMP:{}", utc_value(self.dtstamp)));
        ics.push(&format!("ORGANIZER{}:{}", cn_param(&self.user.name), mailto(&self.user.email)));
        ics.push("BUSYTYPE:BUSY-UNAVAILABLE");
        for (range, days) in ranges(self.week) {
            self.push_available(&mut ics, monday, &range, &days);
        }
        ics.push("END:VAVAILABILITY");
        ics.finish()
    }

    /// Adds a range of quarters of the day that repeats on each of these days of the week.
    fn push_available(&self, ics: &mut Writer, monday: Date, range: &Range<usize>, days: &[Day]) {
        let first = monday.saturating_add(i64::try_from(days[0].index()).unwrap_or(0).days());
        let at = |quarter: usize| {
            let minutes = 15 * i64::try_from(quarter).unwrap_or(0);
            first.at(0, 0, 0, 0).saturating_add(minutes.minutes())
        };
        let (start, end) = (at(range.start), at(range.end));
        let days: Vec<&str> = days.iter().map(|day| WEEKDAYS[day.index()]).collect();
        ics.push("BEGIN:AVAILABLE");
        ics.push(&format!("UID:{}.{}-{}@w2meet", self.user_id, start.strftime("%H%M"), end.strftime("%H%M")));
        ics.push(&format!("DTSTAMP:{}", utc_value(self.dtstamp)));
        ics.push(&format!("DTSTART{}", self.local_value(start)));
        ics.push(&format!("DTEND{}", self.local_value(end)));
        ics.push(&format!("RRULE:FREQ=WEEKLY;BYDAY={}", days.join(",")));
        ics.push("END:AVAILABLE");
    }

    /// The parameters and the value of a local time.
    fn local_value(&self, at: DateTime) -> String {
        match *self.zone == Zone::utc() {
            true => format!(":{}Z", vtimezone::local_value(at)),
            false => format!(";TZID={}:{}", self.zone.name(), vtimezone::local_value(at)),
        }
    }

    /// The Monday of the last week before `since` in which the clocks of the zone do not change, so that durations on the wall clock
    /// are exact.
    fn monday(&self) -> Date {
        let today = self.zone.date_at(self.since);
        let mut monday = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
        // No zone has ever changed its clocks in each of ten weeks.
        for _ in 0..10 {
            let (start, end) =
                (self.zone.start_of_day(monday), self.zone.start_of_day(monday.saturating_add(7.days())));
            if self.zone.segments(start, end).len() == 1 {
                break;
            }
            monday = monday.saturating_sub(7.days());
        }
        monday
    }
}

/// The ranges of quarters of a day, each with all days on which it occurs, in the order of their first occurrence in the week.
fn ranges(week: &Week) -> Vec<(Range<usize>, Vec<Day>)> {
    let mut ranges: Vec<(Range<usize>, Vec<Day>)> = Vec::new();
    for day in Day::ALL {
        for run in week.runs_of(day) {
            match ranges.iter_mut().find(|(range, _)| *range == run) {
                Some((_, days)) => days.push(day),
                None => ranges.push((run, vec![day])),
            }
        }
    }
    ranges
}
