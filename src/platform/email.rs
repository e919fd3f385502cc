//! The canonical e-mail address: the identifier of a user, the same for every spelling.

use std::fmt;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::calendar::icalendar::is_invisible;

/// The maximum length in octets (RFC 5321, 4.5.3.1.3, less the angle brackets).
const MAX_OCTETS: usize = 254;

/// A canonical address: the domain in lower-case ASCII (UTS 46), the local part in NFC, and in lower case if it is ASCII.
///
/// Letters beyond ASCII keep their case in the local part: folding them would make one mailbox of two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// The top-level domain that has no mailboxes (RFC 2606). Addresses in it are placeholders that this system makes.
const NO_MAILBOXES: &str = "invalid";

/// The reason why a text is not accepted as an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an e-mail address that can be used here: {0}")]
pub struct NotAnEmail(&'static str);

impl Email {
    /// Parses an address into its canonical form.
    ///
    /// # Errors
    /// [`NotAnEmail`] for anything but `local@domain.tld`: quoted local parts, IP addresses, display names, control characters, and
    /// addresses under `.invalid`, which have no mailbox.
    pub fn parse(typed: &str) -> Result<Email, NotAnEmail> {
        if let Some(email) = Email::parse_plain(typed) {
            return Ok(email);
        }
        if typed.len() > 4 * MAX_OCTETS {
            return Err(NotAnEmail("it is longer than 254 octets"));
        }
        if typed.chars().any(is_forbidden) {
            return Err(NotAnEmail(
                "it contains control characters, slashes or characters that change the direction of text",
            ));
        }
        let (local, domain) = typed.rsplit_once('@').ok_or(NotAnEmail("it has no @"))?;
        let composed: String = local.nfc().collect();
        // A few signs, such as the Kelvin sign, become plain letters by NFC: that would make one mailbox of two.
        let local = if composed.is_ascii() { local } else { &composed };
        if local.starts_with('"') {
            return Err(NotAnEmail("quoted local parts are not supported"));
        }
        let local = if local.is_ascii() { local.to_ascii_lowercase() } else { local.to_owned() };
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| NotAnEmail("its domain is not valid"))?;
        let top = domain.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        if top == NO_MAILBOXES {
            return Err(NotAnEmail("a domain that ends with .invalid has no mailboxes"));
        }
        // as browsers read it: a name that ends with a number is the address of a machine, or nothing
        if !matches!(url::Host::parse(&domain), Ok(url::Host::Domain(_))) {
            return Err(NotAnEmail("its domain must be a name, not a number"));
        }
        let canonical = format!("{local}@{domain}");
        if canonical.len() > MAX_OCTETS {
            return Err(NotAnEmail("it is longer than 254 octets"));
        }
        let strict = Options::default().with_required_tld().without_domain_literal().without_display_text();
        EmailAddress::parse_with_options(&canonical, strict)
            .map_err(|_| NotAnEmail("it must look like name@example.com"))?;
        Ok(Email(canonical))
    }

    /// The fast path for plain addresses: `[a-z0-9._+-]@[a-z0-9.]`, no empty label, a top level of letters. `None` decides nothing.
    fn parse_plain(typed: &str) -> Option<Email> {
        let (local, domain) = typed.split_once('@')?;
        let (rest, top) = domain.rsplit_once('.')?;
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let is_label = |label: &str| (1..=60).contains(&label.len()) && label.bytes().all(is_plain);
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| is_plain(b) || matches!(b, b'_' | b'-' | b'+'));
        let plain = typed.len() <= 200
            && local.len() <= 60
            && local.split('.').all(is_word)
            && rest.split('.').all(is_label)
            && top.len() >= 2
            && top != NO_MAILBOXES
            && top.bytes().all(|b| b.is_ascii_lowercase());
        plain.then(|| Email(typed.to_owned()))
    }

    /// A new address for a person who is no longer known. No client can send it: [`Email::parse`] refuses it.
    pub fn placeholder() -> Email {
        Email(format!("nobody-{:08x}@deleted.{NO_MAILBOXES}", rand::random::<u32>()))
    }

    /// Whether the address is one of [`Email::placeholder`].
    pub fn is_placeholder(&self) -> bool {
        self.0.ends_with(&format!(".{NO_MAILBOXES}"))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the domain.
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(local, _)| local)
    }

    /// The domain.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Encodes the address for a segment of a path (RFC 3986, 3.3): only unreserved characters stay.
    pub fn path_segment(&self) -> String {
        use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
        const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
        utf8_percent_encode(&self.0, SEGMENT).to_string()
    }
}

