//! Reads the values of requests. A handler takes named values from [`Params`], and variables of the path as [`PathId`] and [`UserKey`].

use serde_json::Value;

use crate::calendar::icalendar::find_hidden;
use crate::calendar::{Fault, Format};
use crate::platform::email::Email;
pub use crate::platform::http::body::{Json, JsonBody, RawBody, payload_problem};
pub use crate::platform::http::params::{Params, query_has};
pub use crate::platform::http::path::{PathId, UserKey};

/// A text of 1 to `max` characters that can all be seen; it is trimmed.
pub fn text(max: usize) -> impl FnOnce(&Value) -> Result<String, Vec<Fault>> {
    move |value| {
        let text = value.as_str().map(str::trim).unwrap_or_default();
        let length = text.chars().count();
        if !(1..=max).contains(&length) || text.contains(char::is_control) {
            return Err(vec![Fault::new(
                "",
                "not_a_text",
                format!("must be a text of 1 to {max} characters on one line"),
            )]);
        }
        match find_hidden(text) {
            Some(c) => {
                let detail = format!("must not contain U+{:04X}, which cannot be seen; remove it", u32::from(c));
                Err(vec![Fault::new("", "hidden_character", detail)])
            }
            None => Ok(text.to_owned()),
        }
    }
}

/// A text of 1 to `max` characters in lines, each of which could be a [`text`]; it is trimmed.
pub fn lines(max: usize) -> impl FnOnce(&Value) -> Result<String, Vec<Fault>> {
    move |value| {
        let whole = value.as_str().map(|text| text.trim().replace("\r\n", "\n")).unwrap_or_default();
        if !(1..=max).contains(&whole.chars().count()) {
            return Err(vec![Fault::new("", "not_a_text", format!("must be a text of 1 to {max} characters"))]);
        }
        for line in whole.lines().filter(|line| !line.trim().is_empty()) {
            text(max)(&Value::from(line))?;
        }
        Ok(whole)
    }
}

/// A text that `parse` accepts; its error becomes the detail.
pub fn parsed<T, E: std::fmt::Display>(
    code: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> impl FnOnce(&Value) -> Result<T, Vec<Fault>> {
    move |value| match value.as_str().map(parse) {
        Some(Ok(read)) => Ok(read),
        Some(Err(why)) => Err(vec![Fault::new("", code, why.to_string())]),
        None => Err(vec![Fault::new("", code, "must be a text")]),
    }
}

/// What one of these names stands for.
pub fn one_of<T: Copy, const N: usize>(
    code: &'static str,
    names: [(&'static str, T); N],
) -> impl FnOnce(&Value) -> Result<T, Vec<Fault>> {
    parsed(code, move |text| {
        let found = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        found.ok_or_else(|| match names.map(|(name, _)| name).as_slice() {
            [first @ .., last] => format!("must be {} or {last}", first.join(", ")),
            [] => "has no valid value".to_owned(),
        })
    })
}

/// The format of a week in a response.
///
/// # Errors
/// The text is none of the five names.
pub fn format(value: &Value) -> Result<Format, Vec<Fault>> {
    parsed("not_a_format", |text| Format::parse(text).ok_or("must be ranges, hours, grid, view or view-quarters"))(
        value,
    )
}

/// An e-mail address.
///
/// # Errors
/// The text is no e-mail address.
pub fn email(value: &Value) -> Result<Email, Vec<Fault>> {
    parsed("not_an_email", Email::parse)(value)
}
