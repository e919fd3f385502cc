//! Content lines of iCalendar (RFC 5545, 3.1): folded, escaped, and with nothing in them that starts another line.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Octets a line may have (RFC 5545, 3.1), without its end.
const LINE: usize = 75;

/// What stays as it is in the address of a `mailto:` (RFC 6068, 2).
const ADDRESS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@').remove(b'+').remove(b'\'');

/// Content lines, folded, each with its CRLF.
#[derive(Default)]
pub struct Lines(String);

impl Lines {
    /// The beginning of every object of ours.
    pub fn calendar() -> Lines {
        let mut lines = Lines::default();
        lines.all(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//W2Meet//EN"]);
        lines
    }

    /// Adds one line.
    pub fn push(&mut self, line: &str) {
        let mut width = 0;
        for c in line.chars() {
            if width + c.len_utf8() > LINE {
                self.0.push_str("\r\n ");
                width = 1;
            }
            self.0.push(c);
            width += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }

    /// Adds several lines.
    pub fn all<'a>(&mut self, lines: impl IntoIterator<Item = &'a str>) {
        lines.into_iter().for_each(|line| self.push(line));
    }

    /// The whole text, when the last component has ended.
    pub fn finish(mut self) -> String {
        self.push("END:VCALENDAR");
        self.0
    }
}

/// An instant as a value: in UTC, to the second (RFC 5545, 3.3.5, form 2).
pub fn utc(instant: Timestamp) -> String {
    instant.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A text as one line of it: no controls, nothing that turns its direction round, no two blanks in a row.
pub fn one_line(text: &str) -> String {
    let blank = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
    let shown: String = text.chars().filter(|c| !turns(*c)).map(blank).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Unicode's Bidi_Control: with these a text can look like another.
fn turns(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The value of a TEXT property (RFC 5545, 3.3.11).
pub fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

/// `;CN=` and the name; nothing when there is none.
///
/// A parameter cannot hold a double quote, and knows no backslash, but some readers take one for an escape. `^` stands
/// doubled, since RFC 6868 makes it one.
pub fn common_name(name: &str) -> String {
    let name = one_line(&name.replace('"', "'").replace('\\', " ")).replace('^', "^^");
    match name.is_empty() {
        true => String::new(),
        false => format!(";CN=\"{name}\""),
    }
}

/// An address as a value: `mailto:` and what of it may stand there.
pub fn mailto(email: &str) -> String {
    format!("mailto:{}", utf8_percent_encode(email, ADDRESS))
}
