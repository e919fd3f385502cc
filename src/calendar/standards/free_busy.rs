//! When somebody is busy, as a calendar object: VFREEBUSY (RFC 5545, 3.6.4), published (RFC 5546, 3.3.1).

use std::ops::Range;

use jiff::Timestamp;

use super::content::{Lines, common_name, mailto, utc};
use crate::calendar::{Frame, Grid, Person};

/// What there is to tell of one person between the ends of a frame.
#[derive(Debug)]
pub struct FreeBusy<'a> {
    /// The object, for ever, globally.
    pub uid: String,
    /// When it is made.
    pub stamp: Timestamp,
    /// Whose time it is.
    pub who: &'a Person,
    /// From when until when; a window that is not empty.
    pub frame: &'a Frame,
    /// Where they are available.
    pub free: &'a Grid,
    /// Where they could be, if it must be. What is free too is free.
    pub if_needed: &'a Grid,
    /// Where something is in their way; in any order, overlapping or not, inside of the frame or not.
    pub busy: &'a [(Timestamp, Timestamp)],
}

/// Why somebody is not simply free (RFC 5545, 3.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusyType {
    /// Something is in the way.
    Busy,
    /// They could, if it must be.
    Tentative,
    /// It is outside of their availability.
    Unavailable,
}

impl BusyType {
    fn name(self) -> &'static str {
        match self {
            BusyType::Busy => "BUSY",
            BusyType::Tentative => "BUSY-TENTATIVE",
            BusyType::Unavailable => "BUSY-UNAVAILABLE",
        }
    }
}

impl FreeBusy<'_> {
    /// The object, `text/calendar; charset=UTF-8`.
    pub fn to_ics(&self) -> String {
        let mut ics = Lines::calendar();
        ics.all(["METHOD:PUBLISH", "BEGIN:VFREEBUSY"]);
        ics.push(&format!("UID:{}", self.uid));
        let ends = (self.frame.instant(0), self.frame.instant(self.frame.len()));
        for (name, instant) in [("DTSTAMP", self.stamp), ("DTSTART", ends.0), ("DTEND", ends.1)] {
            ics.push(&format!("{name}:{}", utc(instant)));
        }
        // What is published names whose time it is as the organizer, and no attendee (RFC 5546, 3.3.1).
        ics.push(&format!("ORGANIZER{}:{}", common_name(&self.who.name), mailto(&self.who.email)));
        for (start, end, kind) in self.periods() {
            ics.push(&format!("FREEBUSY;FBTYPE={}:{}/{}", kind.name(), utc(start), utc(end)));
        }
        ics.push("END:VFREEBUSY");
        ics.finish()
    }

    /// The stretches in which they are not free, in order, apart, to the second, none longer than the frame. What is busy
    /// is nothing else.
    pub fn periods(&self) -> Vec<(Timestamp, Timestamp, BusyType)> {
        let second = |q: usize| self.frame.instant(q).as_second();
        let frame = second(0)..second(self.frame.len());
        let busy = merged(self.busy, &frame);
        let mut tentative = self.if_needed.clone();
        tentative.subtract(self.free);
        let mut outside = Grid::full(self.frame.len());
        outside.subtract(self.free);
        outside.subtract(&tentative);
        let mut found: Vec<(i64, i64, BusyType)> = busy.iter().map(|it| (it.start, it.end, BusyType::Busy)).collect();
        for (grid, kind) in [(&tentative, BusyType::Tentative), (&outside, BusyType::Unavailable)] {
            for run in grid.runs() {
                let left = without(second(run.start)..second(run.end), &busy);
                found.extend(left.into_iter().map(|it| (it.start, it.end, kind)));
            }
        }
        found.sort_by_key(|(start, ..)| *start);
        let instant = |second| Timestamp::from_second(second).unwrap_or_default();
        found.into_iter().map(|(start, end, kind)| (instant(start), instant(end), kind)).collect()
    }
}

/// The seconds inside of `frame` that any of the periods touches, as stretches in order and apart.
fn merged(periods: &[(Timestamp, Timestamp)], frame: &Range<i64>) -> Vec<Range<i64>> {
    let ceiling = |at: Timestamp| at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    let floor = |at: Timestamp| at.as_second() - i64::from(at.subsec_nanosecond() < 0);
    let clip = |(start, end): &(Timestamp, Timestamp)| floor(*start).max(frame.start)..ceiling(*end).min(frame.end);
    let mut stretches: Vec<_> = periods.iter().map(clip).filter(|it| it.start < it.end).collect();
    stretches.sort_by_key(|it| it.start);
    let mut merged: Vec<Range<i64>> = Vec::with_capacity(stretches.len());
    for next in stretches {
        match merged.last_mut() {
            Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
            _ => merged.push(next),
        }
    }
    merged
}

