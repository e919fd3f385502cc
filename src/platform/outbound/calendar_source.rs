//! The one interface of calendars that are fetched: subscriptions, and later providers with an API of their own.
//!
//! A source returns iCalendar text; a provider with another API returns a VFREEBUSY. The import and the search for a time do
//! not depend on sources.

use std::future::Future;

use serde::{Deserialize, Serialize};

/// A source of a calendar's text, fetched again and again.
pub trait CalendarSource {
    /// Fetches the calendar; `known` are the validators of the last fetch.
    fn fetch(&self, known: &Validators) -> impl Future<Output = Fetched>;
}

/// The validators of a fetched text, for the next conditional request (RFC 9110, 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The entity tag.
    pub etag: Option<String>,
    /// The date of the last change.
    pub last_modified: Option<String>,
}

/// The result of a fetch. The text is private: it must not be logged, and the type does not print it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Fetched {
    /// A whole calendar.
    Text {
        /// iCalendar.
        text: String,
        /// The validators for the next fetch.
        seen: Validators,
    },
    /// The calendar has not changed.
    Unchanged,
    /// The fetch failed.
    Failed {
        /// The reason, for the owner of the calendar: a sentence fragment that begins with "it".
        why: String,
    },
}

/// Whether these bytes are a gzip file (RFC 1952), as a server sends that publishes `basic.ics.gz`.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Fetched bytes as text: UTF-8, or UTF-16 as Windows saves it. Invalid characters can only occur in names and descriptions, which
/// the import ignores.
pub fn text_of(bytes: &[u8]) -> String {
    let utf_16 = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        // with a byte order mark, or with the B of BEGIN
        [0xff, 0xfe, ..] | [b'B', 0, ..] => utf_16(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, b'B', ..] => utf_16(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.replace('\0', "\u{fffd}")
}
