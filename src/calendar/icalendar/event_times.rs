//! Reads when events start and how long they last. A time that names no zone is on the clock of the calendar, or of its owner; an
//! end that names none is on the clock of its start.

use super::content_line::{ContentLine, IcsError};
use super::date_time_value::{DateTimeValue, EventDuration};
use super::expansion_limit::ExpansionLimit;
use super::values::{DateOrTime, midnight_before, parse_date_or_time, parse_duration};
use super::vevent_reader::Event;
use super::vtimezone_reader::{CalendarZones, zone_of_name};
use super::warnings::Warnings;
use super::zone_names::guess_zone;
use super::zone_rules::ZoneRules;
use crate::calendar::time::{SECONDS_PER_DAY, Zone};

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
    pub fn start_and_duration(
        &mut self,
        event: &Event<'_>,
    ) -> Result<Option<(DateTimeValue, EventDuration)>, IcsError> {
        let Some(dtstart) = event.dtstart else {
            self.warnings.add(event.line, "VEVENT", "this event has no DTSTART; it is left out");
            return Ok(None);
        };
        // A start that names no zone is on the clock of its end.
        let mut default = default_zone(event.calendar_zone);
        if let Some(dtend) = event.dtend.filter(|_| dtstart.param("TZID").is_none())
            && let Ok(end) = self.date_time(dtend, dtend.value(), &default, "VEVENT")
            && !end.is_date
        {
            default = end.zone;
        }
        let start = self.date_time(dtstart, dtstart.value(), &default, "VEVENT");
        let start = self.warnings.tolerate("VEVENT", "the event is left out", start)?;
        let Some(mut start) = start else { return Ok(None) };
        let ends_at_midnight = event.dtend.is_none_or(|line| {
            let end = parse_date_or_time(line.value());
            end.is_some_and(|end| end.wall() == midnight_before(end.wall()))
        });
        if event.is_all_day && ends_at_midnight {
            start = start.day().unwrap_or(start);
        }
        let duration = self.duration(event, &start)?;
        Ok(Some((start, duration)))
    }

    fn duration(&mut self, event: &Event<'_>, start: &DateTimeValue) -> Result<EventDuration, IcsError> {
        let none = EventDuration::Exact(if start.is_date { SECONDS_PER_DAY } else { 0 });
        let ignored = "it is read as if it were not there";
        let mut read = None;
        if let Some(line) = event.dtend.filter(|line| !line.value().is_empty()) {
            let end = self.date_time(line, line.value(), &start.zone, "VEVENT");
            let end = self.warnings.tolerate("VEVENT", ignored, end)?;
            let end = end.map(|end| end.day().filter(|_| event.is_all_day && start.is_date).unwrap_or(end));
            read = end.map(|end| self.duration_until(line, start, &end));
        }
        if let Some(line) = event.duration.filter(|_| read.is_none()) {
            let what = "this is not the duration of an event: write one such as PT45M";
            let duration = parse_duration(line.value()).ok_or_else(|| IcsError::new(line.number, what));
            read = self.warnings.tolerate("VEVENT", ignored, duration)?.map(EventDuration::Nominal);
        }
        // Many programs write a whole day as an event that ends where it begins.
        Ok(read.filter(|duration| !start.is_date || duration.max_seconds() > 0).unwrap_or(none))
    }

    fn duration_until(&mut self, line: &ContentLine<'_>, start: &DateTimeValue, end: &DateTimeValue) -> EventDuration {
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
    pub fn date_time(
        &mut self,
        line: &ContentLine<'_>,
        text: &str,
        default: &ZoneRules,
        component: &str,
    ) -> Result<DateTimeValue, IcsError> {
        let what = "this is neither a date nor a date-time: write 20261127 or 20261127T090000Z";
        let value = |zone, wall, is_date, is_utc| DateTimeValue { zone, wall, is_date, is_utc };
        Ok(match parse_date_or_time(text).ok_or_else(|| IcsError::new(line.number, what))? {
            DateOrTime::Date(wall) => value(ZoneRules::Floating, wall, true, false),
            DateOrTime::Utc(wall) => {
                let is_other = |name| zone_of_name(name).is_none_or(|zone| zone.offset_at(wall) != 0);
                if text.trim_end().ends_with(['Z', 'z']) && line.param("TZID").is_some_and(is_other) {
                    let what = "this time has both a Z and a TZID; it is read as UTC";
                    self.warnings.add(line.number, component, what);
                }
                value(ZoneRules::utc(), wall, false, true)
            }
            // Some programs write a whole day with a midnight.
            DateOrTime::Local(wall) if line.has_param("VALUE", "DATE") && midnight_before(wall) == wall => {
                value(ZoneRules::Floating, wall, true, false)
            }
            DateOrTime::Local(wall) => {
                let (number, warnings, limit) = (line.number, &mut self.warnings, &mut self.limit);
                let named = match line.param("TZID") {
                    Some(name) => self.zones.find(name, number, component, warnings, limit)?,
                    None => None,
                };
                value(named.unwrap_or_else(|| default.clone()), wall, false, false)
            }
        })
    }

    /// A PERIOD: `start/end` or `start/duration`.
    pub fn period(
        &mut self,
        line: &ContentLine<'_>,
        text: &str,
        default: &ZoneRules,
        component: &str,
    ) -> Result<(DateTimeValue, EventDuration), IcsError> {
        let what = "this is not a period: write 20261127T090000Z/PT1H, or an end after the slash";
        let (start, end) = text.split_once('/').ok_or_else(|| IcsError::new(line.number, what))?;
        let start = self.date_time(line, start, default, component)?;
        let duration = match parse_duration(end) {
            Some(duration) => EventDuration::Nominal(duration),
            None => {
                let end = self.date_time(line, end, &start.zone, component)?;
                EventDuration::Exact(start.seconds_to(&end, &self.home))
            }
        };
        Ok((start, duration))
    }
}

/// The zone of the times of a calendar that name none: its own (X-WR-TIMEZONE), or else whatever zone its owner is in.
pub fn default_zone(calendar_zone: Option<&str>) -> ZoneRules {
    let known = |name: &str| zone_of_name(name).map(|zone| ZoneRules::of_zone(&zone));
    let rules = calendar_zone.and_then(|name| known(name).or_else(|| guess_zone(name).map(|(rules, _)| rules)));
    rules.unwrap_or(ZoneRules::Floating)
}
