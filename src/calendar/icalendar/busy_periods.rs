//! From the components of a calendar to the periods in which its owner is busy.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::IcsError;
use super::components::{Components, Event, Property, components};
use super::recurrence::{ExpansionLimit, starts};
use super::values::{DAY, DurationValue, When, length, midnight, when};
use super::vevent::meeting_of_uid;
use super::vtimezone_reader::{CalendarZones, ZoneRules};

/// The dates of interest, in seconds: of instants, and of wall clocks without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// The first second.
    pub from: i64,
    /// The second after the last one.
    pub to: i64,
}

/// A half-open stretch of time, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// The first second.
    pub start: i64,
    /// The second after the last one.
    pub end: i64,
}

/// When somebody is busy: sorted, apart from each other, and within the range that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusyPeriods {
    /// Unix seconds.
    pub fixed: Vec<Period>,
    /// Seconds of the owner's own wall clock, wherever that hangs: whole days, and times without a zone.
    pub floating: Vec<Period>,
}

/// When the owner of a calendar is busy, as its text says. Events of the meetings in `skipped` are left out.
///
/// # Errors
/// The first thing in the text that cannot be followed.
pub fn read(text: &str, owner: &str, skipped: &HashSet<Uuid>, range: DateRange) -> Result<BusyPeriods, IcsError> {
    let Components { events, busy, zones } = components(text, owner)?;
    let clocks = CalendarZones::new(&zones, range.from, range.to);
    let mut reader = Reader { clocks, budget: ExpansionLimit::new(), range, spans: BusyPeriods::default() };
    let mut instead: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in events.iter().filter(|event| event.instead_of.is_some()) {
        instead.entry(&event.uid).or_default().push(event);
    }
    for event in &events {
        if meeting_of_uid(&event.uid).is_some_and(|id| skipped.contains(&id)) {
            continue;
        }
        let others = instead.get(event.uid.as_str()).map_or(&[][..], Vec::as_slice);
        reader.event(event, others)?;
    }
    for property in &busy {
        for period in property.value.split(',') {
            let (start, lasting) = reader.period(property, period)?;
            reader.push(property.line, &start.clock, start.wall, lasting)?;
        }
    }
    let BusyPeriods { fixed, floating } = reader.spans;
    Ok(BusyPeriods { fixed: merged(fixed), floating: merged(floating) })
}

/// A date or date-time, and the clock that shows it.
struct DateTimeValue {
    clock: ZoneRules,
    wall: i64,
    /// Whether it is a whole day.
    day: bool,
}

/// How long something lasts.
#[derive(Clone, Copy)]
enum EventDuration {
    /// So many seconds.
    Exact(i64),
    /// So many days on the clock, then seconds.
    Nominal(DurationValue),
}

impl EventDuration {
    fn longest(self) -> i64 {
        match self {
            EventDuration::Exact(seconds) => seconds.max(0),
            EventDuration::Nominal(length) => length.days * DAY + length.seconds,
        }
    }
}

impl DateTimeValue {
    /// What the clock of another moment shows then; without a zone on either side, the same.
    fn on(&self, clock: &ZoneRules) -> i64 {
        match (&self.clock, clock) {
            (ZoneRules::Floating, _) | (_, ZoneRules::Floating) => self.wall,
            _ => clock.wall(self.clock.instant(self.wall)),
        }
    }
}

struct Reader<'a> {
    clocks: CalendarZones<'a>,
    budget: ExpansionLimit,
    range: DateRange,
    spans: BusyPeriods,
}

