//! Reads requests: the members of bodies, query strings, e-mail addresses in paths.
//!
//! A handler takes values from [`Params`], which collects every fault with its pointer, and refuses unknown names.

use actix_web::HttpRequest;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use uuid::Uuid;

use crate::calendar::{Fault, Format, pointer_segment};
use crate::platform::email::Email;
pub use crate::platform::http::body::{Json, JsonBody, RawBody, payload_problem};
use crate::platform::http::problem::{BAD_REQUEST, NOT_FOUND, Problem, VALIDATION};

/// Faults that one response lists, so that a response is not larger than its request.
const MAX_FAULTS: usize = 100;

/// The named values of a body or a query string. A handler takes them one after the other.
pub struct Params {
    values: Vec<(String, Value)>,
    faults: Vec<Fault>,
    from_query: bool,
}

impl Params {
    /// The members of a JSON object.
    ///
    /// # Errors
    /// 422 for JSON that is no object.
    pub fn of_body(body: Value) -> Result<Params, Problem> {
        match body {
            Value::Object(values) => {
                Ok(Params { values: values.into_iter().collect(), faults: Vec::new(), from_query: false })
            }
            _ => Err(Problem::validation(vec![Fault::new("#", "not_an_object", "must be a JSON object")])),
        }
    }

    /// The fields of an HTML form.
    pub fn of_form(body: &[u8]) -> Params {
        let pairs = form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned().into()));
        Params { values: pairs.collect(), faults: Vec::new(), from_query: true }
    }

    /// The parameters of a query string, each at most once. The first name of each of `lists` may be repeated; its values become
    /// a list under the second name.
    pub fn of_query<'a>(req: &HttpRequest, lists: impl IntoIterator<Item = (&'a str, &'a str)>) -> Params {
        let mut fields = Params { values: Vec::new(), faults: Vec::new(), from_query: true };
        let mut lists: Vec<(&str, &str, Vec<Value>)> =
            lists.into_iter().map(|(one, many)| (one, many, Vec::new())).collect();
        for (name, value) in form_urlencoded::parse(req.query_string().as_bytes()) {
            if let Some((.., items)) = lists.iter_mut().find(|(one, ..)| *one == name) {
                items.push(value.into_owned().into());
            } else if lists.iter().any(|(_, many, _)| *many == name) {
                fields.fault(Fault::new(format!("#/{name}"), "unknown_field", "is not known in a query"));
            } else if fields.values.iter().all(|(known, _)| *known != name) {
                fields.values.push((name.into_owned(), value.into_owned().into()));
            } else {
                fields.fault(Fault::new(format!("#/{name}"), "repeated", "appears in the query more than once"));
            }
        }
        let filled = lists.into_iter().filter(|(.., items)| !items.is_empty());
        fields.values.extend(filled.map(|(_, many, items)| (many.to_owned(), items.into())));
        fields
    }

    /// A value that is present and not null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, value)| known == name && !value.is_null()).map(|(_, value)| value)
    }

    /// Whether the values came as text, in a query string or a form.
    pub fn is_query(&self) -> bool {
        self.from_query
    }

    /// Whether a value is present and not null.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Takes a required value.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>) -> Option<T> {
        if !self.has(name) {
            self.fault(Fault::new(format!("#/{name}"), "missing", "is required"));
        }
        self.optional(name, read)
    }

    /// Takes the one value of a request.
    ///
    /// # Errors
    /// 422 with every fault.
    pub fn only<T>(mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>) -> Result<T, Problem> {
        let value = self.required(name, read);
        self.finish(value)
    }

    /// Takes a value if it is present and not null.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>) -> Option<T> {
        let at = self.values.iter().position(|(known, _)| known == name)?;
        match self.values.remove(at).1 {
            Value::Null => None,
            value => match read(&value) {
                Ok(value) => Some(value),
                Err(faults) => {
                    self.faults.extend(faults.into_iter().map(|fault| fault.under(&format!("#/{name}"))));
                    None
                }
            },
        }
    }

    /// Takes a whole number within bounds; in a query string it is text.
    pub fn number(&mut self, name: &str, bounds: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let from_query = self.from_query;
        self.optional(name, |value| {
            let number = match value {
                Value::String(text) if from_query => text.parse().ok(),
                other => other.as_u64(),
            };
            let detail = || format!("must be a whole number from {} to {}", bounds.start(), bounds.end());
            number
                .filter(|number| bounds.contains(number))
                .ok_or_else(|| vec![Fault::new("", "out_of_range", detail())])
        })
    }

    /// Refuses a query string beside a body.
    pub fn without_query(mut self, req: &HttpRequest) -> Params {
        for (name, _) in form_urlencoded::parse(req.query_string().as_bytes()) {
            self.fault(Fault::new(format!("#/{name}"), "unknown_field", "is in the query; put it into the body"));
        }
        self
    }

    /// Adds a fault that concerns several values.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Returns `built`, unless there are faults or values that the handler did not take.
    ///
    /// # Errors
    /// 422 with every fault.
    pub fn finish<T>(mut self, built: Option<T>) -> Result<T, Problem> {
        for (name, _) in &self.values {
            let pointer = format!("#{}", pointer_segment(name));
            self.faults.push(Fault::new(pointer, "unknown_field", "is not a known name"));
        }
        match built {
            Some(built) if self.faults.is_empty() => Ok(built),
            None if self.faults.is_empty() => Err(Problem::new(VALIDATION, "the request is incomplete")),
            _ => {
                self.faults.truncate(MAX_FAULTS);
                Err(Problem::validation(self.faults))
            }
        }
    }
}

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
