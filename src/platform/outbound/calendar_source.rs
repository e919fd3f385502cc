//! Where calendars come from: the one interface of files, subscriptions, and whatever else has free/busy to tell.
//!
//! A source gives iCalendar text; a provider with an API of its own writes what it knows as a VFREEBUSY. What comes of the
//! text, and everything that searches for a time, knows nothing of sources.

use std::future::{Future, ready};

use serde::{Deserialize, Serialize};

/// A place that a calendar's text comes from, asked again and again.
pub trait CalendarSource {
    /// What is there now, for somebody who has seen this of it before.
    fn fetch(&self, seen: &Validators) -> impl Future<Output = Fetched>;
}

/// What a source said of its newest text, to be told again when it is asked for a newer one (RFC 9110, 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// Its entity tag.
    pub etag: Option<String>,
    /// When it says it was changed.
    pub last_modified: Option<String>,
}

/// What a source gives. Its text is private: it is not to be logged, and is not printed.
#[derive(Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Fetched {
    /// A whole calendar.
    Text {
        /// iCalendar.
        text: String,
        /// What to ask with next time.
        seen: Validators,
    },
    /// What was seen before is the newest.
    Unchanged,
    /// Nothing, this time.
    Failed {
        /// Why, for the owner of the calendar: a fragment of a sentence that begins with "it".
        why: String,
    },
}

/// A calendar that was handed in, and comes from nowhere else.
pub struct File(pub String);

impl CalendarSource for File {
    fn fetch(&self, _: &Validators) -> impl Future<Output = Fetched> {
        ready(Fetched::Text { text: self.0.clone(), seen: Validators::default() })
    }
}

/// Text as it came from outside. Where it is no UTF-8, only words can be meant, and nobody reads those.
pub fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}
