//! Reading a request for suggestions: how to rank, and how long the answer may be. Pure.

use serde_json::{Value, json};

use crate::calendar::{DistinctBy, Fault, RankingOptions};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, email, parsed};
use crate::platform::http::problem::Problem;
use crate::platform::http::window;

const MOST_SUGGESTIONS: u64 = 100;
/// Names in one answer: a few megabytes.
const MOST_NAMES: u64 = 100_000;

/// A request for suggestions: how to rank, and the answer's size.
pub struct Request {
    /// All but the seed.
    pub ask: RankingOptions,
    /// What random draws come from, if the caller said so.
    pub seed: Option<u64>,
    /// Who calls the meeting.
    pub organizer: Option<Email>,
    /// Whether the dates came as a week.
    pub by_week: bool,
    /// Who was named as optional, as the caller wrote it.
    optional: Vec<Value>,
}

/// Who is to come, in whatever form it is known.
pub struct Whom<T> {
    /// The form.
    pub what: T,
    /// How many people it names.
    pub names: usize,
    /// How many of them must be able to come.
    pub quorum: Option<usize>,
}

impl Request {
    /// Reads it, refusing everything that is not known. `whom` reads who is to come, told who calls the meeting.
    pub fn read<T>(
        mut fields: Params,
        whom: impl FnOnce(&mut Params, Option<&Email>) -> Option<Whom<T>>,
    ) -> Result<(Request, T), Problem> {
        let organizer = fields.optional("organizer", email);
        let optional = fields.get("optional").and_then(Value::as_array).cloned().unwrap_or_default();
        let by_week = fields.has("week");
        let whom = whom(&mut fields, organizer.as_ref());
        let duration = window::duration(&mut fields).unwrap_or(60);
        let step = fields.number("step_minutes", 15..=60).unwrap_or(15);
        let pick = window::pick(&mut fields);
        let seed = window::seed(&mut fields);
        let limit = fields.number("limit", 1..=MOST_SUGGESTIONS);
        let distinct = fields.optional("distinct", distinct).unwrap_or_default();
        if ![15, 30, 60].contains(&step) {
            fields.fault(Fault::new("#/step_minutes", "not_a_step", "must be 15, 30 or 60"));
        }
        let names = whom.as_ref().map_or(0, |whom| whom.names as u64) * limit.unwrap_or(1);
        if names > MOST_NAMES {
            let detail =
                format!("times the number of attendees must be at most {MOST_NAMES}: each suggestion names them all");
            fields.fault(Fault::new("#/limit", "answer_too_long", detail));
        }
        let quarters = |minutes: u64| usize::try_from(minutes / 15).unwrap_or(1);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let quorum = whom.as_ref().and_then(|whom| whom.quorum);
        let ask = RankingOptions {
            pick,
            seed: 0,
            duration: quarters(duration),
            step: quarters(step),
            limit,
            quorum,
            distinct,
        };
        let request = Request { ask, seed, organizer, by_week, optional };
        fields.finish(whom.map(|whom| (request, whom.what)))
    }

    /// The list of the optional, with one more.
    pub fn optional_with(&self, email: &Email) -> Value {
        self.optional.iter().cloned().chain([json!(email)]).collect()
    }
}

fn distinct(value: &Value) -> Result<DistinctBy, Vec<Fault>> {
    let known = |text: &str| match text {
        "slot" => Ok(DistinctBy::Slot),
        "block" => Ok(DistinctBy::Block),
        "day" => Ok(DistinctBy::Day),
        _ => Err("must be slot, block or day"),
    };
    parsed("not_distinct", known)(value)
}
