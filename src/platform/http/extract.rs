//! Reading requests: strict JSON bodies, query strings, e-mail addresses in paths.
//!
//! A handler reads what it wants from [`Params`], which collects every fault there is, with its place, and refuses names
//! that nobody asked for.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use uuid::Uuid;

use crate::calendar::{Fault, Format};
use crate::platform::email::Email;
use crate::platform::http::json;
use crate::platform::http::problem::{
    BAD_REQUEST, NOT_FOUND, Problem, TIMEOUT, TOO_LARGE, UNSUPPORTED_MEDIA, VALIDATION,
};
use crate::platform::role::Context;

/// Faults that one answer lists: enough to mend a form, not enough to make answers longer than questions.
const MOST_FAULTS: usize = 100;

/// A JSON body, sent as `application/json`, or for PATCH as `application/merge-patch+json`.
pub struct JsonBody(pub Value);

/// A body of any kind, as its bytes; its handler minds the `Content-Type`.
pub struct RawBody(pub Bytes);

impl FromRequest for JsonBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed = check_content_type(req);
        let arriving = RawBody::from_request(req, payload);
        Box::pin(async move {
            typed?;
            let RawBody(bytes) = arriving.await?;
            let value = json::parse(&bytes);
            value.map(JsonBody).map_err(|why| Problem::new(BAD_REQUEST, format!("the body is no JSON: {why}")))
        })
    }
}

impl FromRequest for RawBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = Bytes::from_request(req, payload);
        let seconds = req.app_data::<Data<Context>>().map_or(10, |context| context.settings.limits.body_seconds);
        Box::pin(async move {
            let arrived = timeout(Duration::from_secs(seconds), bytes).await;
            let late = |_| Problem::new(TIMEOUT, "the body did not arrive in time");
            Ok(RawBody(arrived.map_err(late)?.map_err(|error| unread(&error))?))
        })
    }
}

/// Why a body could not be read, as a problem.
pub fn unread(error: &actix_web::Error) -> Problem {
    if let Some(PayloadError::Io(io)) = error.as_error::<PayloadError>()
        && io.kind() == ErrorKind::TimedOut
    {
        return Problem::new(TIMEOUT, "the body did not arrive in time");
    }
    match error.as_response_error().status_code().as_u16() {
        413 => Problem::new(TOO_LARGE, "the body is larger than this path takes"),
        408 => Problem::new(TIMEOUT, "the body did not arrive in time"),
        _ => Problem::new(BAD_REQUEST, "the body ended early or is not framed right"),
    }
}

fn check_content_type(req: &HttpRequest) -> Result<(), Problem> {
    let given =
        req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let (essence, parameters) = given.split_once(';').unwrap_or((&given, ""));
    let patch = req.method() == actix_web::http::Method::PATCH;
    let known = essence.trim() == "application/json" || patch && essence.trim() == "application/merge-patch+json";
    let charset = parameters
        .split(';')
        .filter_map(|one| one.trim().strip_prefix("charset="))
        .all(|it| it.trim_matches('"') == "utf-8");
    let encoded = req.headers().contains_key("content-encoding");
    if known && charset && !encoded {
        return Ok(());
    }
    Err(Problem::new(
        UNSUPPORTED_MEDIA,
        "send JSON as Content-Type: application/json, in UTF-8, without Content-Encoding",
    ))
}