/// Whether a character cannot be seen, or is a slash.
fn is_forbidden(c: char) -> bool {
    is_invisible(c) || matches!(c, '/' | '\\')
}

impl maud::Render for Email {
    fn render_to(&self, buffer: &mut String) {
        self.0.as_str().render_to(buffer);
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Email;

    fn canonical(typed: &str) -> Option<String> {
        Email::parse(typed).ok().map(|email| email.to_string())
    }

    #[test]
    fn a_placeholder_cannot_be_typed() {
        let made = Email::placeholder();
        assert!(made.is_placeholder());
        for typed in [made.as_str(), "a@b.invalid", "A@B.INVALID", "a@b.\u{ff49}nvalid", "a@b.invalid."] {
            assert_eq!(canonical(typed), None, "{typed}");
        }
        assert!(canonical("invalid@invalid.example").is_some());
    }

    #[test]
    fn spellings_of_one_mailbox_are_one_address() {
        assert_eq!(canonical("Ana@Example.COM").as_deref(), Some("ana@example.com"));
        assert_eq!(canonical("jose\u{301}@example.com"), canonical("josé@example.com"));
        assert_eq!(canonical("a@exämple.de").as_deref(), Some("a@xn--exmple-cua.de"));
        assert_eq!(canonical("a+x@b.co").as_deref(), Some("a+x@b.co"));
    }

    #[test]
    fn letters_beyond_ascii_are_never_folded_into_ascii() {
        assert_ne!(canonical("\u{212a}im@c.de"), canonical("kim@c.de"));
        assert_ne!(canonical("mıke@c.de"), canonical("mike@c.de"));
    }

    #[test]
    fn what_is_no_plain_mailbox_is_refused() {
        let long_local = format!("{}@b.co", "a".repeat(65));
        let long_label = format!("a@{}.co", "b".repeat(64));
        for typed in [
            "",
            "a",
            "@",
            "a@b",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@127.0.0.1.",
            "a@127.1",
            "a@0x7f.0.0.0x1",
            "a@１２７.0.0.1",
            "a@[::1]",
            "a@[IPv6:::1]",
            "a@::1",
            "a@2130706433",
            "a@example.1",
            "X <a@c.de>",
            "a@c.de.",
            "\"a b\"@c.de",
            "a..b@c.de",
            ".a@c.de",
            "a.@c.de",
            "a@-c.de",
            "a@@c.de",
            "a b@c.de",
            "a@c.de,b@c.de",
            "a@c.de\r\nBcc: x@y.zz",
            "a\0@c.de",
            "a\u{202e}@c.de",
            "a/b@c.de",
            "a\\b@c.de",
            "' OR '1'='1",
            &long_local,
            &long_label,
        ] {
            assert_eq!(canonical(typed), None, "{typed:?}");
        }
        assert!(canonical(&format!("{}@b.co", "a".repeat(64))).is_some());
    }

    #[test]
    fn the_quick_road_agrees_with_the_careful_one() {
        for typed in [
            "ana@example.com",
            "a.b_c@x1.y2.org",
            "a@xn--exmple-cua.de",
            "a@b.c0m",
            "a@1.co",
            "a-b+c@x.org",
            "-a@x.org",
            "a-@x.org",
        ] {
            if let Some(quick) = Email::parse_plain(typed) {
                assert_eq!(Email::parse(&typed.to_uppercase()), Ok(quick), "{typed}");
            }
        }
    }
}
