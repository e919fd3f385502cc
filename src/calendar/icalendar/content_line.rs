//! The lexer: unfolds content lines, and splits a line into its name, parameters and value (RFC 5545, 3.1).

use std::borrow::Cow;
use std::iter::Peekable;

/// Bytes of a value that is parsed.
const MAX_VALUE: usize = 64 << 10;

/// Why a calendar cannot be read, and where. The text repeats nothing of the calendar, because its content is private.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct IcsError {
    /// The line, counted from 1.
    pub line: usize,
    /// A sentence fragment: what is wrong and what is right.
    pub what: String,
}

impl IcsError {
    /// An error in a line.
    pub(super) fn new(line: usize, what: impl Into<String>) -> IcsError {
        IcsError { line, what: what.into() }
    }
}

/// One unfolded line.
#[derive(Debug)]
pub struct ContentLine<'a> {
    /// Where the line begins, counted from 1.
    pub number: usize,
    text: Cow<'a, str>,
    name_end: usize,
    colon: usize,
}

impl ContentLine<'_> {
    /// The name, in the case of the text.
    pub fn name(&self) -> &str {
        &self.text[..self.name_end]
    }

    /// Whether the line has this name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name)
    }

    /// The value, without white space around it.
    pub fn value(&self) -> &str {
        self.untrimmed_value().trim()
    }

    /// The value as it is in the text.
    pub fn untrimmed_value(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// Whether the line has this value, in any case.
    pub fn has_value(&self, value: &str) -> bool {
        self.value().eq_ignore_ascii_case(value)
    }

    /// The value of a parameter, without its quotes.
    pub fn param(&self, name: &str) -> Option<&str> {
        let params = self.text.get(self.name_end + 1..self.colon)?;
        let mut is_quoted = false;
        let mut params = params.split(|c: char| {
            is_quoted ^= c == '"';
            c == ';' && !is_quoted
        });
        let value = params.find_map(|one| one.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)));
        value.map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// Whether a parameter has this value, in any case.
    pub fn has_param(&self, name: &str, value: &str) -> bool {
        self.param(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
    }

    /// The line itself, if its value is short enough to be parsed.
    ///
    /// # Errors
    /// The value is longer than 64 KiB.
    pub fn bounded(&self) -> Result<&Self, IcsError> {
        match self.value().len() > MAX_VALUE {
            true => {
                Err(IcsError::new(self.number, "this line is longer than 64 KiB: divide its dates into several lines"))
            }
            false => Ok(self),
        }
    }
}

/// The content lines of a text, without blank ones.
pub fn content_lines(text: &str) -> impl Iterator<Item = Result<ContentLine<'_>, IcsError>> {
    let text = text.trim_start_matches('\u{feff}');
    let physical = (1..).zip(text.split('\n')).map(|(number, line)| (number, line.trim_end_matches('\r')));
    let mut rest = physical.peekable();
    std::iter::from_fn(move || unfold(&mut rest))
}

fn unfold<'a>(
    rest: &mut Peekable<impl Iterator<Item = (usize, &'a str)>>,
) -> Option<Result<ContentLine<'a>, IcsError>> {
    let (number, first) = rest.find(|(_, line)| !line.trim().is_empty())?;
    let mut text = Cow::Borrowed(first);
    while let Some((_, more)) = rest.next_if(|(_, line)| line.starts_with([' ', '\t'])) {
        // The first character of the white space alone is the fold.
        text.to_mut().push_str(&more[1..]);
    }
    let name_end = text.find([':', ';']);
    let colon = name_end.and_then(|name_end| colon_after(&text, name_end));
    Some(match (name_end, colon) {
        (Some(name_end), Some(colon)) if name_end > 0 => Ok(ContentLine { number, text, name_end, colon }),
        _ => {
            let what = "this is not a content line: write a name, a colon and a value, such as BEGIN:VCALENDAR";
            Err(IcsError::new(number, what))
        }
    })
}

/// The first colon that is not quoted.
fn colon_after(text: &str, from: usize) -> Option<usize> {
    let mut is_quoted = false;
    text[from..].char_indices().find_map(|(at, c)| {
        is_quoted ^= c == '"';
        (c == ':' && !is_quoted).then_some(from + at)
    })
}

#[cfg(test)]
mod tests {
    use super::content_lines;

    fn read(text: &str) -> Vec<String> {
        let shown = content_lines(text).map(|line| match line {
            Ok(line) => format!("{} {}|{:?}|{}", line.number, line.name(), line.param("tzid"), line.value()),
            Err(error) => error.to_string(),
        });
        shown.collect()
    }

    #[test]
    fn folded_lines_are_one_line_and_keep_the_number_of_their_first() {
        let text = "\u{feff}BEGIN:VEVENT\r\n\r\nSUMMARY:A l\r\n ong\r\n\t title\r\nEND:VEVENT\r\n";
        assert_eq!(read(text), ["1 BEGIN|None|VEVENT", "3 SUMMARY|None|A long title", "6 END|None|VEVENT"]);
    }

    #[test]
    fn quoted_parameters_hide_colons_and_semicolons() {
        let text =
            "DTSTART;X-A=1;TZID=\"(UTC+01:00) Rome; Wien\":20260101T090000\nDTEND;tzid=Europe/Rome:20260101T100000";
        let zone = "Some(\"(UTC+01:00) Rome; Wien\")";
        let end = "2 DTEND|Some(\"Europe/Rome\")|20260101T100000".to_owned();
        assert_eq!(read(text), [format!("1 DTSTART|{zone}|20260101T090000"), end]);
    }
}
