//! Writes the busy time of a user as VFREEBUSY (RFC 5545, 3.6.4), published (RFC 5546, 3.3.1).

use jiff::Timestamp;

use super::period::{Period, merge_periods};
use super::vevent::CalAddress;
use super::writer::{Writer, cn_param, mailto, utc_value};
use crate::calendar::time::{Grid, SearchWindow};

/// The time of one user in a search window.
#[derive(Debug)]
pub struct VFreeBusy<'a> {
    /// The globally unique id of the object.
    pub uid: String,
    /// When the object is made.
    pub dtstamp: Timestamp,
    /// The user.
    pub user: &'a CalAddress,
    /// A range of dates that is not empty.
    pub window: &'a SearchWindow,
    /// When the user is free.
    pub free: &'a Grid,
    /// When the user can meet if needed. Quarters that are free too count as free.
    pub if_needed: &'a Grid,
    /// The busy periods: in any order, overlapping or not, inside the window or not.
    pub busy: &'a [(Timestamp, Timestamp)],
}

/// Why the user is not free: FBTYPE (RFC 5545, 3.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusyType {
    /// The user is busy.
    Busy,
    /// The user can meet if needed.
    Tentative,
    /// The time is outside the availability of the user.
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

impl VFreeBusy<'_> {
    /// The object, `text/calendar; charset=UTF-8`.
    pub fn to_ics(&self) -> String {
        let mut ics = Writer::new();
        ics.push_all(["METHOD:PUBLISH", "BEGIN:VFREEBUSY"]);
        ics.push(&format!("UID:{}", self.uid));
        let ends = (self.window.instant(0), self.window.instant(self.window.len()));
        for (name, instant) in [("DTSTAMP", self.dtstamp), ("DTSTART", ends.0), ("DTEND", ends.1)] {
            ics.push(&format!("{name}:{}", utc_value(instant)));
        }
        // A published object names the user as the organizer, and no attendee (RFC 5546, 3.3.1).
        ics.push(&format!("ORGANIZER{}:{}", cn_param(&self.user.name), mailto(&self.user.email)));
        for (start, end, kind) in self.periods() {
            ics.push(&format!("FREEBUSY;FBTYPE={}:{}/{}", kind.name(), utc_value(start), utc_value(end)));
        }
        ics.push("END:VFREEBUSY");
        ics.finish()
    }

    /// The periods in which the user is not free: in order, apart, to the second, inside the window. A busy period has no other
    /// type.
    pub fn periods(&self) -> Vec<(Timestamp, Timestamp, BusyType)> {
        let second = |q: usize| self.window.instant(q).as_second();
        let (from, to) = (second(0), second(self.window.len()));
        let ceiling = |at: Timestamp| at.as_second() + i64::from(at.subsec_nanosecond() > 0);
        let floor = |at: Timestamp| at.as_second() - i64::from(at.subsec_nanosecond() < 0);
        let clip = |(start, end): &(_, _)| Period { start: floor(*start).max(from), end: ceiling(*end).min(to) };
        let busy = merge_periods(self.busy.iter().map(clip).filter(|it| it.start < it.end).collect());
        let mut tentative = self.if_needed.clone();
        tentative.subtract(self.free);
        let mut outside = Grid::full(self.window.len());
        outside.subtract(self.free);
        outside.subtract(&tentative);
        let mut found: Vec<(i64, i64, BusyType)> = busy.iter().map(|it| (it.start, it.end, BusyType::Busy)).collect();
        for (grid, kind) in [(&tentative, BusyType::Tentative), (&outside, BusyType::Unavailable)] {
            for run in grid.runs() {
                let left = subtract(Period { start: second(run.start), end: second(run.end) }, &busy);
                found.extend(left.into_iter().map(|it| (it.start, it.end, kind)));
            }
        }
        found.sort_by_key(|(start, ..)| *start);
        let instant = |second| Timestamp::from_second(second).unwrap_or_default();
        found.into_iter().map(|(start, end, kind)| (instant(start), instant(end), kind)).collect()
    }
}

/// The parts of `run` that `taken`, periods in order and apart, leaves.
fn subtract(run: Period, taken: &[Period]) -> Vec<Period> {
    let mut left = Vec::new();
    let mut start = run.start;
    for one in taken.iter().skip_while(|one| one.end <= run.start).take_while(|one| one.start < run.end) {
        left.push(Period { start, end: one.start });
        start = one.end;
    }
    left.push(Period { start, end: run.end });
    left.retain(|it| it.start < it.end);
    left
}

#[cfg(test)]
mod tests {
    use super::{BusyType, CalAddress, VFreeBusy};
    use crate::calendar::{Grid, SearchWindow, Zone};
    use jiff::Timestamp;
    use jiff::civil::date;
    use std::error::Error;

    /// Periods of 2026-03-29 in Paris, in UTC. The user is free from 09:00 to 12:00, and until 13:00 if needed, UTC.
    fn periods(busy: &[(&str, &str)]) -> Result<Vec<String>, Box<dyn Error>> {
        let window = SearchWindow::dates(Zone::parse("Europe/Paris")?, date(2026, 3, 29), date(2026, 3, 29))?;
        let at = |text: &str| format!("2026-03-29T{text}Z").parse::<Timestamp>();
        let busy: Result<Vec<_>, jiff::Error> = busy.iter().map(|(a, b)| Ok((at(a)?, at(b)?))).collect();
        let quarter = |text| Ok::<_, jiff::Error>(window.quarters_overlapping(window.instant(0), at(text)?).end);
        let (mut free, mut if_needed) = (Grid::empty(window.len()), Grid::empty(window.len()));
        free.insert(quarter("09:00:00")?..quarter("12:00:00")?);
        if_needed.insert(quarter("11:00:00")?..quarter("13:00:00")?);
        let user = CalAddress { name: "Ana".into(), email: "ana@example.com".into() };
        let (uid, dtstamp) = ("x@y".to_owned(), Timestamp::UNIX_EPOCH);
        let object =
            VFreeBusy { uid, dtstamp, user: &user, window: &window, free: &free, if_needed: &if_needed, busy: &busy? };
        let short = |kind| match kind {
            BusyType::Busy => 'B',
            BusyType::Tentative => 'T',
            BusyType::Unavailable => 'U',
        };
        let text = |at: Timestamp| at.strftime("%d %H:%M:%S").to_string();
        Ok(object
            .periods()
            .into_iter()
            .map(|(a, b, kind)| format!("{} {}-{}", short(kind), text(a), text(b)))
            .collect())
    }

    #[test]
    fn a_day_of_23_hours_is_covered() -> Result<(), Box<dyn Error>> {
        let plain = ["U 28 23:00:00-29 09:00:00", "T 29 12:00:00-29 13:00:00", "U 29 13:00:00-29 22:00:00"];
        assert_eq!(periods(&[])?, plain);
        Ok(())
    }

    #[test]
    fn busy_periods_are_merged_to_the_second_and_have_no_other_type() -> Result<(), Box<dyn Error>> {
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
        assert_eq!(periods(&busy)?, expected);
        Ok(())
    }

    #[test]
    fn busy_time_is_cut_to_the_window() -> Result<(), Box<dyn Error>> {
        let day = periods(&[("00:00:00", "23:59:00")])?;
        assert_eq!(day, ["U 28 23:00:00-29 00:00:00", "B 29 00:00:00-29 22:00:00"]);
        assert_eq!(periods(&[("22:00:00", "23:00:00"), ("10:00:00", "10:00:00")])?, periods(&[])?);
        Ok(())
    }
}
