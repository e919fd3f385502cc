//! The parser: reads iCalendar text as components and properties (RFC 5545, 3.1). It does not know their meaning.

use super::content_line::{ContentLine, IcsError, content_lines};

/// How many components may be open at once: more than any standard nests.
const MAX_DEPTH: usize = 8;

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

/// Parses the one VCALENDAR of a text.
///
/// # Errors
/// The first line that is wrong.
pub fn parse_calendar(text: &str) -> Result<Component<'_>, IcsError> {
    let mut calendars = parse_calendars(text)?.into_iter();
    match (calendars.next(), calendars.next()) {
        (Some(calendar), None) => Ok(calendar),
        (_, Some(second)) => Err(IcsError::new(second.line, "this is a second VCALENDAR: send one alone")),
        (None, None) => Err(not_a_calendar(1)),
    }
}

/// Parses the VCALENDARs of a text, at least one.
///
/// # Errors
/// The first line that is wrong.
pub fn parse_calendars(text: &str) -> Result<Vec<Component<'_>>, IcsError> {
    let mut calendars = Vec::new();
    let mut open: Vec<Component<'_>> = Vec::new();
    for line in content_lines(text) {
        let line = line?;
        let number = line.number;
        if line.is("BEGIN") {
            let name = line.value().to_ascii_uppercase();
            if open.is_empty() && name != "VCALENDAR" {
                return Err(not_a_calendar(number));
            }
            if open.len() == MAX_DEPTH {
                return Err(IcsError::new(number, format!("components are nested more than {MAX_DEPTH} deep")));
            }
            open.push(Component { name, line: number, properties: Vec::new(), components: Vec::new() });
        } else if line.is("END") {
            let Some(closed) = open.pop().filter(|component| line.has_value(&component.name)) else {
                return Err(IcsError::new(number, "this END does not match the BEGIN before it"));
            };
            open.last_mut().map_or(&mut calendars, |parent| &mut parent.components).push(closed);
        } else {
            open.last_mut().ok_or_else(|| not_a_calendar(number))?.properties.push(line);
        }
    }
    match open.pop() {
        Some(Component { name, line, .. }) => {
            Err(IcsError::new(line, format!("this component has no END:{name} before the text ends")))
        }
        None if calendars.is_empty() => Err(not_a_calendar(1)),
        None => Ok(calendars),
    }
}

fn not_a_calendar(line: usize) -> IcsError {
    IcsError::new(line, "this is not a calendar: a calendar begins with BEGIN:VCALENDAR")
}

#[cfg(test)]
mod tests {
    use super::{IcsError, parse_calendar, parse_calendars};
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
        let no_match = "this END does not match the BEGIN before it";
        let no_line = "this is not a content line: write a name, a colon and a value, such as BEGIN:VCALENDAR";
        let deep = format!("BEGIN:VCALENDAR\n{}", "BEGIN:A\n".repeat(9));
        for (text, line, what) in [
            ("", 1, no_begin),
            ("\nBEGIN:VEVENT", 2, no_begin),
            ("X:1", 1, no_begin),
            ("BEGIN:VCALENDAR\nEND:VCALENDAR\nX:1", 3, no_begin),
            ("END:VCALENDAR", 1, no_match),
            ("BEGIN:VCALENDAR\nBEGIN:A\nEND:VCALENDAR", 3, no_match),
            ("BEGIN:VCALENDAR\nBEGIN:A", 2, "this component has no END:A before the text ends"),
            ("BEGIN:VCALENDAR\nno colon", 2, no_line),
            ("BEGIN:VCALENDAR\n:no name", 2, no_line),
            ("BEGIN:VCALENDAR\nA;B=\"c:1", 2, no_line),
            (&deep, 9, "components are nested more than 8 deep"),
        ] {
            assert_eq!(parse_calendars(text).err(), Some(IcsError::new(line, what)), "{text:?}");
        }
        let two = "BEGIN:VCALENDAR\nEND:VCALENDAR\n".repeat(2);
        assert_eq!(parse_calendars(&two).map(|calendars| calendars.len()), Ok(2));
        assert_eq!(parse_calendar(&two).err().map(|error| error.line), Some(3));
    }
}
