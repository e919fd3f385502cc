//! Calendars from elsewhere.

use jiff::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::platform::http::openapi::text;

/// What is known of a calendar from elsewhere; nothing of what stands in it.
#[derive(ToSchema)]
pub struct Calendar {
    name: String,
    kind: CalendarKind,
    /// Of a subscription, where it is published; its path stays a secret.
    origin: Option<String>,
    /// When its text was last known to be the newest.
    refreshed_at: Option<Timestamp>,
    /// Until when its busy times are known.
    known_until: Option<Timestamp>,
    /// How many busy times are known.
    #[schema(minimum = 0)]
    busy_periods: i32,
    /// Why the last look at it failed.
    error: Option<String>,
}

/// How a calendar came.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum CalendarKind {
    /// Handed in.
    File,
    /// A subscription.
    Url,
}

/// The calendars of a user, in the order of their names.
#[derive(ToSchema)]
pub struct Calendars {
    calendars: Vec<Calendar>,
}

/// Where a calendar is published.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// `https:` or `webcal:`, on the public internet.
    #[schema(format = "https-url", max_length = 2048)]
    url: String,
}

/// The name of a calendar.
pub struct Name;

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        text().pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")).into()
    }
}
