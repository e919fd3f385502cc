//! The components of a calendar, with what matters of each: when, how often, and whether it takes time at all.

use std::collections::HashMap;

use super::IcsError;
use super::content_line::{ContentLine, lines};

/// Components within components: a calendar, an event, an alarm, and some to spare.
const DEEPEST: usize = 8;
/// A value of dates or a rule that is longer is none.
const LONGEST: usize = 64 << 10;

/// What was collected of a text.
#[derive(Default)]
pub struct Components {
    pub events: Vec<Event>,
    /// Periods of VFREEBUSY components: a line, and one or more of them.
    pub busy: Vec<Property>,
    pub zones: Vec<Definition>,
}

/// A property whose value is dates.
pub struct Property {
    pub line: usize,
    pub zone: Option<String>,
    pub value: String,
}

/// One VEVENT.
#[derive(Default)]
pub struct Event {
    pub line: usize,
    pub uid: String,
    pub start: Option<Property>,
    pub end: Option<Property>,
    pub duration: Option<Property>,
    /// Its revision.
    pub sequence: i64,
    pub rules: Vec<Property>,
    pub dates: Vec<Property>,
    pub exceptions: Vec<Property>,
    /// Rules of what is excepted: EXRULE, which RFC 5545 dropped and old calendars still have.
    pub excluded: Vec<Property>,
    /// Which occurrence it stands for (RECURRENCE-ID), and whether for all later ones too.
    pub instead_of: Option<Property>,
    pub and_later: bool,
    /// Whether it takes no time of its owner's: transparent, cancelled, marked as free, or declined.
    pub idle: bool,
}

/// One VTIMEZONE.
#[derive(Default)]
pub struct Definition {
    pub line: usize,
    pub name: String,
    /// The IANA name, where the program that wrote it says so.
    pub place: Option<String>,
    pub observances: Vec<Observance>,
}

/// Standard or daylight-saving time within a VTIMEZONE.
#[derive(Default)]
pub struct Observance {
    pub line: usize,
    pub start: String,
    pub from: String,
    pub to: String,
    pub rules: Vec<String>,
    pub dates: Vec<String>,
}

/// Reads a text; `owner` is the e-mail address of whose calendar it is.
///
/// # Errors
/// The first thing that is not right.
pub fn components(text: &str, owner: &str) -> Result<Components, IcsError> {
    let mut found = Components::default();
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut any = false;
    for line in lines(text) {
        let line = line.map_err(|why| IcsError::of(&why))?;
        let is = |name: &str| line.name().eq_ignore_ascii_case(name);
        if is("BEGIN") {
            let name = line.value().trim().to_ascii_uppercase();
            if open.is_empty() && name != "VCALENDAR" {
                return Err(IcsError::new(line.number, "a calendar begins with BEGIN:VCALENDAR"));
            }
            if open.len() == DEEPEST {
                return Err(IcsError::new(
                    line.number,
                    format!("components lie within each other more than {DEEPEST} deep"),
                ));
            }
            any = true;
            found.begin(&name, line.number);
            open.push((name, line.number));
        } else if is("END") {
            let name = line.value().trim();
            match open.pop() {
                Some((begun, _)) if begun.eq_ignore_ascii_case(name) => {}
                _ => return Err(IcsError::new(line.number, "this END has no BEGIN of the same name before it")),
            }
        } else {
            let inside: Vec<&str> = open.iter().rev().take(2).map(|(name, _)| name.as_str()).collect();
            match inside.as_slice() {
                [] => return Err(IcsError::new(line.number, "a calendar begins with BEGIN:VCALENDAR")),
                ["VEVENT", ..] => found.in_event(&line, owner)?,
                ["VFREEBUSY", ..] if is("FREEBUSY") && !line.says("FBTYPE", "FREE") => {
                    found.busy.push(Property::of(&line)?);
                }
                ["VTIMEZONE", ..] => found.in_zone(&line)?,
                ["STANDARD" | "DAYLIGHT", "VTIMEZONE"] => found.in_observance(&line)?,
                _ => {}
            }
        }
    }
    match open.pop() {
        Some((name, line)) => {
            Err(IcsError::new(line, format!("the text ends before the END:{name} of what begins here")))
        }
        None if !any => Err(IcsError::new(1, "there is no calendar here: it begins with BEGIN:VCALENDAR")),
        None => Ok(Components { events: latest(found.events), ..found }),
    }
}

