//! The OpenAPI schemas of the suggestion role.

use utoipa::ToSchema;

use super::Suggestions;
use crate::calendar::{DistinctBy, Preference};
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{Dates, Line, Step};
use crate::roles::availability::api::openapi::{AttendeeLists, Constraints};
use crate::roles::reservation::api::views::MeetingView;

/// The options of the ranking.
#[derive(ToSchema)]
pub struct RankingOptions {
    /// The duration of the meeting in minutes. The default is 60.
    #[schema(minimum = 15, maximum = 1440, multiple_of = 15)]
    duration_minutes: Option<u64>,
    /// The rule that picks slots. The default is the preferences of the attendees.
    pick: Option<Preference>,
    /// The maximum number of slots. Multiplied by the attendees it is at most 100,000.
    #[schema(minimum = 1, maximum = 100)]
    limit: Option<u64>,
    /// The minimum distance of slots. The default is `slot`.
    distinct: Option<DistinctBy>,
    /// The seed of random picks: the same seed gives the same picks.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    seed: Option<u64>,
    /// Slots begin at multiples of it. The default is 15.
    step_minutes: Option<Step>,
    /// The organizer, who is also an attendee.
    organizer: Option<Email>,
}

/// The attendees, the time to search, and the options of the ranking.
#[derive(ToSchema)]
pub struct SuggestionQuestion {
    #[serde(flatten)]
    attendees: AttendeeLists,
    #[serde(flatten)]
    constraints: Constraints,
    #[serde(flatten)]
    dates: Dates,
    #[serde(flatten)]
    ranking: RankingOptions,
    /// Schedules the meeting in the first slot, and sends invitations.
    notify: Option<bool>,
    /// The title of the meeting; only with `notify`.
    title: Option<Line>,
}

/// The suggestions, and with `notify` the meeting in the first slot.
#[derive(ToSchema)]
pub struct SuggestionsOrMeeting {
    #[serde(flatten)]
    found: Suggestions,
    /// The meeting.
    #[schema(required = false, nullable = false)]
    meeting: Option<MeetingView<'static>>,
}
