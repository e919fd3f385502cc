//! Reads from a calendar when its owner is busy. Recurrences are expanded on the wall clock, and each occurrence becomes an instant
//! by the rules of its zone on that date.

use std::collections::{BTreeMap, HashMap};

use super::content_line::{ContentLine, IcsError};
use super::parser::{Component, parse_calendars};
use super::period::{BusyPeriods, DateRange, Period, merge_periods};
use super::recurrence::{ExpansionLimit, expand_rule};
use super::values::{DateOrTime, DurationValue, midnight_before, parse_date_or_time, parse_duration};
use super::vevent::is_uid_of;
use super::vevent_reader::{Event, retain_latest_revisions};
use super::vtimezone_reader::CalendarZones;
use super::zone_rules::ZoneRules;
use crate::calendar::time::SECONDS_PER_DAY;

/// Reads when the owner of a calendar, an e-mail address, is busy. Meetings whose UIDs end with
/// `own_domain` do not count: this installation arranged them, and holds their time itself.
///
/// `is_overdue` says when the expansion must stop.
///
/// # Errors
/// The first property that is wrong or not supported, or an expansion that exceeds its limit.
pub fn read_busy_periods(
    text: &str,
    owner: &str,
    own_domain: &str,
    range: DateRange,
    is_overdue: &dyn Fn() -> bool,
) -> Result<BusyPeriods, IcsError> {
    let calendars = parse_calendars(text)?;
    let mut contents = Contents::default();
    calendars.iter().try_for_each(|calendar| contents.collect(calendar, owner))?;
    let Contents { mut events, free_busy, zones } = contents;
    retain_latest_revisions(&mut events);
    let zones = CalendarZones::new(zones, range.from, range.to);
    let mut expander = Expander { zones, limit: ExpansionLimit::new(is_overdue), range, busy: BusyPeriods::default() };
    let mut replacements: HashMap<&str, Vec<&Event<'_>>> = HashMap::new();
    for event in events.iter().filter(|event| event.recurrence_id.is_some()) {
        replacements.entry(event.uid).or_default().push(event);
    }
    for event in &events {
        if !is_uid_of(event.uid, own_domain) {
            expander.add_event(event, replacements.get(event.uid).map_or(&[], Vec::as_slice))?;
        }
    }
    for line in free_busy {
        for period in line.bounded()?.value().split(',') {
            let (start, duration) = expander.period(line, period)?;
            expander.add_period(line.number, &start.zone, start.wall, duration)?;
        }
    }
    let BusyPeriods { fixed, floating } = expander.busy;
    Ok(BusyPeriods { fixed: merge_periods(fixed), floating: merge_periods(floating) })
}

/// The components of a calendar that say when its owner is busy.
#[derive(Default)]
struct Contents<'a> {
    events: Vec<Event<'a>>,
    /// FREEBUSY properties of busy time.
    free_busy: Vec<&'a ContentLine<'a>>,
    zones: Vec<&'a Component<'a>>,
}

impl<'a> Contents<'a> {
    fn collect(&mut self, component: &'a Component<'a>, owner: &str) -> Result<(), IcsError> {
        match component.name.as_str() {
            "VEVENT" => self.events.push(Event::read(component, owner)?),
            "VTIMEZONE" => self.zones.push(component),
            "VFREEBUSY" => {
                self.free_busy.extend(component.find_all("FREEBUSY").filter(|line| !line.has_param("FBTYPE", "FREE")));
            }
            _ => {}
        }
        component.components.iter().try_for_each(|inner| self.collect(inner, owner))
    }
}

/// A DATE or DATE-TIME with the rules of its zone.
struct DateTimeValue {
    zone: ZoneRules,
    wall: i64,
    /// Whether the value is a whole day.
    is_date: bool,
}

impl DateTimeValue {
    /// The wall clock of another zone at this time; without a zone on either side, the same wall clock.
    fn wall_in(&self, zone: &ZoneRules) -> i64 {
        match self.zone.is_floating() || zone.is_floating() {
            true => self.wall,
            false => zone.wall(self.zone.instant(self.wall)),
        }
    }
}

