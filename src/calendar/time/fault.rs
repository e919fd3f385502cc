//! What is wrong at one place of an input.

use serde_json::Value;
use std::borrow::Cow;

/// One thing that is wrong, and where. An answer lists all of them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fault {
    /// RFC 6901 JSON pointer relative to the value given, such as `/monday/3`; empty for the whole.
    pub pointer: String,
    /// A stable name for the kind of fault, such as `hour_out_of_range`.
    pub code: Cow<'static, str>,
    /// A sentence fragment: what was found and what is right.
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Fault {
        Fault { pointer: pointer.into(), code: code.into(), detail: detail.into() }
    }

    /// The same fault, relative to the value that holds this one at `prefix`, which is a pointer.
    pub fn under(self, prefix: &str) -> Fault {
        Fault { pointer: format!("{prefix}{}", self.pointer), ..self }
    }
}

/// One segment of a JSON pointer, escaped as RFC 6901 asks.
pub fn pointer_segment(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A caller's text, short enough to be shown in a message.
pub fn truncate_for_message(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]).into(),
        None => text.into(),
    }
}

/// A JSON value, short enough to be shown in a message.
pub fn describe_json(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", truncate_for_message(text)),
        Value::Array(entries) => format!("an array of {}", entries.len()),
        Value::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, pointer_segment, truncate_for_message};

    #[test]
    fn a_fault_is_prefixed_with_the_pointer_of_its_parent() {
        let fault = Fault::new("/monday/3", "empty_range", "").under("/availability");
        assert_eq!(fault.pointer, "/availability/monday/3");
    }

    #[test]
    fn pointer_segments_are_escaped() {
        assert_eq!(pointer_segment("a/b~c"), "/a~1b~0c");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(truncate_for_message(&"é".repeat(41)), format!("{}…", "é".repeat(40)));
        assert_eq!(truncate_for_message("short"), "short");
    }
}
