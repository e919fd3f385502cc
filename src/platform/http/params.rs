//! The named values of a request, in a body or a query string. [`Params`] collects every fault with its pointer, and refuses
//! unknown names.

use actix_web::HttpRequest;
use serde_json::Value;

use crate::calendar::{Fault, describe_json, pointer_segment};
use crate::platform::http::problem::{Problem, VALIDATION};

/// Faults that one response lists, so that a response is not larger than its request.
const MAX_FAULTS: usize = 100;

/// Parts of the names of values that no response repeats.
const SECRETS: [&str; 5] = ["password", "secret", "token", "key", "url"];

/// The named values of a body or a query string. A handler takes them one after the other.
pub struct Params {
    values: Vec<(String, Value)>,
    faults: Vec<Fault>,
    /// The names that the handler has taken.
    known: Vec<&'static str>,
    source: Source,
}

/// Where values come from.
enum Source {
    Body,
    /// A query string or a form, whose values are texts; and the names that may be repeated, each with the name of the list.
    Query(Vec<RepeatedName>),
}

/// A name in a query that may be repeated, and the name of the list of its values.
type RepeatedName = (&'static str, &'static str);

impl Params {
    fn new(values: Vec<(String, Value)>, source: Source) -> Params {
        Params { values, faults: Vec::new(), known: Vec::new(), source }
    }

    /// The members of a JSON object.
    ///
    /// # Errors
    /// 422 for JSON that is no object.
    pub fn of_body(body: Value) -> Result<Params, Problem> {
        match body {
            Value::Object(values) => Ok(Params::new(values.into_iter().collect(), Source::Body)),
            _ => Err(Problem::validation(vec![Fault::new("#", "not_an_object", "must be a JSON object")])),
        }
    }

