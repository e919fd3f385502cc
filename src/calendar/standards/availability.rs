//! A typical week as a calendar object: VAVAILABILITY (RFC 7953).

use std::ops::Range;

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::content::{Lines, common_name, mailto, utc};
use super::time_zone;
use crate::calendar::{Day, Person, Week, Zone};

/// Weekdays as rules write them (RFC 5545, 3.3.10), Monday first.
pub(super) const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// When one person can meet, week by week and for ever.
///
/// What the week has is an AVAILABLE, all else BUSY-UNAVAILABLE. There is no third value in RFC 7953, so a week of what is
/// possible if needed has no place here; VFREEBUSY tells it.
#[derive(Debug)]
pub struct Availability<'a> {
    /// Whose it is, for ever.
    pub user_id: Uuid,
    /// When it was last changed.
    pub stamp: Timestamp,
    /// From about when on it is told: what comes first is in the last week before it in which clocks were not changed.
    pub since: Timestamp,
    /// Whose it is.
    pub who: &'a Person,
    /// Where the week's wall clock hangs.
    pub zone: &'a Zone,
    /// When they can meet.
    pub week: &'a Week,
}

impl Availability<'_> {
    /// The object, `text/calendar; charset=UTF-8`: the same for the same week.
    pub fn to_ics(&self) -> String {
        let mut ics = Lines::calendar();
        let monday = self.monday();
        if !self.week.is_empty() && *self.zone != Zone::utc() {
            time_zone::push(&mut ics, self.zone, crate::calendar::zone::timestamp(self.zone.start_of_day(monday)));
        }
        ics.push("BEGIN:VAVAILABILITY");
        ics.push(&format!("UID:{}.availability@w2meet", self.user_id));
        ics.push(&format!("DTSTAMP:{}", utc(self.stamp)));
        ics.push(&format!("ORGANIZER{}:{}", common_name(&self.who.name), mailto(&self.who.email)));
        ics.push("BUSYTYPE:BUSY-UNAVAILABLE");
        for (range, days) in ranges(self.week) {
            self.push_available(&mut ics, monday, &range, &days);
        }
        ics.push("END:VAVAILABILITY");
        ics.finish()
    }

    /// Adds a stretch of the day, in quarters, which comes on each of these days of the week.
    fn push_available(&self, ics: &mut Lines, monday: Date, range: &Range<usize>, days: &[Day]) {
        let first = monday.saturating_add(i64::try_from(days[0].index()).unwrap_or(0).days());
        let at = |quarter: usize| {
            let minutes = 15 * i64::try_from(quarter).unwrap_or(0);
            first.at(0, 0, 0, 0).saturating_add(minutes.minutes())
        };
        let (start, end) = (at(range.start), at(range.end));
        let days: Vec<&str> = days.iter().map(|day| WEEKDAYS[day.index()]).collect();
        ics.push("BEGIN:AVAILABLE");
        ics.push(&format!("UID:{}.{}-{}@w2meet", self.user_id, start.strftime("%H%M"), end.strftime("%H%M")));
        ics.push(&format!("DTSTAMP:{}", utc(self.stamp)));
        ics.push(&format!("DTSTART{}", self.local(start)));
        ics.push(&format!("DTEND{}", self.local(end)));
        ics.push(&format!("RRULE:FREQ=WEEKLY;BYDAY={}", days.join(",")));
        ics.push("END:AVAILABLE");
    }

    /// A local time with the zone that it is in, from after the name of its property on.
    fn local(&self, at: DateTime) -> String {
        match *self.zone == Zone::utc() {
            true => format!(":{}Z", time_zone::text(at)),
            false => format!(";TZID={}:{}", self.zone.name(), time_zone::text(at)),
        }
    }

    /// The Monday of the last week before `since` in which no clock is changed: lengths of time are those of the wall there.
    fn monday(&self) -> Date {
        let today = self.zone.date_at(self.since);
        let mut monday = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
        // no zone has ever changed in each of ten weeks
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

/// The stretches of a day that the week has, in quarters, each with all of its days: what begins earlier in the week first.
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
