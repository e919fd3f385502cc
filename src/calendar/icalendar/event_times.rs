//! Reads when events start and how long they last. A time that names no zone is on the clock of the calendar, or of its owner; an
//! end that names none is on the clock of its start.

use super::content_line::{ContentLine, IcsError};
use super::date_time_value::{DateTimeValue, EventDuration};
use super::expansion_limit::ExpansionLimit;
use super::values::{DateOrTime, midnight_before, parse_date_or_time, parse_duration};
use super::vevent_reader::Event;
use super::vtimezone_reader::{CalendarZones, ZoneReference};
use super::warnings::Warnings;
use super::zone_rules::ZoneRules;
use crate::calendar::time::{SECONDS_PER_DAY, Zone};

/// A property whose values are dates or times, with what its parameters say about them: a line may have many dates.
pub struct DateProperty<'n> {
    /// The line, counted from 1.
    line: usize,
    component: &'n str,
    tzid: Option<ZoneReference<'n>>,
    /// Whether the property says that its values are dates.
    has_dates: bool,
}

impl<'n> DateProperty<'n> {
    /// A property of a component.
    pub fn new(line: &'n ContentLine<'_>, component: &'n str) -> DateProperty<'n> {
        let tzid = line.param("TZID").map(|name| ZoneReference::new(name, line.number, component));
        DateProperty { line: line.number, component, tzid, has_dates: line.has_param("VALUE", "DATE") }
    }

    /// A property of an event.
    pub fn of_event(line: &'n ContentLine<'_>) -> DateProperty<'n> {
        DateProperty::new(line, "VEVENT")
    }
}

/// Reads the times of one calendar.
pub struct EventTimes<'a> {
    zones: CalendarZones<'a>,
    /// The zone of the owner.
    pub home: ZoneRules,
    pub limit: ExpansionLimit,
    pub warnings: Warnings,
}

