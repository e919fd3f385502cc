//! The OpenAPI schemas of the suggestion role.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::Suggestions;
use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::Schemas;
use crate::roles::availability::api::openapi::{AvailabilityQuestion, Step};
use crate::roles::reservation::api::openapi::Meeting;

/// The minimum distance of slots.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Distinct {
    /// They do not overlap.
    Slot,
    /// Each is in another period of free time.
    Block,
    /// Each is on another day.
    Day,
}

/// The options of the ranking.
#[derive(ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RankingOptions {
    /// The duration of the meeting in minutes. The default is 60.
    #[schema(minimum = 15, maximum = 1440, multiple_of = 15)]
    #[param(minimum = 15, maximum = 1440, multiple_of = 15)]
    pub duration_minutes: Option<u64>,
    /// The rule that picks slots. The default is the preferences of the attendees.
    #[param(inline)]
    pub pick: Option<Preference>,
    /// The maximum number of slots. Multiplied by the attendees it is at most 100,000.
    #[schema(minimum = 1, maximum = 100)]
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u64>,
    /// The minimum distance of slots. The default is `slot`.
    #[param(inline)]
    pub distinct: Option<Distinct>,
    /// The seed of random picks: the same seed gives the same picks.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    #[param(minimum = 0, maximum = 9007199254740991i64)]
    pub seed: Option<u64>,
    /// Slots begin at multiples of it. The default is 15.
    #[param(inline)]
    pub step_minutes: Option<Step>,
    /// The organizer, who is also an attendee.
    pub organizer: Option<Email>,
}

/// The options for scheduling the meeting at once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SchedulingOptions {
    /// Schedules the meeting in the first slot, and sends invitations.
    pub notify: Option<bool>,
    /// The title of the meeting; only with `notify`.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub title: Option<String>,
}

/// The attendees, the time to search, and the options of the ranking.
pub struct SuggestionQuestion;

impl ToSchema for SuggestionQuestion {
    fn schemas(schemas: &mut Schemas) {
        AvailabilityQuestion::schemas(schemas);
        RankingOptions::schemas(schemas);
    }
}

impl PartialSchema for SuggestionQuestion {
    fn schema() -> RefOr<Schema> {
        let (mut all, more) = (AvailabilityQuestion::schema(), [RankingOptions::schema(), SchedulingOptions::schema()]);
        if let RefOr::T(Schema::Object(all)) = &mut all {
            all.description = Some("The attendees, the time to search, and the options of the ranking.".to_owned());
            all.properties.retain(|name, _| !["format", "view_minutes"].contains(&name.as_str()));
            for one in more {
                if let RefOr::T(Schema::Object(one)) = one {
                    all.properties.extend(one.properties);
                }
            }
        }
        all
    }
}

/// The suggestions, and with `notify` the meeting in the first slot.
#[derive(ToSchema)]
pub struct SuggestionsOrMeeting {
    /// The suggestions.
    #[serde(flatten)]
    pub found: Suggestions,
    /// The meeting.
    #[schema(required = false, nullable = false)]
    pub meeting: Option<Meeting>,
}
