//! Times at which people cannot meet, on their way between roles: by person, as pairs of Unix seconds, for there are many.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::platform::email::Email;

/// A half-open period of instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Period {
    /// When it begins.
    pub start: Timestamp,
    /// When it is over.
    pub end: Timestamp,
}

/// A time at which somebody cannot meet. Why is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Who.
    pub email: Email,
    /// From when.
    pub start: Timestamp,
    /// Until when.
    pub end: Timestamp,
}

/// How they are written: `{"ana@x.org": [[from, until], …], …}`.
pub struct ByPerson<'a>(pub &'a [Busy]);

impl Serialize for ByPerson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut people: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
        for busy in self.0 {
            // who is busy for a part of a second is busy for all of it
            let end = busy.end.as_second() + i64::from(busy.end.subsec_nanosecond() > 0);
            people.entry(busy.email.as_str()).or_default().push((busy.start.as_second(), end));
        }
        people.serialize(serializer)
    }
}

/// Reads what [`ByPerson`] wrote.
///
/// # Errors
/// JSON that is something else.
pub fn busy_by_person<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Busy>, D::Error> {
    let people: BTreeMap<Email, Vec<(i64, i64)>> = BTreeMap::deserialize(deserializer)?;
    let mut all = Vec::with_capacity(people.values().map(Vec::len).sum());
    for (email, periods) in people {
        for (start, end) in periods {
            let at = |second| Timestamp::from_second(second).map_err(D::Error::custom);
            all.push(Busy { email: email.clone(), start: at(start)?, end: at(end)? });
        }
    }
    Ok(all)
}
