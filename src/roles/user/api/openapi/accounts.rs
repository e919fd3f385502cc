//! Users and their weeks.

use jiff::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{ChangedOverrides, ChangedWeek, GivenWeek, Overrides, TimeZone, Week};

/// Somebody who can be asked to a meeting.
#[derive(ToSchema)]
pub struct User {
    id: Uuid,
    email: Email,
    name: String,
    time_zone: TimeZone,
    preference: Preference,
    /// When they can meet.
    availability: Week,
    /// When they could, if it must be.
    if_needed: Week,
    overrides: Overrides,
    /// Grows with every change; the `ETag`.
    #[schema(minimum = 1)]
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A page of users, in the order of creation.
#[derive(ToSchema)]
pub struct Users {
    users: Vec<User>,
}

/// A user to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    email: Email,
    /// What letters call them; on one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// `UTC` if left out.
    time_zone: Option<TimeZone>,
    /// `first` if left out.
    preference: Option<Preference>,
    /// When they can meet; never if left out.
    availability: Option<GivenWeek>,
    /// When they could, if it must be.
    if_needed: Option<GivenWeek>,
    overrides: Option<Overrides>,
}

/// What of a user to change (RFC 7396): what is left out stays, and null is the default again.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<String>,
    time_zone: Option<TimeZone>,
    preference: Option<Preference>,
    availability: Option<ChangedWeek>,
    if_needed: Option<ChangedWeek>,
    overrides: Option<ChangedOverrides>,
}
