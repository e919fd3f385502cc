//! Expands events to busy periods. Recurrences are expanded on the wall clock, and each occurrence becomes an instant by the rules
//! of its zone on that date. What cannot be read is left out with a warning.

use std::collections::{BTreeMap, HashSet};

use super::content_line::{ContentLine, IcsError};
use super::date_time_value::{DateTimeValue, EventDuration};
use super::event_times::{DateProperty, EventTimes};
use super::period::{BusyPeriods, DateRange, Period, merge_periods};
use super::recurrence_parser::RecurrenceRule;
use super::values::midnight_before;
use super::vevent_reader::Event;
use super::vtimezone_reader::{CalendarZones, ZoneReference};
use super::warnings::Warnings;
use super::zone_rules::ZoneRules;
use crate::calendar::time::{SECONDS_PER_DAY, Zone};

/// The occurrences of an event: when each starts on the event's own wall clock, and how long it lasts.
type Occurrences = BTreeMap<i64, EventDuration>;

/// Expands the events of one calendar.
pub struct Expander<'a> {
    times: EventTimes<'a>,
    range: DateRange,
    busy: BusyPeriods,
    /// The lines of replacements whose occurrence a newer revision of the series does not have.
    stale: HashSet<usize>,
}

impl<'a> Expander<'a> {
    /// An expander for the dates of interest; `home` is the zone of the owner.
    pub fn new(zones: CalendarZones<'a>, home: &Zone, range: DateRange, warnings: Warnings) -> Expander<'a> {
        let times = EventTimes::new(zones, home, warnings);
        Expander { times, range, busy: BusyPeriods::default(), stale: HashSet::new() }
    }

    /// The busy periods, merged, and the warnings.
    pub fn finish(self) -> (BusyPeriods, Warnings) {
        let BusyPeriods { fixed, floating } = self.busy;
        (BusyPeriods { fixed: merge_periods(fixed), floating: merge_periods(floating) }, self.times.warnings)
    }

    /// Adds a component, or leaves it out as a whole if it takes too much work.
    pub fn add(
        &mut self,
        component: &str,
        add: impl FnOnce(&mut Expander<'a>) -> Result<(), IcsError>,
    ) -> Result<(), IcsError> {
        let (fixed, floating) = (self.busy.fixed.len(), self.busy.floating.len());
        self.times.limit.begin_component();
        let added = add(self);
        if added.is_err() {
            self.busy.fixed.truncate(fixed);
            self.busy.floating.truncate(floating);
        }
        self.times.warnings.leave_out(component, added).map(drop)
    }

    /// Adds the occurrences of an event. `replacements` are the events that replace some of them.
    pub fn add_series(&mut self, event: &Event<'_>, replacements: &[&Event<'_>]) -> Result<(), IcsError> {
        if event.is_cancelled {
            self.times.limit.count_occurrences(event.line, replacements.len())?;
            let older = replacements.iter().filter(|other| other.sequence < event.sequence);
            self.stale.extend(older.map(|other| other.line));
        }
        if event.is_transparent {
            return Ok(());
        }
        let Some((start, duration)) = self.times.read_start_and_duration(event)? else { return Ok(()) };
        let mut occurrences = self.expand_occurrences(event, &start, duration)?;
        for line in &event.exdate {
            self.remove_excepted(line, &start, &mut occurrences)?;
        }
        let current = self.find_current_replacements(event, &start, replacements, &occurrences)?;
        for line in current.iter().filter_map(|other| other.recurrence_id) {
            self.remove_excepted(line, &start, &mut occurrences)?;
        }
        self.move_later_occurrences(&start, &current, &mut occurrences)?;
        for (wall, duration) in occurrences {
            self.add_period(event.line, &start.zone, wall, duration)?;
        }
        Ok(())
    }

    /// Adds an event that replaces one occurrence of a series, and is that occurrence alone.
    pub fn add_replacement(&mut self, event: &Event<'_>) -> Result<(), IcsError> {
        if self.stale.contains(&event.line) {
            let what = "a newer revision of the series does not have the occurrence that this event replaces";
            self.times.warnings.add(event.line, "VEVENT", format!("{what}; it is left out"));
            return Ok(());
        }
        if event.is_transparent {
            return Ok(());
        }
        let Some((start, duration)) = self.times.read_start_and_duration(event)? else { return Ok(()) };
        self.add_period(event.line, &start.zone, start.wall, duration)
    }

    /// Adds the periods of a FREEBUSY property.
    pub fn add_busy_periods(
        &mut self,
        line: &ContentLine<'_>,
        calendar_zone: Option<ZoneReference<'_>>,
    ) -> Result<(), IcsError> {
        let default = self.times.find_default_zone(calendar_zone)?;
        let property = DateProperty::new(line, "VFREEBUSY");
        for text in line.value().split(',').filter(|text| !text.trim().is_empty()) {
            let period = self.times.read_period(&property, text, &default);
            if let Some((start, duration)) = self.times.warnings.tolerate("VFREEBUSY", "it is left out", period)? {
                self.add_period(line.number, &start.zone, start.wall, duration)?;
            }
        }
        Ok(())
    }

    /// The occurrences around the range, without those of EXRULE.
    fn expand_occurrences(
        &mut self,
        event: &Event<'_>,
        start: &DateTimeValue,
        duration: EventDuration,
    ) -> Result<Occurrences, IcsError> {
        let mut occurrences = BTreeMap::from([(start.wall, duration)]);
        for line in &event.rrule {
            let rule = RecurrenceRule::parse(line, self.clock_of_until(line, start));
            let once = "the event counts once";
            let Some(rule) = self.times.warnings.tolerate("VEVENT", once, rule)? else { continue };
            if rule.ends_before(start.wall) {
                self.times.warnings.add(
                    line.number,
                    "VEVENT",
                    "this rule ends before the event begins; it has no occurrence",
                );
                occurrences.remove(&start.wall);
                continue;
            }
            if rule.is_adjusted {
                let what = "a part of this rule is unknown or means nothing here; it is ignored";
                self.times.warnings.add(line.number, "VEVENT", what);
            }
            let walls = self.expand_rule(line, &rule, start, duration);
            let walls = self.times.warnings.tolerate("VEVENT", once, walls)?.unwrap_or_default();
            occurrences.extend(walls.into_iter().map(|wall| (wall, duration)));
        }
        for line in &event.rdate {
            let property = DateProperty::of_event(line);
            for date in line.value().split(',').filter(|date| !date.trim().is_empty()) {
                self.times.limit.count_occurrence(line.number)?;
                let read = match date.contains('/') {
                    true => self.times.read_period(&property, date, &start.zone),
                    false => self.times.read_date_time(&property, date, &start.zone).map(|date| (date, duration)),
                };
                if let Some((date, duration)) = self.times.warnings.tolerate("VEVENT", "the date is left out", read)? {
                    occurrences.insert(date.wall_in(&start.zone), duration);
                }
            }
        }
        for line in &event.exrule {
            let walls = RecurrenceRule::parse(line, &start.zone)
                .and_then(|rule| self.expand_rule(line, &rule, start, duration));
            for wall in self.times.warnings.tolerate("VEVENT", "it excepts nothing", walls)?.unwrap_or_default() {
                self.times.limit.count_occurrence(line.number)?;
                occurrences.remove(&wall);
            }
        }
        Ok(occurrences)
    }

    /// The clock on which the UNTIL of a rule is read. That of whole days in UTC is midnight as written, or else a time on the clock
    /// of the owner, as Outlook writes it.
    fn clock_of_until<'z>(&'z self, line: &ContentLine<'_>, start: &'z DateTimeValue) -> &'z ZoneRules {
        let is_midnight = line.value().contains("T000000");
        if start.is_date && !is_midnight { &self.times.home } else { &start.zone }
    }

    fn expand_rule(
        &mut self,
        line: &ContentLine<'_>,
        rule: &RecurrenceRule,
        start: &DateTimeValue,
        duration: EventDuration,
    ) -> Result<Vec<i64>, IcsError> {
        // Two days on either side are more than any two clocks differ.
        let from = self.range.from - duration.max_seconds() - 2 * SECONDS_PER_DAY;
        let to = self.range.to + 2 * SECONDS_PER_DAY;
        rule.expand(line, start.wall, from, to, &mut self.times.limit)
    }

    /// The replacements that are not out of date: one of an older revision counts only while the series has its occurrence.
    fn find_current_replacements<'e, 'c>(
        &mut self,
        event: &Event<'_>,
        start: &DateTimeValue,
        replacements: &[&'e Event<'c>],
        occurrences: &Occurrences,
    ) -> Result<Vec<&'e Event<'c>>, IcsError> {
        let mut current = Vec::new();
        for other in replacements.iter().copied() {
            self.times.limit.count_occurrences(other.line, other.reading_cost())?;
            if let Some(line) = other.recurrence_id.filter(|_| other.sequence < event.sequence)
                && let Ok(date) = self.times.read_date_time(&DateProperty::of_event(line), line.value(), &start.zone)
            {
                let wall = self.excepted_wall(start, &date);
                let is_known = self.range.from <= wall && wall < self.range.to;
                let length = if date.is_date { SECONDS_PER_DAY } else { 1 };
                if is_known && occurrences.range(wall..wall + length).next().is_none() {
                    self.stale.insert(other.line);
                    continue;
                }
            }
            current.push(other);
        }
        Ok(current)
    }

    /// Removes the occurrences that the dates of a line name.
    fn remove_excepted(
        &mut self,
        line: &ContentLine<'_>,
        start: &DateTimeValue,
        occurrences: &mut Occurrences,
    ) -> Result<(), IcsError> {
        let property = DateProperty::of_event(line);
        for date in line.value().split([',', ';']).filter(|date| !date.trim().is_empty()) {
            self.times.limit.count_occurrence(line.number)?;
            let read = self.times.read_date_time(&property, date, &start.zone);
            let Some(date) = self.times.warnings.tolerate("VEVENT", "it excepts nothing", read)? else { continue };
            let wall = self.excepted_wall(start, &date);
            if date.is_date && !start.is_date {
                while let Some(first) = occurrences.range(wall..wall + SECONDS_PER_DAY).next().map(|(wall, _)| *wall) {
                    occurrences.remove(&first);
                }
            } else {
                occurrences.remove(&wall);
            }
        }
        Ok(())
    }

    /// The wall clock of the series that an exception names. In a series of whole days a time names its day: midnight in UTC the
    /// day as written, another time in UTC the day on the clock of the owner.
    fn excepted_wall(&self, start: &DateTimeValue, date: &DateTimeValue) -> i64 {
        let is_day_in_utc = date.is_utc && midnight_before(date.wall) == date.wall;
        match start.is_date && !date.is_date {
            true if date.is_utc && !is_day_in_utc => midnight_before(date.wall_in(&self.times.home)),
            true => midnight_before(date.wall),
            false => date.wall_in(&start.zone),
        }
    }

    /// Moves the occurrences after a replacement that replaces all later ones too (RANGE=THISANDFUTURE).
    fn move_later_occurrences(
        &mut self,
        start: &DateTimeValue,
        replacements: &[&Event<'_>],
        occurrences: &mut Occurrences,
    ) -> Result<(), IcsError> {
        let mut moves = BTreeMap::new();
        for other in replacements.iter().filter(|other| other.is_this_and_future) {
            let Some(recurrence_id) = other.recurrence_id else { continue };
            let property = DateProperty::of_event(recurrence_id);
            let Ok(old) = self.times.read_date_time(&property, recurrence_id.value(), &start.zone) else { continue };
            let Some((new, duration)) = self.times.read_start_and_duration(other)? else { continue };
            let old = old.wall_in(&start.zone);
            moves.insert(old, (new.wall_in(&start.zone) - old, (!other.is_transparent).then_some(duration)));
        }
        if moves.is_empty() {
            return Ok(());
        }
        for (wall, duration) in std::mem::take(occurrences) {
            match moves.range(..wall).next_back() {
                None => drop(occurrences.insert(wall, duration)),
                Some((_, (shift, Some(duration)))) => drop(occurrences.insert(wall + shift, *duration)),
                Some((_, (_, None))) => {}
            }
        }
        Ok(())
    }

    fn add_period(
        &mut self,
        line: usize,
        zone: &ZoneRules,
        wall: i64,
        duration: EventDuration,
    ) -> Result<(), IcsError> {
        self.times.limit.count_occurrence(line)?;
        let (start, end) = (zone.instant(wall), duration.end(zone, wall));
        let period = Period { start: start.max(self.range.from), end: end.min(self.range.to) };
        if period.start < period.end {
            let list = if zone.is_floating() { &mut self.busy.floating } else { &mut self.busy.fixed };
            list.push(period);
        }
        Ok(())
    }
}
