//! The parser: reads iCalendar text as components and properties (RFC 5545, 3.1). It does not know their meaning.
//!
//! It takes what can be read: a line that is not a content line is left out, and a component that does not end is ended where the
//! next one begins.

use super::content_line::{ContentLine, IcsError, content_lines};
use super::warnings::Warnings;

/// How many components may be open at once: more than any standard nests.
const MAX_DEPTH: usize = 8;

/// The components that only a VCALENDAR contains.
const IN_CALENDAR: [&str; 6] = ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY"];

/// `BEGIN:NAME` to `END:NAME`.
#[derive(Debug)]
pub struct Component<'a> {
    /// In upper case.
    pub name: String,
    /// Where the component begins, counted from 1.
    pub line: usize,
    pub properties: Vec<ContentLine<'a>>,
    pub components: Vec<Component<'a>>,
}

impl<'a> Component<'a> {
    /// The properties of this name.
    pub fn find_all(&self, name: &str) -> impl Iterator<Item = &ContentLine<'a>> {
        self.properties.iter().filter(move |property| property.is(name))
    }

    /// The first property of this name.
    pub fn find(&self, name: &str) -> Option<&ContentLine<'a>> {
        self.find_all(name).next()
    }
}

/// Parses the one VCALENDAR of a text, in which every line must be right.
///
/// # Errors
/// The first line that is wrong.
pub fn parse_calendar(text: &str) -> Result<Component<'_>, IcsError> {
    let mut warnings = Warnings::default();
    let mut calendars = parse_calendars(text, &mut warnings)?.calendars.into_iter();
    if let Some(first) = warnings.sorted().into_iter().next() {
        return Err(IcsError::new(first.line, first.detail));
    }
    match (calendars.next(), calendars.next()) {
        (Some(calendar), None) => Ok(calendar),
        (_, Some(second)) => Err(IcsError::new(second.line, "this is a second VCALENDAR: send one alone")),
        (None, None) => Err(not_a_calendar(1)),
    }
}

/// The VCALENDARs of a text.
#[derive(Debug)]
pub struct ParsedCalendars<'a> {
    pub calendars: Vec<Component<'a>>,
    /// Whether the text ends within a component, as a download does that broke off.
    pub is_truncated: bool,
}

/// Parses the VCALENDARs of a text, at least one.
///
/// # Errors
/// The text has no VCALENDAR.
pub fn parse_calendars<'a>(text: &'a str, warnings: &mut Warnings) -> Result<ParsedCalendars<'a>, IcsError> {
    let mut open = OpenComponents { warnings, stack: Vec::new(), calendars: Vec::new(), outside: None };
    for line in content_lines(text) {
        match line {
            Ok(line) if line.is("BEGIN") => open.begin(&line),
            Ok(line) if line.is("END") => open.end(&line),
            Ok(line) => match open.stack.last_mut() {
                Some(component) => component.properties.push(line),
                None => open.skip(line.number),
            },
            Err(error) => match open.stack.last() {
                Some(component) => {
                    open.warnings.add(error.line, &component.name, format!("{}; the line is left out", error.what));
                }
                None => open.skip(error.line),
            },
        }
    }
    let is_truncated = !open.stack.is_empty();
    open.close_to(0, "the text ends before the END of this component");
    match (open.calendars.is_empty(), open.outside) {
        (true, line) => Err(not_a_calendar(line.unwrap_or(1))),
        (false, line) => {
            if let Some(line) = line {
                open.warnings.add(line, "VCALENDAR", "this text is outside of a VCALENDAR; it is left out");
            }
            Ok(ParsedCalendars { calendars: open.calendars, is_truncated })
        }
    }
}

struct OpenComponents<'a, 'w> {
    warnings: &'w mut Warnings,
    stack: Vec<Component<'a>>,
    calendars: Vec<Component<'a>>,
    /// The first line outside of all calendars.
    outside: Option<usize>,
}

impl<'a> OpenComponents<'a, '_> {
    fn skip(&mut self, line: usize) {
        self.outside = self.outside.or(Some(line));
    }

    fn begin(&mut self, line: &ContentLine<'a>) {
        let (number, name) = (line.number, line.value().to_ascii_uppercase());
        let no_end = "this component has no END before the next one begins";
        match name.as_str() {
            "VCALENDAR" => self.close_to(0, no_end),
            // What does not belong into a VAVAILABILITY is an error of its own.
            name if IN_CALENDAR.contains(&name)
                && self.stack.get(1).is_some_and(|open| open.name != "VAVAILABILITY") =>
            {
                self.close_to(1, no_end);
            }
            _ => {}
        }
        if self.stack.is_empty() && name != "VCALENDAR" {
            self.skip(number);
            return;
        }
        self.close_to(MAX_DEPTH - 1, "components are nested more than 8 deep");
        self.stack.push(Component { name, line: number, properties: Vec::new(), components: Vec::new() });
    }

    fn end(&mut self, line: &ContentLine<'a>) {
        match (self.stack.iter().rposition(|open| line.has_value(&open.name)), self.stack.last()) {
            (Some(at), _) => {
                self.close_to(at + 1, "this component has no END before the END of the one around it");
                self.close();
            }
            (None, Some(open)) => {
                self.warnings.add(
                    line.number,
                    &open.name,
                    "this END does not match the BEGIN before it; it is left out",
                );
            }
            (None, None) => self.skip(line.number),
        }
    }

    /// Ends the innermost components until this many are open.
    fn close_to(&mut self, count: usize, why: &str) {
        while self.stack.len() > count {
            if let Some(open) = self.stack.last() {
                self.warnings.add(open.line, &open.name, format!("{why}; it ends there"));
            }
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some(closed) = self.stack.pop() {
            self.stack.last_mut().map_or(&mut self.calendars, |parent| &mut parent.components).push(closed);
        }
    }
}