/// The named values of a body or a query string, read one after the other.
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

    /// The parameters of a query string, each once; but the first name of each of `lists` any number of times, read as a list
    /// under its second name.
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
                fields.fault(Fault::new(format!("#/{name}"), "repeated", "stands in the query more than once"));
            }
        }
        let filled = lists.into_iter().filter(|(.., items)| !items.is_empty());
        fields.values.extend(filled.map(|(_, many, items)| (many.to_owned(), items.into())));
        fields
    }

    /// A value that is there and not null, before it is read.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, value)| known == name && !value.is_null()).map(|(_, value)| value)
    }

    /// Whether every value came as text, in a query string or a form.
    pub fn is_query(&self) -> bool {
        self.from_query
    }

    /// Whether a value is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Reads a value that must be there.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>) -> Option<T> {
        if !self.has(name) {
            self.fault(Fault::new(format!("#/{name}"), "missing", "is required"));
        }
        self.optional(name, read)
    }

    /// Reads a value if it is there and not null.
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

    /// A whole number within bounds; in a query string it is text.
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

    /// Refuses a query string beside a body: nobody would read it.
    pub fn without_query(mut self, req: &HttpRequest) -> Params {
        for (name, _) in form_urlencoded::parse(req.query_string().as_bytes()) {
            self.fault(Fault::new(format!("#/{name}"), "unknown_field", "stands in the query; put it into the body"));
        }
        self
    }

    /// Adds a fault that lies between several values.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// What was built from the values, unless something was wrong or left over.
    ///
    /// # Errors
    /// 422 with every fault.
    pub fn finish<T>(mut self, built: Option<T>) -> Result<T, Problem> {
        for (name, _) in &self.values {
            let pointer = format!("#/{}", name.replace('~', "~0").replace('/', "~1"));
            self.faults.push(Fault::new(pointer, "unknown_field", "is not known here"));
        }
        match built {
            Some(built) if self.faults.is_empty() => Ok(built),
            None if self.faults.is_empty() => Err(Problem::new(VALIDATION, "the request does not say enough")),
            _ => {
                self.faults.truncate(MOST_FAULTS);
                Err(Problem::validation(self.faults))
            }
        }
    }
}

/// Text of 1 to `longest` characters without control characters, its ends trimmed.
pub fn text(longest: usize) -> impl FnOnce(&Value) -> Result<String, Vec<Fault>> {
    move |value| {
        let text = value.as_str().map(str::trim).unwrap_or_default();
        let length = text.chars().count();
        if (1..=longest).contains(&length) && !text.chars().any(char::is_control) {
            return Ok(text.to_owned());
        }
        Err(vec![Fault::new("", "not_a_text", format!("must be a text of 1 to {longest} characters on one line"))])
    }
}

/// A text that `parse` understands; its error says why not.
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

/// A value in the shape that our own roles send each other.
///
/// # Errors
/// What does not fit.
pub fn read_as<T: DeserializeOwned>(value: &Value) -> Result<T, Vec<Fault>> {
    T::deserialize(value).map_err(|why| vec![Fault::new("", "not_readable", why.to_string())])
}

/// The format of a week in an answer.
///
/// # Errors
/// Anything but its five names.
pub fn format(value: &Value) -> Result<Format, Vec<Fault>> {
    parsed("not_a_format", |text| Format::parse(text).ok_or("must be ranges, hours, grid, view or view-quarters"))(
        value,
    )
}

/// An e-mail address.
///
/// # Errors
/// Why it is none.
pub fn email(value: &Value) -> Result<Email, Vec<Fault>> {
    parsed("not_an_email", Email::parse)(value)
}

/// The id in the path, its variable `id`.
///
/// # Errors
/// 404 for what is no UUID.
pub fn id_in_path(req: &HttpRequest) -> Result<Uuid, Problem> {
    let text = req.match_info().get("id").unwrap_or_default();
    Uuid::parse_str(text).map_err(|_| Problem::new(NOT_FOUND, "ids are UUIDs; this is none of ours"))
}

/// The e-mail address that is one segment of the request's path.
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
        return Err(bad("the path holds control characters"));
    }
    if matches!(decoded.as_ref(), "." | "..") {
        return Err(Problem::new(NOT_FOUND, "no path of this API looks like this; / says where to begin"));
    }
    Email::parse(&decoded)
        .map_err(|why| Problem::validation(vec![Fault::new("#/email", "not_an_email", why.to_string())]))
}