impl<'a> EventTimes<'a> {
    /// A reader with the zones of a calendar; `home` is the zone of the owner.
    pub fn new(zones: CalendarZones<'a>, home: &Zone, warnings: Warnings) -> EventTimes<'a> {
        EventTimes { zones, home: ZoneRules::of_zone(home), limit: ExpansionLimit::default(), warnings }
    }

    /// When an event starts and how long it lasts; none if its start cannot be read.
    pub fn read_start_and_duration(
        &mut self,
        event: &Event<'_>,
    ) -> Result<Option<(DateTimeValue, EventDuration)>, IcsError> {
        let Some(dtstart) = event.dtstart else {
            self.warnings.add(event.line, "VEVENT", "this event has no DTSTART; it is left out");
            return Ok(None);
        };
        let start = self.read_date_time(&DateProperty::of_event(dtstart), dtstart.value(), &ZoneRules::Floating);
        let start = self.warnings.tolerate("VEVENT", "the event is left out", start)?;
        let Some(mut start) = start else { return Ok(None) };
        let end = event.dtend.and_then(|line| parse_date_or_time(line.value()));
        let ends_at_midnight = end.is_none_or(|end| end.wall() == midnight_before(end.wall()));
        match start.day().filter(|_| event.is_all_day && ends_at_midnight) {
            Some(day) => start = day,
            None if start.is_floating_time() => self.place_start(event, dtstart, &mut start)?,
            None => {}
        }
        let duration = self.read_duration(event, &start)?;
        Ok(Some((start, duration)))
    }

    /// Places a start that names no zone on the clock of the calendar. If the end has a clock of its own, the start must not float: it
    /// is on the clock of the owner, or on that of the end where it would be after the end otherwise.
    fn place_start(
        &mut self,
        event: &Event<'_>,
        dtstart: &ContentLine<'_>,
        start: &mut DateTimeValue,
    ) -> Result<(), IcsError> {
        start.zone = self.find_default_zone(event.calendar_zone)?;
        let Some(line) = event.dtend else { return Ok(()) };
        let end = self.read_date_time(&DateProperty::of_event(line), line.value(), &ZoneRules::Floating).ok();
        let Some(end) = end.filter(|end| !end.is_date && !end.zone.is_floating()) else { return Ok(()) };
        if start.zone.is_floating() {
            start.zone = self.home.clone();
        }
        let mut clock = "of the calendar, or else of its owner";
        if start.seconds_to(&end, &self.home) <= 0 && start.wall < end.wall {
            start.zone = end.zone;
            clock = "of DTEND, because it would be after the end otherwise";
        }
        let what = format!("DTEND names a time zone, and this DTSTART does not; it is read on the clock {clock}");
        self.warnings.add(dtstart.number, "VEVENT", what);
        Ok(())
    }

    /// Reads an end. One that names no zone is on the clock of the start; where it would be before the start, on that of the
    /// calendar, or else of the owner.
    fn read_end(
        &mut self,
        event: &Event<'_>,
        line: &ContentLine<'_>,
        start: &DateTimeValue,
    ) -> Result<DateTimeValue, IcsError> {
        let mut end = self.read_date_time(&DateProperty::of_event(line), line.value(), &ZoneRules::Floating)?;
        if !end.is_floating_time() || start.is_date {
            return Ok(end);
        }
        end.zone = start.zone.clone();
        if start.seconds_to(&end, &self.home) < 0 {
            let zone = Some(self.find_default_zone(event.calendar_zone)?).filter(|zone| !zone.is_floating());
            let other = DateTimeValue { zone: zone.unwrap_or_else(|| self.home.clone()), ..end.clone() };
            if start.seconds_to(&other, &self.home) > 0 {
                let what = "this DTEND names no time zone, and is before the start on the clock of DTSTART; it is read on the clock of the calendar, or else of its owner";
                self.warnings.add(line.number, "VEVENT", what);
                end = other;
            }
        }
        Ok(end)
    }

    /// The zone of the times of a calendar that name none: its own (X-WR-TIMEZONE), or else whatever zone its owner is in.
    pub fn find_default_zone(&mut self, calendar_zone: Option<ZoneReference<'_>>) -> Result<ZoneRules, IcsError> {
        let Some(reference) = calendar_zone else { return Ok(ZoneRules::Floating) };
        let found = self.zones.find(reference, &mut self.warnings, &mut self.limit)?;
        Ok(found.unwrap_or(ZoneRules::Floating))
    }

    fn read_duration(&mut self, event: &Event<'_>, start: &DateTimeValue) -> Result<EventDuration, IcsError> {
        let none = EventDuration::Exact(if start.is_date { SECONDS_PER_DAY } else { 0 });
        let ignored = "it is read as if it were not there";
        let mut read = None;
        if let Some(line) = event.dtend {
            let end = self.read_end(event, line, start);
            let end = self.warnings.tolerate("VEVENT", ignored, end)?;
            let end = end.map(|end| end.day().filter(|_| event.is_all_day && start.is_date).unwrap_or(end));
            read = end.map(|end| self.compute_duration(line, start, &end));
        }
        if let Some(line) = event.duration.filter(|_| read.is_none()) {
            let what = "this is not the duration of an event: write one such as PT45M";
            let duration = parse_duration(line.value()).ok_or_else(|| IcsError::new(line.number, what));
            read = self.warnings.tolerate("VEVENT", ignored, duration)?.map(EventDuration::Nominal);
        }
        // Many programs write a whole day as an event that ends where it begins.
        Ok(read.filter(|duration| !start.is_date || duration.max_seconds() > 0).unwrap_or(none))
    }

    fn compute_duration(
        &mut self,
        line: &ContentLine<'_>,
        start: &DateTimeValue,
        end: &DateTimeValue,
    ) -> EventDuration {
        if start.is_date != end.is_date {
            let what = "of DTSTART and DTEND one is a date and one a time; the date counts from its midnight";
            self.warnings.add(line.number, "VEVENT", what);
        }
        let seconds = start.seconds_to(end, &self.home);
        if seconds < 0 {
            let taken = if start.is_date { "it is read as one day" } else { "it takes no time" };
            self.warnings.add(line.number, "VEVENT", format!("this event ends before it begins; {taken}"));
        }
        EventDuration::Exact(seconds)
    }

    /// The value of a property that is a date or a date-time; `default` is the zone of a time that names none.
    pub fn read_date_time(
        &mut self,
        property: &DateProperty<'_>,
        text: &str,
        default: &ZoneRules,
    ) -> Result<DateTimeValue, IcsError> {
        let what = "this is neither a date nor a date-time: write 20261127 or 20261127T090000Z";
        let value = |zone, wall, is_date, is_utc| DateTimeValue { zone, wall, is_date, is_utc };
        Ok(match parse_date_or_time(text).ok_or_else(|| IcsError::new(property.line, what))? {
            DateOrTime::Date(wall) => value(ZoneRules::Floating, wall, true, false),
            DateOrTime::Utc(wall) => {
                let is_other = |tzid: ZoneReference<'_>| tzid.known_zone().is_none_or(|zone| zone.offset_at(wall) != 0);
                if text.trim_end().ends_with(['Z', 'z']) && property.tzid.is_some_and(is_other) {
                    let what = "this time has both a Z and a TZID; it is read as UTC";
                    self.warnings.add(property.line, property.component, what);
                }
                value(ZoneRules::utc(), wall, false, true)
            }
            // Some programs write a whole day with a midnight.
            DateOrTime::Local(wall) if property.has_dates && midnight_before(wall) == wall => {
                value(ZoneRules::Floating, wall, true, false)
            }
            DateOrTime::Local(wall) => {
                let named = match property.tzid {
                    Some(tzid) => self.zones.find(tzid, &mut self.warnings, &mut self.limit)?,
                    None => None,
                };
                value(named.unwrap_or_else(|| default.clone()), wall, false, false)
            }
        })
    }

    /// A PERIOD: `start/end` or `start/duration`.
    pub fn read_period(
        &mut self,
        property: &DateProperty<'_>,
        text: &str,
        default: &ZoneRules,
    ) -> Result<(DateTimeValue, EventDuration), IcsError> {
        let what = "this is not a period: write 20261127T090000Z/PT1H, or an end after the slash";
        let (start, end) = text.split_once('/').ok_or_else(|| IcsError::new(property.line, what))?;
        let start = self.read_date_time(property, start, default)?;
        let duration = match parse_duration(end) {
            Some(duration) => EventDuration::Nominal(duration),
            None => {
                let end = self.read_date_time(property, end, &start.zone)?;
                let seconds = start.seconds_to(&end, &self.home);
                if seconds <= 0 {
                    return Err(IcsError::new(property.line, "this period does not end after it begins"));
                }
                EventDuration::Exact(seconds)
            }
        };
        Ok((start, duration))
    }
}