/// Of events of one name, and of those that stand for one occurrence, those of the latest revision alone (SEQUENCE).
fn latest(events: Vec<Event>) -> Vec<Event> {
    let key = |event: &Event| (event.uid.clone(), event.instead_of.as_ref().map(|which| which.value.clone()));
    let mut newest: HashMap<(String, Option<String>), i64> = HashMap::new();
    for event in events.iter().filter(|event| !event.uid.is_empty()) {
        let sequence = newest.entry(key(event)).or_insert(event.sequence);
        *sequence = event.sequence.max(*sequence);
    }
    let is_newest = |event: &Event| newest.get(&key(event)).is_none_or(|newest| event.sequence == *newest);
    events.into_iter().filter(is_newest).collect()
}

impl Components {
    fn begin(&mut self, name: &str, line: usize) {
        match name {
            "VEVENT" => self.events.push(Event { line, ..Event::default() }),
            "VTIMEZONE" => self.zones.push(Definition { line, ..Definition::default() }),
            "STANDARD" | "DAYLIGHT" => {
                if let Some(zone) = self.zones.last_mut() {
                    zone.observances.push(Observance { line, ..Observance::default() });
                }
            }
            _ => {}
        }
    }

    fn in_event(&mut self, line: &ContentLine, owner: &str) -> Result<(), IcsError> {
        let Some(event) = self.events.last_mut() else { return Ok(()) };
        let says = |value: &str| line.value().trim().eq_ignore_ascii_case(value);
        match line.name().to_ascii_uppercase().as_str() {
            "UID" => event.uid = line.value().trim().to_owned(),
            "DTSTART" => event.start = Some(Property::of(line)?),
            "DTEND" => event.end = Some(Property::of(line)?),
            "DURATION" => event.duration = Some(Property::of(line)?),
            "RRULE" => event.rules.push(Property::of(line)?),
            "RDATE" => event.dates.push(Property::of(line)?),
            "SEQUENCE" => event.sequence = line.value().trim().parse().unwrap_or(0),
            "EXRULE" => event.excluded.push(Property::of(line)?),
            "EXDATE" => event.exceptions.push(Property::of(line)?),
            "RECURRENCE-ID" => {
                event.and_later = line.says("RANGE", "THISANDFUTURE");
                event.instead_of = Some(Property::of(line)?);
            }
            "TRANSP" => event.idle |= says("TRANSPARENT"),
            "STATUS" => event.idle |= says("CANCELLED"),
            "X-MICROSOFT-CDO-BUSYSTATUS" => event.idle |= says("FREE"),
            "ATTENDEE" => {
                let who = line.value().trim();
                let who =
                    who.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).map_or(who, |_| &who[7..]);
                event.idle |= line.says("PARTSTAT", "DECLINED") && who.eq_ignore_ascii_case(owner);
            }
            _ => {}
        }
        Ok(())
    }

    fn in_zone(&mut self, line: &ContentLine) -> Result<(), IcsError> {
        let Some(zone) = self.zones.last_mut() else { return Ok(()) };
        match line.name().to_ascii_uppercase().as_str() {
            "TZID" => zone.name = Property::of(line)?.value,
            "X-LIC-LOCATION" => zone.place = Some(Property::of(line)?.value),
            _ => {}
        }
        Ok(())
    }

    fn in_observance(&mut self, line: &ContentLine) -> Result<(), IcsError> {
        let Some(last) = self.zones.last_mut().and_then(|zone| zone.observances.last_mut()) else { return Ok(()) };
        let value = || Property::of(line).map(|property| property.value);
        match line.name().to_ascii_uppercase().as_str() {
            "DTSTART" => last.start = value()?,
            "TZOFFSETFROM" => last.from = value()?,
            "TZOFFSETTO" => last.to = value()?,
            "RRULE" => last.rules.push(value()?),
            "RDATE" => last.dates.extend(value()?.split(',').map(str::to_owned)),
            _ => {}
        }
        Ok(())
    }
}

impl Property {
    fn of(line: &ContentLine) -> Result<Property, IcsError> {
        if line.value().len() > LONGEST {
            return Err(IcsError::new(
                line.number,
                "this line is longer than 64 KiB: split its dates into several lines",
            ));
        }
        Ok(Property { line: line.number, zone: line.parameter("TZID"), value: line.value().trim().to_owned() })
    }
}
