//! Reads from a calendar when its owner is busy. It takes what can be read, and warns of the rest.

use std::collections::HashMap;

use super::content_line::{ContentLine, IcsError};
use super::expander::Expander;
use super::parser::{Component, ParsedCalendars, parse_calendars};
use super::period::{BusyPeriods, DateRange};
use super::vevent::is_uid_of;
use super::vevent_reader::{Event, retain_latest_revisions};
use super::vtimezone_reader::{CalendarZones, ZoneReference};
use super::warnings::{CalendarWarning, Warnings};
use crate::calendar::time::Zone;

/// When the owner of a calendar is busy, and how well the calendar could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalendarReading {
    /// The busy periods within the range.
    pub busy: BusyPeriods,
    /// What was left out or assumed, in the order of the lines.
    pub warnings: Vec<CalendarWarning>,
    /// Whether the text ends within a component, as a download does that broke off.
    pub is_truncated: bool,
}

/// Reads when the owner of a calendar, an e-mail address, is busy. Meetings whose UIDs end with
/// `own_domain` do not count: this installation arranged them, and holds their time itself.
///
/// `home` is the time zone of the owner. Only a time that mixes it with another zone is placed by it; floating time floats.
///
/// # Errors
/// The text is not a calendar, or its components take too much work together.
pub fn read_busy_periods(
    text: &str,
    owner: &str,
    own_domain: &str,
    home: &Zone,
    range: DateRange,
) -> Result<CalendarReading, IcsError> {
    let mut warnings = Warnings::default();
    let ParsedCalendars { calendars, is_truncated } = parse_calendars(text, &mut warnings)?;
    let mut contents = BusyComponents { owner, ..BusyComponents::default() };
    for calendar in &calendars {
        let mut zones = ["X-WR-TIMEZONE", "TIMEZONE-ID"].iter().filter_map(|name| calendar.find(name));
        let zone = zones.find(|line| !line.value().is_empty());
        contents.calendar_zone = zone.map(|line| ZoneReference::new(line.value(), line.number, "VCALENDAR"));
        contents.is_cancellation = calendar.find("METHOD").is_some_and(|method| method.has_value("CANCEL"));
        contents.collect(calendar);
    }
    let BusyComponents { mut events, free_busy, zones, .. } = contents;
    retain_latest_revisions(&mut events);
    let zones = CalendarZones::new(&zones, range.from, range.to);
    let mut expander = Expander::new(zones, home, range, warnings);
    let mut replacements: HashMap<&str, Vec<&Event<'_>>> = HashMap::new();
    for event in events.iter().filter(|event| event.recurrence_id.is_some()) {
        replacements.entry(event.uid).or_default().push(event);
    }
    let (single, series): (Vec<_>, Vec<_>) = events
        .iter()
        .filter(|event| !is_uid_of(event.uid, own_domain))
        .partition(|event| event.recurrence_id.is_some());
    // A series tells which of its replacements are out of date.
    for event in series {
        let replacements = replacements.get(event.uid).map_or(&[][..], Vec::as_slice);
        expander.add("VEVENT", |expander| expander.add_series(event, replacements))?;
    }
    for event in single {
        expander.add("VEVENT", |expander| expander.add_replacement(event))?;
    }
    for (line, calendar_zone) in free_busy {
        expander.add("VFREEBUSY", |expander| expander.add_busy_periods(line, calendar_zone))?;
    }
    let (busy, warnings) = expander.finish();
    Ok(CalendarReading { busy, warnings: warnings.sorted(), is_truncated })
}

/// The components of a calendar that say when its owner is busy.
#[derive(Default)]
struct BusyComponents<'a> {
    owner: &'a str,
    /// The X-WR-TIMEZONE of the calendar that is read.
    calendar_zone: Option<ZoneReference<'a>>,
    /// Whether the calendar that is read cancels its events (RFC 5546, 3.2.5).
    is_cancellation: bool,
    events: Vec<Event<'a>>,
    /// FREEBUSY properties of busy time, with the zones of their calendars.
    free_busy: Vec<(&'a ContentLine<'a>, Option<ZoneReference<'a>>)>,
    zones: Vec<&'a Component<'a>>,
}

impl<'a> BusyComponents<'a> {
    fn collect(&mut self, component: &'a Component<'a>) {
        match component.name.as_str() {
            "VEVENT" => {
                let mut event = Event::read(component, self.owner, self.calendar_zone);
                event.is_cancelled |= self.is_cancellation;
                event.is_transparent |= self.is_cancellation;
                self.events.push(event);
            }
            "VTIMEZONE" => self.zones.push(component),
            "VFREEBUSY" => {
                let busy = component.find_all("FREEBUSY").filter(|line| !line.has_param("FBTYPE", "FREE"));
                self.free_busy.extend(busy.map(|line| (line, self.calendar_zone)));
            }
            _ => {}
        }
        component.components.iter().for_each(|inner| self.collect(inner));
    }
}
