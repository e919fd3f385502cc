//! Parses a request for suggestions: attendees, options, and the checks across fields. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::RankRequest;
use crate::calendar::{DistinctBy, Fault, RankingOptions};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, email, one_of};
use crate::platform::http::problem::Problem;
use crate::platform::http::window;
use crate::roles::availability::api::Question;

const MAX_SUGGESTIONS: u64 = 100;
/// E-mail addresses in one response: a few megabytes.
const MAX_ADDRESSES: u64 = 100_000;

/// How to rank, and what the explanations need to know of the request.
pub struct SuggestionRequest {
    /// All options but the seed.
    pub options: RankingOptions,
    /// The seed of random picks, if the client gave one.
    pub seed: Option<u64>,
    /// The organizer of the meeting.
    pub organizer: Option<Email>,
    /// Whether the dates were given as a week.
    pub by_week: bool,
    /// The list of optional attendees, as the client wrote it.
    optional: Vec<Value>,
}

impl SuggestionRequest {
    /// Parses the request, and the question to availability.
    ///
    /// # Errors
    /// 422 with every fault.
    pub fn parse(mut params: Params) -> Result<(SuggestionRequest, Question), Problem> {
        let organizer = params.optional("organizer", email);
        let optional = params.get("optional").and_then(Value::as_array).cloned().unwrap_or_default();
        let by_week = params.has("week");
        let question = Question::parse(&mut params, organizer.as_ref(), Timestamp::now());
        let seed = window::seed(&mut params);
        let mut options = parse_options(&mut params);
        if let Some(question) = &question {
            options.quorum = question.quorum;
            check_answer_size(&mut params, question.attendees.len(), options.limit);
        }
        let request = SuggestionRequest { options, seed, organizer, by_week, optional };
        params.finish(question.map(|question| (request, question)))
    }

    /// The ranking that a worker asks for.
    pub fn for_ranking<D>(request: &RankRequest<D>) -> SuggestionRequest {
        let options = RankingOptions {
            pick: request.pick,
            duration: quarters(request.duration_minutes.into()),
            step: quarters(request.step_minutes.into()),
            ..RankingOptions::default()
        };
        let organizer = request.organizer.clone();
        SuggestionRequest { options, seed: request.seed, organizer, by_week: false, optional: Vec::new() }
    }

    /// The list of optional attendees, with one more.
    pub fn optional_with(&self, email: &Email) -> Value {
        self.optional.iter().cloned().chain([json!(email)]).collect()
    }
}

fn parse_options(params: &mut Params) -> RankingOptions {
    let duration = window::duration(params).unwrap_or(60);
    let step = window::step(params);
    let pick = window::pick(params);
    let limit = params.number("limit", 1..=MAX_SUGGESTIONS).and_then(|limit| usize::try_from(limit).ok());
    let distinct = [("slot", DistinctBy::Slot), ("block", DistinctBy::Block), ("day", DistinctBy::Day)];
    let distinct = params.optional("distinct", one_of("not_distinct", distinct)).unwrap_or_default();
    let (duration, step) = (quarters(duration), quarters(step.into()));
    RankingOptions { pick, seed: 0, duration, step, limit, quorum: None, distinct }
}

/// Refuses a request whose response would be too long.
fn check_answer_size(params: &mut Params, attendees: usize, limit: Option<usize>) {
    if attendees.saturating_mul(limit.unwrap_or(1)) as u64 > MAX_ADDRESSES {
        let detail =
            format!("times the number of attendees must be at most {MAX_ADDRESSES}: each suggestion lists them all");
        params.fault(Fault::new("#/limit", "answer_too_long", detail));
    }
}

fn quarters(minutes: u64) -> usize {
    usize::try_from(minutes / 15).unwrap_or(1)
}