fn not_a_calendar(line: usize) -> IcsError {
    IcsError::new(line, "this is not a calendar: a calendar begins with BEGIN:VCALENDAR")
}

#[cfg(test)]
mod tests {
    use super::{IcsError, Warnings, parse_calendar, parse_calendars};
    use std::error::Error;

    #[test]
    fn components_are_nested_and_lines_unfolded() -> Result<(), Box<dyn Error>> {
        let text = "\u{feff}begin:vcalendar\r\nX;TZID=\"b:;c\";D=e:one:tw\r\n o\r\nBEGIN:A\nBEGIN:B\nY:1\nEND:B\nend:a\n\nEND:VCALENDAR\n\n";
        let calendar = parse_calendar(text)?;
        let x = calendar.find("x").ok_or("no X")?;
        assert_eq!((x.param("TZID"), x.value(), x.number), (Some("b:;c"), "one:two", 2));
        let inner = &calendar.components[0].components[0];
        assert_eq!((inner.name.as_str(), inner.line, inner.find_all("Y").count()), ("B", 5, 1));
        Ok(())
    }

    #[test]
    fn a_text_that_is_not_a_calendar_is_refused_with_its_line() {
        let no_begin = "this is not a calendar: a calendar begins with BEGIN:VCALENDAR";
        for (text, line) in [("", 1), ("\nBEGIN:VEVENT", 2), ("X:1", 1), ("END:VCALENDAR", 1), ("<html>", 1)] {
            let refused = parse_calendars(text, &mut Warnings::default()).err();
            assert_eq!(refused, Some(IcsError::new(line, no_begin)), "{text:?}");
        }
        let (begins, ends) = ("BEGIN:A\n".repeat(8), "END:A\n".repeat(8));
        let deep = format!("BEGIN:VCALENDAR\n{begins}{ends}END:VCALENDAR");
        let refused = parse_calendar(&deep).err();
        assert!(refused.is_some_and(|why| why.line == 8 && why.what.starts_with("components are nested more than 8")));
    }

    #[test]
    fn what_can_be_read_is_taken_and_the_rest_is_named() -> Result<(), IcsError> {
        let event = "BEGIN:VEVENT\nUID:1\n";
        for (text, events, lines, is_truncated) in [
            ("hello\nBEGIN:VCALENDAR\nEND:VCALENDAR\nX:1", 0, vec![1], false),
            ("BEGIN:VCALENDAR\nEND:A\nEND:VCALENDAR", 0, vec![2], false),
            (&format!("BEGIN:VCALENDAR\n{event}END:VCALENDAR"), 1, vec![2], false),
            (&format!("BEGIN:VCALENDAR\n{event}{event}END:VEVENT\nEND:VCALENDAR"), 2, vec![2], false),
            (&format!("BEGIN:VCALENDAR\n{event}END:VEVENT\n{event}"), 2, vec![1, 5], true),
            (&format!("BEGIN:VCALENDAR\n{event}no colon\n:no name\nEND:VEVENT\nEND:VCALENDAR"), 1, vec![4, 5], false),
        ] {
            let mut warnings = Warnings::default();
            let parsed = parse_calendars(text, &mut warnings)?;
            assert_eq!(parsed.calendars[0].components.len(), events, "{text:?}");
            assert_eq!(warnings.sorted().iter().map(|one| one.line).collect::<Vec<_>>(), lines, "{text:?}");
            assert_eq!(parsed.is_truncated, is_truncated, "{text:?}");
            assert_eq!(
                parse_calendar(text).err().map(|error| error.line),
                lines.first().copied(),
                "strictly: {text:?}"
            );
        }
        let two = "BEGIN:VCALENDAR\nEND:VCALENDAR\n".repeat(2);
        assert_eq!(parse_calendars(&two, &mut Warnings::default())?.calendars.len(), 2);
        assert_eq!(parse_calendar(&two).err().map(|error| error.line), Some(3));
        Ok(())
    }
}
