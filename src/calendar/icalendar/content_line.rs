//! Content lines: unfolding, and taking a line apart into its name, parameters and value (RFC 5545, 3.1).

use std::borrow::Cow;
use std::iter::Peekable;

/// A line without a name, or without a colon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {NO_LINE}")]
pub struct ContentLineError {
    /// Counted from 1.
    pub number: usize,
}

/// What is wrong with it.
pub const NO_LINE: &str = "this is no content line: write a name, a colon and a value, such as BEGIN:VCALENDAR";

/// One unfolded line, and where it begins.
#[derive(Debug)]
pub struct ContentLine<'a> {
    /// Counted from 1.
    pub number: usize,
    text: Cow<'a, str>,
    name: usize,
    colon: usize,
}

impl ContentLine<'_> {
    /// What it is called, in whatever case it was written.
    pub fn name(&self) -> &str {
        &self.text[..self.name]
    }

    /// What stands after the colon.
    pub fn value(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// The value of a parameter, without its quotes.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let given = self.text.get(self.name + 1..self.colon)?;
        let mut quoted = false;
        let split = given.split(|c: char| {
            quoted ^= c == '"';
            c == ';' && !quoted
        });
        let pair = split.filter_map(|one| one.split_once('=')).find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        pair.map(|(_, value)| value.trim().trim_matches('"').to_owned())
    }

    /// Whether a parameter has this value.
    pub fn says(&self, name: &str, value: &str) -> bool {
        self.parameter(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
    }
}

/// The content lines of a text, blank ones left out.
pub fn lines(text: &str) -> impl Iterator<Item = Result<ContentLine<'_>, ContentLineError>> {
    let mut rest = physical(text).peekable();
    std::iter::from_fn(move || unfolded(&mut rest))
}

fn physical(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.trim_start_matches('\u{feff}');
    (1..).zip(text.split('\n')).map(|(number, line)| (number, line.trim_end_matches('\r')))
}

fn unfolded<'a>(
    rest: &mut Peekable<impl Iterator<Item = (usize, &'a str)>>,
) -> Option<Result<ContentLine<'a>, ContentLineError>> {
    let (number, first) = rest.find(|(_, line)| !line.trim().is_empty())?;
    let mut text = Cow::Borrowed(first);
    while let Some((_, more)) = rest.next_if(|(_, line)| line.starts_with([' ', '\t'])) {
        // of the white space only its first character is the fold
        text.to_mut().push_str(&more[1..]);
    }
    let name = text.find([':', ';']);
    let colon = name.and_then(|name| colon_after(&text, name));
    Some(match (name, colon) {
        (Some(name), Some(colon)) if name > 0 => Ok(ContentLine { number, text, name, colon }),
        _ => Err(ContentLineError { number }),
    })
}

/// The first colon that is not quoted.
fn colon_after(text: &str, from: usize) -> Option<usize> {
    let mut quoted = false;
    text[from..].char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == ':' && !quoted).then_some(from + at)
    })
}

#[cfg(test)]
mod tests {
    use super::lines;

    fn read(text: &str) -> Vec<String> {
        let shown = lines(text).map(|line| match line {
            Ok(line) => format!("{} {}|{:?}|{}", line.number, line.name(), line.parameter("tzid"), line.value()),
            Err(why) => why.to_string(),
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

    #[test]
    fn what_is_no_content_line_is_told_by_its_number() {
        for text in ["\nHello", "A:b\n:value", "A:b\nDTSTART;TZID=\"x:20260101"] {
            let told = read(text);
            assert!(told.last().is_some_and(|line| line.starts_with("line 2: this is no content line")), "{told:?}");
        }
    }
}
