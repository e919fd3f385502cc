//! Imported calendars.

use jiff::Timestamp;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::platform::http::openapi::text;

/// An imported calendar, without its events.
#[derive(ToSchema)]
pub struct Calendar {
    name: String,
    kind: CalendarKind,
    /// The origin of a subscription's URL. The path is not shown, because it may be secret.
    origin: Option<String>,
    /// The time of the last successful fetch.
    refreshed_at: Option<Timestamp>,
    /// The end of the months whose busy times are known.
    known_until: Option<Timestamp>,
    /// The number of known busy periods.
    #[schema(minimum = 0)]
    busy_periods: i32,
    /// The reason why the last fetch failed.
    error: Option<String>,
}

/// The kind of a calendar.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum CalendarKind {
    /// An uploaded file.
    File,
    /// A subscription.
    Url,
}

/// The calendars of a user, in the order of their names.
#[derive(ToSchema)]
pub struct Calendars {
    calendars: Vec<Calendar>,
}

/// The URL of a published calendar.
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