/// What the stretches, which are in order and apart, leave of `run`.
fn without(run: Range<i64>, taken: &[Range<i64>]) -> Vec<Range<i64>> {
    let mut left = Vec::new();
    let mut at = run.start;
    for one in taken.iter().skip_while(|one| one.end <= run.start).take_while(|one| one.start < run.end) {
        left.push(at..one.start);
        at = one.end;
    }
    left.push(at..run.end);
    left.retain(|it| it.start < it.end);
    left
}

#[cfg(test)]
mod tests {
    use super::{BusyType, FreeBusy};
    use crate::calendar::{Frame, Grid, Person, Zone};
    use jiff::Timestamp;
    use jiff::civil::date;
    use std::error::Error;

    /// Times of 2026-03-29 in Paris, in UTC; who is free from 09:00 to 12:00 and could until 13:00, UTC.
    fn told(busy: &[(&str, &str)]) -> Result<Vec<String>, Box<dyn Error>> {
        let frame = Frame::window(Zone::parse("Europe/Paris")?, date(2026, 3, 29), date(2026, 3, 29))?;
        let at = |text: &str| format!("2026-03-29T{text}Z").parse::<Timestamp>();
        let busy: Result<Vec<_>, jiff::Error> = busy.iter().map(|(a, b)| Ok((at(a)?, at(b)?))).collect();
        let quarter = |text| Ok::<_, jiff::Error>(frame.touched(frame.instant(0), at(text)?).end);
        let (mut free, mut if_needed) = (Grid::empty(frame.len()), Grid::empty(frame.len()));
        free.insert(quarter("09:00:00")?..quarter("12:00:00")?);
        if_needed.insert(quarter("11:00:00")?..quarter("13:00:00")?);
        let who = Person { name: "Ana".into(), email: "ana@example.com".into() };
        let (uid, stamp) = ("x@y".to_owned(), Timestamp::UNIX_EPOCH);
        let told = FreeBusy { uid, stamp, who: &who, frame: &frame, free: &free, if_needed: &if_needed, busy: &busy? };
        let short = |kind| match kind {
            BusyType::Busy => 'B',
            BusyType::Tentative => 'T',
            BusyType::Unavailable => 'U',
        };
        let text = |at: Timestamp| at.strftime("%d %H:%M:%S").to_string();
        Ok(told.periods().into_iter().map(|(a, b, kind)| format!("{} {}-{}", short(kind), text(a), text(b))).collect())
    }

    #[test]
    fn a_day_of_23_hours_is_told_whole() -> Result<(), Box<dyn Error>> {
        let plain = ["U 28 23:00:00-29 09:00:00", "T 29 12:00:00-29 13:00:00", "U 29 13:00:00-29 22:00:00"];
        assert_eq!(told(&[])?, plain);
        Ok(())
    }

    #[test]
    fn what_is_busy_is_merged_to_the_second_and_nothing_else() -> Result<(), Box<dyn Error>> {
        let busy = [
            ("10:30:00.5", "10:45:00"),
            ("10:00:00", "10:30:00.2"),
            ("11:59:59", "13:30:00"),
            ("10:05:00", "10:10:00"),
        ];
        let expected = [
            "U 28 23:00:00-29 09:00:00",
            "B 29 10:00:00-29 10:45:00",
            "B 29 11:59:59-29 13:30:00",
            "U 29 13:30:00-29 22:00:00",
        ];
        assert_eq!(told(&busy)?, expected);
        Ok(())
    }

    #[test]
    fn busy_time_is_cut_to_the_window() -> Result<(), Box<dyn Error>> {
        let day = told(&[("00:00:00", "23:59:00")])?;
        assert_eq!(day, ["U 28 23:00:00-29 00:00:00", "B 29 00:00:00-29 22:00:00"]);
        assert_eq!(told(&[("22:00:00", "23:00:00"), ("10:00:00", "10:00:00")])?, told(&[])?);
        Ok(())
    }
}