    /// The fields of an HTML form.
    pub fn of_form(body: &[u8]) -> Params {
        let pairs = form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned().into()));
        Params::new(pairs.collect(), Source::Query(Vec::new()))
    }

    /// The parameters of a query string, each at most once. The first name of each of `lists` may be repeated; its values become
    /// a list under the second name.
    pub fn of_query(req: &HttpRequest, lists: impl IntoIterator<Item = RepeatedName>) -> Params {
        let lists: Vec<RepeatedName> = lists.into_iter().collect();
        let mut items: Vec<Vec<Value>> = vec![Vec::new(); lists.len()];
        let mut fields = Params::new(Vec::new(), Source::Query(lists.clone()));
        for (name, value) in form_urlencoded::parse(req.query_string().as_bytes()) {
            let stem = name.split_once('[').map_or(&*name, |(stem, _)| stem);
            if let Some(at) = lists.iter().position(|(one, _)| *one == name) {
                if value.contains(',') {
                    let pointer = format!("#/{}/{}", lists[at].1, items[at].len());
                    let detail = format!("is a list: write {}", repeated(lists[at].0));
                    fields.fault(Fault::new(pointer, "list_in_a_query", detail));
                }
                items[at].extend(value.split(',').map(Value::from));
            } else if let Some((one, _)) = lists.iter().find(|(one, many)| [*one, *many].contains(&stem)) {
                let detail = format!("is not known in a query: write {}", repeated(one));
                fields.fault(Fault::new(format!("#{}", pointer_segment(&name)), "unknown_field", detail));
            } else if fields.values.iter().all(|(known, _)| *known != name) {
                fields.values.push((name.into_owned(), value.into_owned().into()));
            } else {
                let pointer = format!("#{}", pointer_segment(&name));
                fields.fault(Fault::new(pointer, "repeated", "appears in the query more than once: give it once"));
            }
        }
        let filled = lists.into_iter().zip(items).filter(|(_, items)| !items.is_empty());
        fields.values.extend(filled.map(|((_, many), items)| (many.to_owned(), items.into())));
        fields
    }

    /// A value that is present and not null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, value)| known == name && !value.is_null()).map(|(_, value)| value)
    }

    /// Whether the values came as text, in a query string or a form.
    pub fn is_query(&self) -> bool {
        matches!(self.source, Source::Query(_))
    }

    /// Whether a value is present and not null.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Takes a required value.
    pub fn required<T>(&mut self, name: &'static str, read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>) -> Option<T> {
        if !self.has(name) {
            self.fault(Fault::new(format!("#/{name}"), "missing", "is required"));
        }
        self.optional(name, read)
    }

    /// Takes the one value of a request.
    ///
    /// # Errors
    /// 422 with every fault.
    pub fn only<T>(
        mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>,
    ) -> Result<T, Problem> {
        let value = self.required(name, read);
        self.finish(value)
    }

    /// Takes a value if it is present and not null.
    pub fn optional<T>(&mut self, name: &'static str, read: impl FnOnce(&Value) -> Result<T, Vec<Fault>>) -> Option<T> {
        self.known.push(name);
        let at = self.values.iter().position(|(known, _)| known == name)?;
        match self.values.remove(at).1 {
            Value::Null => None,
            value => match read(&value) {
                Ok(value) => Some(value),
                Err(faults) => {
                    let explained = faults.into_iter().map(|fault| self.explain(name, fault, &value));
                    let placed: Vec<Fault> = explained.map(|fault| fault.under(&format!("#/{name}"))).collect();
                    self.faults.extend(placed);
                    None
                }
            },
        }
    }

    /// Takes a whole number within bounds; in a query string it is text.
    pub fn number(&mut self, name: &'static str, bounds: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let is_query = self.is_query();
        self.optional(name, |value| {
            let number = match value {
                // as in a body, 45.0 is a whole number
                Value::String(text) if is_query => text.strip_suffix(".0").unwrap_or(text).parse().ok(),
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
            let pointer = format!("#{}", pointer_segment(&name));
            self.fault(Fault::new(pointer, "unknown_field", "is in the query: put it into the body"));
        }
        self
    }

    /// Adds a fault that concerns several values, once.
    pub fn fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// Returns `built`, unless there are faults or values that the handler did not take.
    ///
    /// # Errors
    /// 422 with every fault.
    pub fn finish<T>(mut self, built: Option<T>) -> Result<T, Problem> {
        let detail = self.unknown_field();
        for (name, _) in &self.values {
            self.faults.push(Fault::new(format!("#{}", pointer_segment(name)), "unknown_field", &*detail));
        }
        match built {
            Some(built) if self.faults.is_empty() => Ok(built),
            None if self.faults.is_empty() => {
                Err(Problem::new(VALIDATION, "the request is incomplete: /docs lists what this path needs"))
            }
            _ => {
                self.faults.truncate(MAX_FAULTS);
                Err(Problem::validation(self.faults))
            }
        }
    }

    /// The fault of a name that the handler did not take.
    fn unknown_field(&self) -> String {
        if self.known.is_empty() {
            return "is not known: nothing is read here".to_owned();
        }
        format!(
            "is not a known name: the names are {}",
            self.known.iter().map(|name| self.written(name)).collect::<Vec<_>>().join(", ")
        )
    }

    /// A name as clients write it.
    fn written(&self, name: &'static str) -> &'static str {
        match &self.source {
            Source::Query(lists) => lists.iter().find(|(_, many)| *many == name).map_or(name, |(one, _)| one),
            Source::Body => name,
        }
    }

    /// A fault with what was sent; and of an address in a query, with what clients often mean.
    fn explain(&self, name: &str, fault: Fault, value: &Value) -> Fault {
        let Some(sent) = value.pointer(&fault.pointer) else { return fault };
        let has_space = sent.as_str().is_some_and(|text| text.trim().contains(' '));
        if self.is_query() && fault.code == "not_an_email" && has_space {
            let detail = "contains a space, because a + in a query means a space: write %2B for a +".to_owned();
            return Fault { detail, ..fault };
        }
        let detail = match &fault.detail {
            _ if SECRETS.iter().any(|secret| name.contains(secret)) => return fault,
            detail if detail.starts_with("must be ") => format!("{detail}, not {}", describe_json(sent)),
            detail if detail.starts_with("is not ") => format!("{} {detail}", describe_json(sent)),
            // it names the value already
            _ => return fault,
        };
        Fault { detail, ..fault }
    }
}

/// How a query gives several values.
fn repeated(name: &str) -> String {
    format!("{name}= once for each, such as {name}=a@example.com&{name}=b@example.com")
}

/// Whether the query of a request has a field of this name.
pub fn query_has(req: &HttpRequest, name: &str) -> bool {
    form_urlencoded::parse(req.query_string().as_bytes()).any(|(one, _)| one == name)
}
