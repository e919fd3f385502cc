//! The OpenAPI schemas of the suggestion role.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::Suggestions;
use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::Schemas;
use crate::roles::availability::api::openapi::{AvailabilityQuestion, Step};
use crate::roles::user::api::openapi::Meeting;

/// How slots may lie to each other.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Distinct {
    /// They do not overlap.
    Slot,
    /// Each is in a free stretch of its own.
    Block,
    /// Each is on a day of its own.
    Day,
}

/// How to choose.
#[derive(ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Wishes {
    /// Minutes of the meeting; 60 if left out.
    #[schema(minimum = 15, maximum = 1440, multiple_of = 15)]
    #[param(minimum = 15, maximum = 1440, multiple_of = 15)]
    pub duration_minutes: Option<u64>,
    /// Which slot; by the attendees' own preferences if left out.
    #[param(inline)]
    pub pick: Option<Preference>,
    /// How many at most; times the attendees at most 100,000.
    #[schema(minimum = 1, maximum = 100)]
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u64>,
    /// How they may lie to each other; `slot` if left out.
    #[param(inline)]
    pub distinct: Option<Distinct>,
    /// Makes `random` repeatable.
    #[schema(minimum = 0, maximum = 9007199254740991i64)]
    #[param(minimum = 0, maximum = 9007199254740991i64)]
    pub seed: Option<u64>,
    /// Slots begin on multiples of it; 15 if left out.
    #[param(inline)]
    pub step_minutes: Option<Step>,
    /// Who calls the meeting, and comes too.
    pub organizer: Option<Email>,
}

/// Whether the meeting is arranged at once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Arranging {
    /// Takes the first slot, and invites.
    pub notify: Option<bool>,
    /// What the meeting is called; only with `notify`.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    pub title: Option<String>,
}

/// Who is asked about, when, and how to choose.
pub struct SuggestionQuestion;

impl ToSchema for SuggestionQuestion {
    fn schemas(schemas: &mut Schemas) {
        AvailabilityQuestion::schemas(schemas);
        Wishes::schemas(schemas);
    }
}

impl PartialSchema for SuggestionQuestion {
    fn schema() -> RefOr<Schema> {
        let (mut all, more) = (AvailabilityQuestion::schema(), [Wishes::schema(), Arranging::schema()]);
        if let RefOr::T(Schema::Object(all)) = &mut all {
            all.description = Some("Who is asked about, when, and how to choose.".to_owned());
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

/// Suggestions, and with `notify` the meeting that was made of the first.
#[derive(ToSchema)]
pub struct SuggestionsOrMeeting {
    /// What was found.
    #[serde(flatten)]
    pub found: Suggestions,
    /// The meeting.
    #[schema(required = false, nullable = false)]
    pub meeting: Option<Meeting>,
}