impl Reader<'_> {
    fn event(&mut self, event: &Event, others: &[&Event]) -> Result<(), IcsError> {
        if event.idle {
            return Ok(());
        }
        let Some(property) = &event.start else {
            return Err(IcsError::new(event.line, "this event has no DTSTART: it must begin sometime"));
        };
        let start = self.moment(property, &property.value)?;
        let lasting = self.lasting(event, &start)?;
        // what stands for one occurrence of another event is that one alone
        if event.instead_of.is_some() {
            return self.push(event.line, &start.clock, start.wall, lasting);
        }
        let mut begins = self.occurrences(event, &start, lasting)?;
        self.except(event, &start, others, &mut begins)?;
        self.move_later(&start, others, &mut begins)?;
        for (wall, lasting) in begins {
            self.push(event.line, &start.clock, wall, lasting)?;
        }
        Ok(())
    }

    /// All beginnings within reach, on the event's own clock.
    fn occurrences(
        &mut self,
        event: &Event,
        start: &DateTimeValue,
        lasting: EventDuration,
    ) -> Result<BTreeMap<i64, EventDuration>, IcsError> {
        // a day on either side is more than any two clocks differ
        let from = self.range.from - lasting.longest() - 2 * DAY;
        let to = self.range.to + 2 * DAY;
        let mut begins = BTreeMap::from([(start.wall, lasting)]);
        for rule in &event.rules {
            let found = starts(&rule.value, start.wall, &start.clock, from, to, &mut self.budget);
            let found = found.map_err(|what| IcsError::new(rule.line, what))?;
            begins.extend(found.into_iter().map(|wall| (wall, lasting)));
        }
        for property in &event.dates {
            for date in property.value.split(',') {
                self.budget.spend().map_err(|what| IcsError::new(property.line, what))?;
                let (moment, own) = match date.contains('/') {
                    true => self.period(property, date)?,
                    false => (self.moment(property, date)?, lasting),
                };
                begins.insert(moment.on(&start.clock), own);
            }
        }
        for rule in &event.excluded {
            let gone = starts(&rule.value, start.wall, &start.clock, from, to, &mut self.budget);
            for wall in gone.map_err(|what| IcsError::new(rule.line, what))? {
                self.budget.spend().map_err(|what| IcsError::new(rule.line, what))?;
                begins.remove(&wall);
            }
        }
        Ok(begins)
    }

    /// Takes away what is excepted, and what other events stand for.
    fn except(
        &mut self,
        event: &Event,
        start: &DateTimeValue,
        others: &[&Event],
        begins: &mut BTreeMap<i64, EventDuration>,
    ) -> Result<(), IcsError> {
        for property in event.exceptions.iter().chain(others.iter().filter_map(|other| other.instead_of.as_ref())) {
            for date in property.value.split(',') {
                self.budget.spend().map_err(|what| IcsError::new(property.line, what))?;
                let moment = self.moment(property, date)?;
                if moment.day && !start.day {
                    begins.retain(|wall, _| midnight(*wall) != moment.wall);
                } else {
                    begins.remove(&moment.on(&start.clock));
                }
            }
        }
        Ok(())
    }

    /// Moves the occurrences after one that stands for all later ones too (RANGE=THISANDFUTURE).
    fn move_later(
        &mut self,
        start: &DateTimeValue,
        others: &[&Event],
        begins: &mut BTreeMap<i64, EventDuration>,
    ) -> Result<(), IcsError> {
        let mut cuts = BTreeMap::new();
        for other in others.iter().filter(|other| other.and_later) {
            if let (Some(which), Some(begin)) = (&other.instead_of, &other.start) {
                let which = self.moment(which, &which.value)?.on(&start.clock);
                let begin = self.moment(begin, &begin.value)?;
                let lasting = self.lasting(other, &begin)?;
                cuts.insert(which, (begin.on(&start.clock) - which, (!other.idle).then_some(lasting)));
            }
        }
        if cuts.is_empty() {
            return Ok(());
        }
        let before = std::mem::take(begins);
        for (wall, lasting) in before {
            match cuts.range(..wall).next_back() {
                None => drop(begins.insert(wall, lasting)),
                Some((_, (shift, Some(lasting)))) => drop(begins.insert(wall + shift, *lasting)),
                Some((_, (_, None))) => {}
            }
        }
        Ok(())
    }

    fn moment(&mut self, property: &Property, text: &str) -> Result<DateTimeValue, IcsError> {
        let wrong = || {
            IcsError::new(property.line, "this is neither a date nor a date-time: write 20261127 or 20261127T090000Z")
        };
        Ok(match when(text).ok_or_else(wrong)? {
            When::Day(wall) => DateTimeValue { clock: ZoneRules::Floating, wall, day: true },
            When::Utc(wall) => DateTimeValue { clock: ZoneRules::utc(), wall, day: false },
            When::Wall(wall) => {
                let clock = match &property.zone {
                    Some(name) => self.clocks.find(name, property.line, &mut self.budget)?,
                    None => ZoneRules::Floating,
                };
                DateTimeValue { clock, wall, day: false }
            }
        })
    }

    fn lasting(&mut self, event: &Event, start: &DateTimeValue) -> Result<EventDuration, IcsError> {
        match (&event.end, &event.duration) {
            (Some(property), _) => {
                let end = self.moment(property, &property.value)?;
                match self.until(property.line, start, &end)? {
                    // many programs write a whole day so
                    EventDuration::Exact(0) if start.day && end.day => Ok(EventDuration::Exact(DAY)),
                    lasting => Ok(lasting),
                }
            }
            (None, Some(property)) => {
                let read = length(&property.value).map(EventDuration::Nominal);
                read.ok_or_else(|| {
                    IcsError::new(property.line, "this is no duration of an event: write one such as PT45M")
                })
            }
            (None, None) => Ok(EventDuration::Exact(if start.day { DAY } else { 0 })),
        }
    }

    /// From one moment to another.
    fn until(&self, line: usize, start: &DateTimeValue, end: &DateTimeValue) -> Result<EventDuration, IcsError> {
        let floats = |moment: &DateTimeValue| matches!(moment.clock, ZoneRules::Floating);
        match floats(start) == floats(end) {
            true => Ok(EventDuration::Exact(end.clock.instant(end.wall) - start.clock.instant(start.wall))),
            false => {
                Err(IcsError::new(line, "the end must have a time zone if the start has one, and none if it has none"))
            }
        }
    }

    /// `start/end` or `start/duration`.
    fn period(&mut self, property: &Property, text: &str) -> Result<(DateTimeValue, EventDuration), IcsError> {
        let wrong = || {
            IcsError::new(property.line, "this is no period: write 20261127T090000Z/PT1H, or an end after the slash")
        };
        let (start, end) = text.split_once('/').ok_or_else(wrong)?;
        let start = self.moment(property, start)?;
        let lasting = match length(end) {
            Some(length) => EventDuration::Nominal(length),
            None => {
                let end = self.moment(property, end)?;
                self.until(property.line, &start, &end)?
            }
        };
        Ok((start, lasting))
    }

    fn push(&mut self, line: usize, clock: &ZoneRules, wall: i64, lasting: EventDuration) -> Result<(), IcsError> {
        self.budget.spend().map_err(|what| IcsError::new(line, what))?;
        let start = clock.instant(wall);
        let end = match lasting {
            EventDuration::Exact(seconds) => start + seconds,
            EventDuration::Nominal(length) => clock.instant(wall + length.days * DAY) + length.seconds,
        };
        let span = Period { start: start.max(self.range.from), end: end.min(self.range.to) };
        if span.start < span.end {
            let list =
                if matches!(clock, ZoneRules::Floating) { &mut self.spans.floating } else { &mut self.spans.fixed };
            list.push(span);
        }
        Ok(())
    }
}

/// Sorted, and put together where they touch.
pub fn merged(mut spans: Vec<Period>) -> Vec<Period> {
    spans.sort_unstable();
    let mut merged: Vec<Period> = Vec::new();
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}