/// How long an occurrence lasts.
#[derive(Clone, Copy)]
enum EventDuration {
    /// Seconds.
    Exact(i64),
    /// Days on the wall clock, then seconds.
    Nominal(DurationValue),
}

impl EventDuration {
    fn max_seconds(self) -> i64 {
        match self {
            EventDuration::Exact(seconds) => seconds.max(0),
            EventDuration::Nominal(duration) => duration.days * SECONDS_PER_DAY + duration.seconds,
        }
    }
}

/// The occurrences of an event: when each starts on the event's own wall clock, and how long it lasts.
type Occurrences = BTreeMap<i64, EventDuration>;

struct Expander<'a> {
    zones: CalendarZones<'a>,
    limit: ExpansionLimit<'a>,
    range: DateRange,
    busy: BusyPeriods,
}

impl Expander<'_> {
    /// Adds the occurrences of an event. `replacements` are the events that replace some of them.
    fn add_event(&mut self, event: &Event<'_>, replacements: &[&Event<'_>]) -> Result<(), IcsError> {
        if event.is_transparent {
            return Ok(());
        }
        let Some(dtstart) = event.dtstart else {
            return Err(IcsError::new(event.line, "this event has no DTSTART: say when it begins"));
        };
        let start = self.date_time(dtstart, dtstart.value())?;
        let duration = self.duration(event, &start)?;
        // An event that replaces one occurrence is that occurrence alone.
        if event.recurrence_id.is_some() {
            return self.add_period(event.line, &start.zone, start.wall, duration);
        }
        let mut occurrences = self.occurrences(event, &start, duration)?;
        self.remove_exceptions(event, &start, replacements, &mut occurrences)?;
        self.move_later_occurrences(&start, replacements, &mut occurrences)?;
        for (wall, duration) in occurrences {
            self.add_period(event.line, &start.zone, wall, duration)?;
        }
        Ok(())
    }

    /// The occurrences around the range, without those of EXRULE.
    fn occurrences(
        &mut self,
        event: &Event<'_>,
        start: &DateTimeValue,
        duration: EventDuration,
    ) -> Result<Occurrences, IcsError> {
        // Two days on either side are more than any two clocks differ.
        let from = self.range.from - duration.max_seconds() - 2 * SECONDS_PER_DAY;
        let to = self.range.to + 2 * SECONDS_PER_DAY;
        let mut occurrences = BTreeMap::from([(start.wall, duration)]);
        for rule in &event.rrule {
            let walls = expand_rule(rule, start.wall, &start.zone, from, to, &mut self.limit)?;
            occurrences.extend(walls.into_iter().map(|wall| (wall, duration)));
        }
        for line in &event.rdate {
            for date in line.value().split(',') {
                self.limit.spend(line.number)?;
                let (date, own_duration) = match date.contains('/') {
                    true => self.period(line, date)?,
                    false => (self.date_time(line, date)?, duration),
                };
                occurrences.insert(date.wall_in(&start.zone), own_duration);
            }
        }
        for rule in &event.exrule {
            for wall in expand_rule(rule, start.wall, &start.zone, from, to, &mut self.limit)? {
                self.limit.spend(rule.number)?;
                occurrences.remove(&wall);
            }
        }
        Ok(occurrences)
    }

    /// Removes the occurrences of EXDATE, and those that other events replace.
    fn remove_exceptions(
        &mut self,
        event: &Event<'_>,
        start: &DateTimeValue,
        replacements: &[&Event<'_>],
        occurrences: &mut Occurrences,
    ) -> Result<(), IcsError> {
        let replaced = replacements.iter().filter_map(|other| other.recurrence_id);
        for line in event.exdate.iter().copied().chain(replaced) {
            for date in line.value().split(',') {
                self.limit.spend(line.number)?;
                let date = self.date_time(line, date)?;
                if date.is_date && !start.is_date {
                    occurrences.retain(|wall, _| midnight_before(*wall) != date.wall);
                } else {
                    occurrences.remove(&date.wall_in(&start.zone));
                }
            }
        }
        Ok(())
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
            if let (Some(recurrence_id), Some(dtstart)) = (other.recurrence_id, other.dtstart) {
                let old = self.date_time(recurrence_id, recurrence_id.value())?.wall_in(&start.zone);
                let new = self.date_time(dtstart, dtstart.value())?;
                let duration = self.duration(other, &new)?;
                moves.insert(old, (new.wall_in(&start.zone) - old, (!other.is_transparent).then_some(duration)));
            }
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

    /// The value of a property that is a date or a date-time.
    fn date_time(&mut self, line: &ContentLine<'_>, text: &str) -> Result<DateTimeValue, IcsError> {
        let what = "this is neither a date nor a date-time: write 20261127 or 20261127T090000Z";
        Ok(match parse_date_or_time(text).ok_or_else(|| IcsError::new(line.number, what))? {
            DateOrTime::Date(wall) => DateTimeValue { zone: ZoneRules::Floating, wall, is_date: true },
            DateOrTime::Utc(wall) => DateTimeValue { zone: ZoneRules::utc(), wall, is_date: false },
            DateOrTime::Local(wall) => {
                let zone = match line.param("TZID") {
                    Some(name) => self.zones.find(name, line.number, &mut self.limit)?,
                    None => ZoneRules::Floating,
                };
                DateTimeValue { zone, wall, is_date: false }
            }
        })
    }

    fn duration(&mut self, event: &Event<'_>, start: &DateTimeValue) -> Result<EventDuration, IcsError> {
        match (event.dtend, event.duration) {
            (Some(dtend), _) => {
                let end = self.date_time(dtend, dtend.value())?;
                match duration_between(dtend.number, start, &end)? {
                    // Many programs write a whole day like this.
                    EventDuration::Exact(0) if start.is_date && end.is_date => {
                        Ok(EventDuration::Exact(SECONDS_PER_DAY))
                    }
                    duration => Ok(duration),
                }
            }
            (None, Some(line)) => {
                let what = "this is not the duration of an event: write one such as PT45M";
                let duration = parse_duration(line.value()).map(EventDuration::Nominal);
                duration.ok_or_else(|| IcsError::new(line.number, what))
            }
            (None, None) => Ok(EventDuration::Exact(if start.is_date { SECONDS_PER_DAY } else { 0 })),
        }
    }

    /// A PERIOD: `start/end` or `start/duration`.
    fn period(&mut self, line: &ContentLine<'_>, text: &str) -> Result<(DateTimeValue, EventDuration), IcsError> {
        let what = "this is not a period: write 20261127T090000Z/PT1H, or an end after the slash";
        let (start, end) = text.split_once('/').ok_or_else(|| IcsError::new(line.number, what))?;
        let start = self.date_time(line, start)?;
        let duration = match parse_duration(end) {
            Some(duration) => EventDuration::Nominal(duration),
            None => duration_between(line.number, &start, &self.date_time(line, end)?)?,
        };
        Ok((start, duration))
    }

    fn add_period(
        &mut self,
        line: usize,
        zone: &ZoneRules,
        wall: i64,
        duration: EventDuration,
    ) -> Result<(), IcsError> {
        self.limit.spend(line)?;
        let start = zone.instant(wall);
        let end = match duration {
            EventDuration::Exact(seconds) => start + seconds,
            EventDuration::Nominal(DurationValue { days, seconds }) => {
                zone.instant(wall + days * SECONDS_PER_DAY) + seconds
            }
        };
        let period = Period { start: start.max(self.range.from), end: end.min(self.range.to) };
        if period.start < period.end {
            let list = if zone.is_floating() { &mut self.busy.floating } else { &mut self.busy.fixed };
            list.push(period);
        }
        Ok(())
    }
}

fn duration_between(line: usize, start: &DateTimeValue, end: &DateTimeValue) -> Result<EventDuration, IcsError> {
    match start.zone.is_floating() == end.zone.is_floating() {
        true => Ok(EventDuration::Exact(end.zone.instant(end.wall) - start.zone.instant(start.wall))),
        false => Err(IcsError::new(line, "the start and the end must both have a time zone, or both have none")),
    }
}
