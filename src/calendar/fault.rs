//! What is wrong with one place of an input.

use std::borrow::Cow;

/// One thing wrong, and where; answers list all of them.
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

    /// The same fault seen from the value that holds this one at `prefix`, itself a pointer.
    pub fn under(self, prefix: &str) -> Fault {
        Fault { pointer: format!("{prefix}{}", self.pointer), ..self }
    }
}

/// One step of a pointer, escaped as RFC 6901 asks.
pub(super) fn step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The text of a stranger, short enough to be shown in a message.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", &text[..cut]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, shortened, step};

    #[test]
    fn a_fault_moves_under_the_place_that_holds_it() {
        let fault = Fault::new("/monday/3", "empty_range", "").under("/availability");
        assert_eq!(fault.pointer, "/availability/monday/3");
    }

    #[test]
    fn pointer_steps_are_escaped() {
        assert_eq!(step("a/b~c"), "/a~1b~0c");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened(&"é".repeat(41)), format!("{}…", "é".repeat(40)));
        assert_eq!(shortened("short"), "short");
    }
}
