//! iCalendar text taken apart into components and properties (RFC 5545, 3.1); what they mean is not known here.

use super::content_line::{ContentLine, lines};
use crate::calendar::time::fault::truncate_for_message;

/// `BEGIN:NAME` to `END:NAME`. Names are in upper case.
#[derive(Debug, Default)]
pub struct Component {
    pub name: String,
    /// Where it begins, counted from 1.
    pub line: usize,
    pub properties: Vec<Property>,
    pub components: Vec<Component>,
}

/// A content line, its name in upper case.
#[derive(Debug)]
pub struct Property {
    pub name: String,
    pub value: String,
    /// Where it begins, counted from 1.
    pub line: usize,
    /// The value of `TZID`, the one parameter that anybody asks for.
    pub zone: Option<String>,
}

impl Component {
    /// The properties of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }

    /// The first property of this name.
    pub fn find(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }
}

/// How many components may be open at once: more than any standard nests, and few enough to be let go of one inside the other.
const DEEPEST: usize = 8;

/// Reads the one VCALENDAR that a text is.
///
/// # Errors
/// A sentence about the first line that is not right.
pub fn parse(text: &str) -> Result<Component, String> {
    let mut open: Vec<Component> = Vec::new();
    let mut whole = None;
    for line in lines(text) {
        let property = Property::of(&line.map_err(|why| why.to_string())?);
        let line = property.line;
        let value = property.value.trim().to_ascii_uppercase();
        match property.name.as_str() {
            _ if whole.is_some() => {
                return Err(format!("line {line} comes after END:VCALENDAR: send one VCALENDAR alone"));
            }
            "BEGIN" if open.is_empty() && value != "VCALENDAR" => return Err(not_a_calendar(line)),
            "BEGIN" if open.len() == DEEPEST => {
                return Err(format!("line {line} begins a component too deep inside of others"));
            }
            "BEGIN" => open.push(Component { name: value, line, ..Component::default() }),
            "END" => {
                let Some(closed) = open.pop().filter(|it| it.name == value) else {
                    let found = truncate_for_message(&property.value);
                    return Err(format!("line {line} ends {found:?}, which is not what has begun last"));
                };
                match open.last_mut() {
                    Some(parent) => parent.components.push(closed),
                    None => whole = Some(closed),
                }
            }
            _ => open.last_mut().ok_or_else(|| not_a_calendar(line))?.properties.push(property),
        }
    }
    let unclosed = open.last().map(|it| format!("{} of line {} has no END:{}", it.name, it.line, it.name));
    whole.ok_or_else(|| unclosed.unwrap_or_else(|| not_a_calendar(1)))
}

fn not_a_calendar(line: usize) -> String {
    format!("line {line} is not BEGIN:VCALENDAR, with which a calendar begins")
}

impl Property {
    fn of(line: &ContentLine<'_>) -> Property {
        let (name, zone) = (line.name().to_ascii_uppercase(), line.parameter("TZID"));
        Property { name, value: line.value().to_owned(), line: line.number, zone }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    const NO_LINE: &str = "line 2: this is no content line: write a name, a colon and a value, such as BEGIN:VCALENDAR";

    #[test]
    fn components_are_nested_and_lines_put_together() -> Result<(), String> {
        let text = "\u{feff}begin:vcalendar\r\nX;TZID=\"b:;c\";D=e:one:tw\r\n o\r\nBEGIN:A\nBEGIN:B\nY:1\nEND:B\nend:a\n\nEND:VCALENDAR\n\n";
        let calendar = parse(text)?;
        let x = calendar.find("X").ok_or("no X")?;
        assert_eq!((x.zone.as_deref(), x.value.as_str(), x.line), (Some("b:;c"), "one:two", 2));
        let inner = &calendar.components[0].components[0];
        assert_eq!((inner.name.as_str(), inner.line, inner.all("Y").count()), ("B", 5, 1));
        Ok(())
    }

    #[test]
    fn what_is_no_calendar_is_told_with_its_line() {
        for (text, said) in [
            ("", "line 1 is not BEGIN:VCALENDAR, with which a calendar begins"),
            ("\nBEGIN:VEVENT", "line 2 is not BEGIN:VCALENDAR, with which a calendar begins"),
            ("X:1", "line 1 is not BEGIN:VCALENDAR, with which a calendar begins"),
            ("END:VCALENDAR", "line 1 ends \"VCALENDAR\", which is not what has begun last"),
            ("BEGIN:VCALENDAR\nBEGIN:A\nEND:VCALENDAR", "line 3 ends \"VCALENDAR\", which is not what has begun last"),
            ("BEGIN:VCALENDAR\nBEGIN:A", "A of line 2 has no END:A"),
            ("BEGIN:VCALENDAR\nno colon", NO_LINE),
            ("BEGIN:VCALENDAR\nA;B=\"c:1", NO_LINE),
            (
                "BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR",
                "line 3 comes after END:VCALENDAR: send one VCALENDAR alone",
            ),
        ] {
            assert_eq!(parse(text).err().as_deref(), Some(said), "{text:?}");
        }
        let deep = format!("BEGIN:VCALENDAR\n{}", "BEGIN:A\n".repeat(9));
        assert_eq!(parse(&deep).err().as_deref(), Some("line 9 begins a component too deep inside of others"));
    }
}
