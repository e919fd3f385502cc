//! The lexer: unfolds content lines, and splits a line into its name, parameters and value (RFC 5545, 3.1).

use std::borrow::Cow;
use std::iter::Peekable;

/// Why a calendar, or a part of it, cannot be read, and where. The text repeats nothing of the calendar, because its content is private.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct IcsError {
    /// The line, counted from 1.
    pub line: usize,
    /// A sentence fragment: what is wrong and what is right.
    pub what: String,
    /// What the error costs.
    pub(super) loss: Loss,
}

/// What of a calendar is lost by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The value or the line.
    Part,
    /// The component around it, which takes too much work.
    Component,
    /// The calendar, which takes too much work as a whole.
    Calendar,
}

impl IcsError {
    /// An error in a line.
    pub(super) fn new(line: usize, what: impl Into<String>) -> IcsError {
        IcsError { line, what: what.into(), loss: Loss::Part }
    }

    /// A limit that a component exceeds at a line.
    pub(super) fn of_component(line: usize, what: impl Into<String>) -> IcsError {
        IcsError { line, what: what.into(), loss: Loss::Component }
    }

    /// A limit that the calendar exceeds at a line.
    pub(super) fn of_calendar(line: usize, what: impl Into<String>) -> IcsError {
        IcsError { line, what: what.into(), loss: Loss::Calendar }
    }

    /// Whether the component alone is left out.
    pub(super) fn is_of_component(&self) -> bool {
        self.loss == Loss::Component
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
    /// Whether a quotation mark is never closed. Then quotation marks mean nothing in this line.
    is_unbalanced: bool,
}

impl ContentLine<'_> {
    /// The name, in the case of the text.
    pub fn name(&self) -> &str {
        self.text[..self.name_end].trim()
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

    /// The length in bytes, unfolded.
    pub fn byte_len(&self) -> usize {
        self.text.len()
    }

    /// Whether the line has this value, in any case.
    pub fn has_value(&self, value: &str) -> bool {
        self.value().eq_ignore_ascii_case(value)
    }

    /// The value of a parameter, without its quotes.
    pub fn param(&self, name: &str) -> Option<&str> {
        let params = self.text.get(self.name_end + 1..self.colon)?;
        let mut quotes = Quotes::default();
        let mut params = params.split(|c: char| (!quotes.hide(c) || self.is_unbalanced) && c == ';');
        let value = params.find_map(|one| one.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)));
        value.map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// Whether a parameter has this value, in any case.
    pub fn has_param(&self, name: &str, value: &str) -> bool {
        self.param(name).is_some_and(|given| given.eq_ignore_ascii_case(value))
    }
}

/// The quoted parts of a line, read from left to right. Only a quotation mark at the beginning of a parameter's value opens one:
/// people write others into names (`CN=Joe 5" Doe`).
#[derive(Default)]
struct Quotes {
    is_open: bool,
    may_open: bool,
}

impl Quotes {
    /// Whether the next character is quoted.
    fn hide(&mut self, c: char) -> bool {
        let was_open = self.is_open;
        self.is_open = match was_open {
            true => c != '"',
            false => c == '"' && self.may_open,
        };
        self.may_open = matches!(c, '=' | ',');
        was_open
    }
}

/// The content lines of a text, without blank ones.
pub fn content_lines(text: &str) -> impl Iterator<Item = Result<ContentLine<'_>, IcsError>> {
    let text = text.trim_start_matches('\u{feff}');
    let separator = if text.contains('\n') { '\n' } else { '\r' };
    let physical = (1..).zip(text.split(separator)).map(|(number, line)| (number, line.trim_end_matches('\r')));
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
    // Some programs write each date of a list on a line of its own, and do not fold it.
    while text.trim_end().ends_with([':', ',']) {
        let Some((_, more)) = rest.next_if(|(_, line)| is_list_of_dates(line)) else { break };
        text.to_mut().push_str(more.trim());
    }
    Some(ContentLine::parse(number, text).ok_or_else(|| {
        let what = "this is not a content line: write a name, a colon and a value, such as BEGIN:VCALENDAR";
        IcsError::new(number, what)
    }))
}

impl<'a> ContentLine<'a> {
    fn parse(number: usize, text: Cow<'a, str>) -> Option<ContentLine<'a>> {
        let name_end = text.find([':', ';'])?;
        let name = text[..name_end].trim();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return None;
        }
        let mut quotes = Quotes::default();
        let rest = &text[name_end..];
        // Some programs write TZID=tzone://Microsoft/Custom and TZID=GMT+01:00 without quotes.
        let is_in_param = |at: usize| match rest.as_bytes().get(at + 1..at + 4) {
            Some([b'/', b'/', _]) => rest.starts_with(';'),
            Some([one, two, b':' | b')']) => rest.starts_with(';') && one.is_ascii_digit() && two.is_ascii_digit(),
            _ => false,
        };
        let mut colons = rest.char_indices().filter(|(_, c)| !quotes.hide(*c) && *c == ':').map(|(at, _)| at);
        let colon = colons.find(|at| !is_in_param(*at));
        let colon_without_quotes = || rest.to_ascii_lowercase().find(":mailto:").or_else(|| rest.rfind(':'));
        let at = name_end + colon.or_else(colon_without_quotes)?;
        Some(ContentLine { number, text, name_end, colon: at, is_unbalanced: colon.is_none() })
    }
}

/// Whether a line consists of dates or times, and has no name.
fn is_list_of_dates(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(|c: char| c.is_ascii_digit())
        && line.bytes().all(|byte| b"0123456789TZ,/PDHMSW+- ".contains(&byte))
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

    #[test]
    fn quotation_marks_inside_a_value_mean_nothing() {
        let line = |text: &str| {
            let line = content_lines(text).next().and_then(Result::ok);
            line.map(|line| (line.param("PARTSTAT").map(str::to_owned), line.value().to_owned()))
        };
        let declined = Some((Some("DECLINED".to_owned()), "mailto:a@example.com".to_owned()));
        for name in [r#"Joe 5" Doe"#, r#"5" and 6" Joe"#, r#""Joe: Doe"#] {
            assert_eq!(line(&format!("ATTENDEE;CN={name};PARTSTAT=DECLINED:mailto:a@example.com")), declined, "{name}");
        }
    }

    #[test]
    fn a_colon_in_the_name_of_a_zone_needs_no_quotes() {
        for zone in ["tzone://Microsoft/Custom", "UTC-05:30", "(UTC+01:00) Berlin"] {
            let text = format!("DTSTART;TZID={zone}:20261210T140000");
            assert_eq!(read(&text), [format!("1 DTSTART|Some({zone:?})|20261210T140000")]);
        }
        assert_eq!(read("ATTACH;FMTTYPE=a/b:https://example.com"), ["1 ATTACH|None|https://example.com"]);
    }

    #[test]
    fn dates_on_lines_of_their_own_belong_to_the_list_before() {
        let text = "EXDATE;VALUE=DATE:\n20261221,\n20261228\nDTSTART:20261214\n20261215\nno colon\r\nA:b";
        let no_line = "this is not a content line: write a name, a colon and a value, such as BEGIN:VCALENDAR";
        let (five, six) = (format!("line 5: {no_line}"), format!("line 6: {no_line}"));
        let expected = ["1 EXDATE|None|20261221,20261228", "4 DTSTART|None|20261214", &five, &six, "7 A|None|b"];
        assert_eq!(read(text), expected);
        assert_eq!(read("BEGIN:A\rEND:A\r"), ["1 BEGIN|None|A", "2 END|None|A"], "the line ends of an old Mac");
    }
}
