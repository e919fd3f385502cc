//! The endpoints of the suggestion role.

use serde_json::json;

use super::api::Suggestions;
use super::api::openapi::{RankingOptions, SuggestionQuestion, SuggestionsOrMeeting};
use super::handlers::*;
use crate::platform::auth::permissions::Access::{Open, Service, SignedIn};
use crate::platform::endpoint::{Endpoint, get, post, tagged};
use crate::platform::http::openapi::schemas::Dates;
use crate::platform::http::problem::UNKNOWN_USER;
use crate::roles::availability::api::FINDING_TIMES;
use crate::roles::availability::api::openapi::{AttendeesInQuery, Constraints};
use crate::roles::reservation::api::problems::{SLOT_TAKEN, UNVERIFIED};

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(FINDING_TIMES, public());
    let rank = post("/internal/suggestions/rank", Service, rank_group);
    all.extend([get("/health", Open, health), rank.body_limit(|limits| limits.internal_body)]);
    all
}

fn public() -> Vec<Endpoint> {
    vec![
        get("/api/suggestions", SignedIn, find_suggestions_by_query).body_limit(|limits| limits.list_body).describe(
            "find_suggestions",
            "Finds the best slots and explains them.",
            |op| {
                op.query::<AttendeesInQuery>()
                    .query::<Constraints>()
                    .query::<Dates>()
                    .query::<RankingOptions>()
                    .answers::<Suggestions>(200, "The best slots, or the reason why there are none")
                    .refuses(&[UNVERIFIED, UNKNOWN_USER])
            },
        ),
        post("/api/suggestions", SignedIn, find_suggestions_by_body)
            .body_limit(|limits| limits.list_body)
            .mostly_read_only()
            .describe(
                "find_suggestions_for_many",
                "Finds the best slots for long lists, or arranges the first one as a meeting.",
                |op| {
                    let asked =
                        json!({ "attendees": ["ana@example.com", "kenji@example.com"], "pick": "best", "limit": 3 });
                    op.takes::<SuggestionQuestion>(Some(asked))
                        .answers::<SuggestionsOrMeeting>(200, "The best slots, or the reason why there are none")
                        .sends("Location", "The path of the meeting, if one was arranged.")
                        .refuses(&[SLOT_TAKEN, UNVERIFIED, UNKNOWN_USER])
                },
            ),
    ]
}
