//! Writes content lines of iCalendar (RFC 5545, 3.1): folded, and escaped so that no text starts another line.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::hidden::is_hidden;

/// The maximum octets of a line (RFC 5545, 3.1), without its CRLF.
const MAX_LINE: usize = 75;

/// The characters that the address of a `mailto:` need not encode (RFC 6068, 2).
const ADDRESS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b'+').remove(b'\'');

/// The text of a calendar object: folded content lines, each with its CRLF.
#[derive(Default)]
pub struct Writer(String);

impl Writer {
    /// A writer that has begun a calendar.
    pub fn new() -> Writer {
        let mut writer = Writer::default();
        writer.push_all(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//W2Meet//EN"]);
        writer
    }

    /// Adds one line.
    pub fn push(&mut self, line: &str) {
        let mut width = 0;
        for c in line.chars() {
            if width + c.len_utf8() > MAX_LINE {
                self.0.push_str("\r\n ");
                width = 1;
            }
            self.0.push(c);
            width += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }

    /// Adds several lines.
    pub fn push_all<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        lines.into_iter().for_each(|line| self.push(line));
    }

    /// Ends the calendar and returns its text.
    pub fn finish(mut self) -> String {
        self.push("END:VCALENDAR");
        self.0
    }
}

/// An instant as a value: in UTC, to the second (RFC 5545, 3.3.5, form 2).
pub fn utc_value(instant: Timestamp) -> String {
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A text as one line: without hidden characters, or two blanks in a row.
pub fn one_line(text: &str) -> String {
    let blank = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
    let line: String = text.chars().map(blank).filter(|c| !is_hidden(*c)).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of a TEXT property (RFC 5545, 3.3.11).
pub fn escape_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

/// The parameter `;CN=` with the name; an empty text if there is no name.
///
/// A parameter cannot hold a double quote. It has no backslash escapes, but some readers assume them. `^` is doubled because it is
/// the escape of RFC 6868.
pub fn cn_param(name: &str) -> String {
    let name = one_line(&name.replace('"', "'").replace('\\', " ")).replace('^', "^^");
    match name.is_empty() {
        true => String::new(),
        false => format!(";CN=\"{name}\""),
    }
}

/// An address as a value: `mailto:` and the encoded address.
pub fn mailto(email: &str) -> String {
    format!("mailto:{}", utf8_percent_encode(email, ADDRESS))
}
