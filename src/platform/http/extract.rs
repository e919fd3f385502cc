//! Reads the values of requests, and the variables of paths. A handler takes named values from [`Params`].

use actix_web::HttpRequest;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use uuid::Uuid;

use crate::calendar::{Fault, Format};
use crate::platform::email::Email;
pub use crate::platform::http::body::{Json, JsonBody, RawBody, payload_problem};
pub use crate::platform::http::params::{Params, query_has};
use crate::platform::http::problem::{BAD_REQUEST, NOT_FOUND, Problem};

/// A text of 1 to `max` characters without control characters; it is trimmed.
pub fn text(max: usize) -> impl FnOnce(&Value) -> Result<String, Vec<Fault>> {
    move |value| {
        let text = value.as_str().map(str::trim).unwrap_or_default();
        let length = text.chars().count();
        if (1..=max).contains(&length) && !text.chars().any(char::is_control) {
            return Ok(text.to_owned());
        }
        Err(vec![Fault::new("", "not_a_text", format!("must be a text of 1 to {max} characters on one line"))])
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

/// The id in the path, from the variable `id`.
///
/// # Errors
/// 404 for a text that is no UUID.
pub fn id_in_path(req: &HttpRequest) -> Result<Uuid, Problem> {
    let text = req.match_info().get("id").unwrap_or_default();
    Uuid::parse_str(text).map_err(|_| Problem::new(NOT_FOUND, "ids are UUIDs; this is no id of this API"))
}

/// The e-mail address in a segment of the request's path.
///
/// # Errors
/// 400 for a segment that cannot be decoded, 404 for `.` and `..`, 422 for what is no address.
pub fn email_in_path(req: &HttpRequest, segment: usize) -> Result<Email, Problem> {
    let raw = req.uri().path().split('/').nth(segment + 1).unwrap_or_default();
    let bad = |detail: &'static str| Problem::new(BAD_REQUEST, detail);
    let mut escapes = raw.split('%').skip(1);
    if !escapes.all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit())) {
        return Err(bad("a % in the path must be followed by two hexadecimal digits"));
    }
    let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| bad("the path is not UTF-8"))?;
    if decoded.chars().any(char::is_control) {
        return Err(bad("the path contains control characters"));
    }
    if matches!(decoded.as_ref(), "." | "..") {
        return Err(Problem::no_such_path());
    }
    Email::parse(&decoded)
        .map_err(|why| Problem::validation(vec![Fault::new("#/email", "not_an_email", why.to_string())]))
}
