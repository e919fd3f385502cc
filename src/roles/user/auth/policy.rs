//! The password policy of NIST SP 800-63B-4: a minimum length, no common password, no rules for characters, no expiry.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::{Score, zxcvbn};

use crate::calendar::Fault;

/// The minimum length in characters, for sign-in by password alone.
const MIN_LENGTH: usize = 15;
/// The maximum length in bytes.
const MAX_BYTES: usize = 1024;
/// The name of the product, which makes a password easy to guess.
const PRODUCT: &str = "w2meet";

/// A password, normalized (NFKC): the same characters are the same bytes, whatever keyboard they come from.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The bytes to hash.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether an attacker with these words about the owner needs fewer than about a hundred million guesses.
    pub fn is_guessable(&self, words: &[String]) -> bool {
        let mut known: Vec<&str> = words.iter().map(String::as_str).collect();
        known.extend(words.iter().flat_map(|word| word.split(|sign: char| !sign.is_alphanumeric())));
        known.push(PRODUCT);
        known.retain(|word| word.chars().count() > 2);
        // blanks between two known words make it no harder to guess
        let joined: String = self.0.chars().filter(|c| !c.is_whitespace()).collect();
        [&*self.0, &*joined].iter().any(|text| zxcvbn(text, &known).score() < Score::Three)
    }
}

/// A password to sign in with.
///
/// # Errors
/// A value that is no text, or too long.
pub fn typed_password(value: &Value) -> Result<Password, Vec<Fault>> {
    let text = value.as_str().ok_or_else(|| vec![Fault::new("", "not_a_text", "must be a text")])?;
    if text.len() > MAX_BYTES {
        return Err(vec![Fault::new("", "too_long", format!("must have at most {MAX_BYTES} bytes"))]);
    }
    Ok(Password(text.nfkc().collect()))
}

/// A new password.
///
/// # Errors
/// The reason of the refusal.
pub fn new_password(value: &Value) -> Result<Password, Vec<Fault>> {
    let password = typed_password(value)?;
    if password.0.chars().count() < MIN_LENGTH {
        let detail = format!("must have at least {MIN_LENGTH} characters; a few words are easy to remember");
        return Err(vec![Fault::new("", "too_short", detail)]);
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{new_password, typed_password};

    #[test]
    fn length_counts_characters_of_any_kind() {
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
    fn equal_texts_are_one_password_in_every_unicode_form() {
        let read = |text: &str| typed_password(&json!(text)).unwrap_or_else(|_| panic!("it is a text"));
        assert!(read("caf\u{e9} au lait, s'il vous plait") == read("cafe\u{301} au lait, s'il vous plait"));
        assert!(read("a") != read("A"));
    }

    #[test]
    fn common_passwords_are_guessable() {
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
            "password password",
            "ana.lopez@example.com ana.lopez@example.com",
        ] {
            assert!(guessable(weak), "{weak}");
        }
        for strong in ["correct horse battery staple", "der Zug nach Lissabon war leer", "8Jq#vZr2!mWp6xT"] {
            assert!(!guessable(strong), "{strong}");
        }
    }
}
