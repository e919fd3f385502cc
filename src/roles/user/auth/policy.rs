//! What a password may be, by NIST SP 800-63B-4: long enough, and not one that everybody tries. Nothing is demanded of its
//! characters, and it never grows old. Pure.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::{Score, zxcvbn};

use crate::calendar::Fault;

/// Characters that a password has at least, where nothing else proves who signs in.
const SHORTEST: usize = 15;
/// Bytes that it has at most; all of them count.
const LONGEST: usize = 1024;
/// Our own name is the first thing that somebody tries.
const OURS: &str = "w2meet";

/// A password, normalized (NFKC): the same characters are the same bytes, whatever keyboard they come from.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What is hashed.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it is among the first hundred million that somebody would try who knows these words about its owner.
    pub fn is_guessable(&self, words: &[String]) -> bool {
        let mut known: Vec<&str> = words.iter().map(String::as_str).collect();
        known.extend(words.iter().flat_map(|word| word.split(|sign: char| !sign.is_alphanumeric())));
        known.push(OURS);
        known.retain(|word| word.chars().count() > 2);
        zxcvbn(&self.0, &known).score() < Score::Three
    }
}

/// A password to sign in with: whatever was typed.
///
/// # Errors
/// What is no text, or too long to be one.
pub fn typed_password(value: &Value) -> Result<Password, Vec<Fault>> {
    let text = value.as_str().ok_or_else(|| vec![Fault::new("", "not_a_text", "must be a text")])?;
    if text.len() > LONGEST {
        return Err(vec![Fault::new("", "too_long", format!("may have {LONGEST} bytes at most"))]);
    }
    Ok(Password(text.nfkc().collect()))
}

/// A password to be set.
///
/// # Errors
/// Why it is not taken.
pub fn new_password(value: &Value) -> Result<Password, Vec<Fault>> {
    let password = typed_password(value)?;
    if password.0.chars().count() < SHORTEST {
        let detail = format!("must have {SHORTEST} characters at least; a few words are easy to remember");
        return Err(vec![Fault::new("", "too_short", detail)]);
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{new_password, typed_password};

    #[test]
    fn length_counts_characters_and_nothing_is_demanded_of_them() {
        for fine in
            ["correct horse battery", "ééééééééééééééé", "               ", "пароль из слов!", &"x".repeat(1024)]
        {
            assert!(new_password(&json!(fine)).is_ok(), "{fine}");
        }
        for wrong in ["", "fourteen chars", "éééééééééééééé", &"x".repeat(1025)] {
            assert!(new_password(&json!(wrong)).is_err(), "{wrong}");
        }
        assert!(new_password(&json!(123_456_789_012_345_u64)).is_err());
    }

    #[test]
    fn one_text_is_one_password_however_it_was_composed() {
        let read = |text: &str| typed_password(&json!(text)).unwrap_or_else(|_| panic!("it is a text"));
        assert!(read("caf\u{e9} au lait, s'il vous plait") == read("cafe\u{301} au lait, s'il vous plait"));
        assert!(read("a") != read("A"));
    }

    #[test]
    fn what_everybody_tries_is_found_out() {
        let words = ["Ana.Lopez@example.com".to_owned(), "Ana Lopez".to_owned()];
        let guessable = |text: &str| typed_password(&json!(text)).is_ok_and(|it| it.is_guessable(&words));
        for weak in [
            "aaaaaaaaaaaaaaaa",
            "passwordpassword",
            "123456789012345",
            "qwertyuiopasdfg",
            "abcabcabcabcabcabc",
            "ana.lopez@example.com",
            "w2meetw2meetw2meet",
            "analopezanalopez",
        ] {
            assert!(guessable(weak), "{weak}");
        }
        for strong in ["correct horse battery staple", "der Zug nach Lissabon war leer", "8Jq#vZr2!mWp6xT"] {
            assert!(!guessable(strong), "{strong}");
        }
    }
}
