//! Users and their weeks.

use jiff::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{ChangedOverrides, ChangedWeek, GivenWeek, Overrides, TimeZone, Week};

/// A user.
#[derive(ToSchema)]
pub struct User {
    id: Uuid,
    email: Email,
    name: String,
    time_zone: TimeZone,
    preference: Preference,
    /// The week in which the user can meet.
    availability: Week,
    /// The time that is possible, but not preferred.
    if_needed: Week,
    overrides: Overrides,
    /// The version, which is also the `ETag`. It grows with every change.
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

/// A new user.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    email: Email,
    /// The name in e-mails, on one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// The default is `UTC`.
    time_zone: Option<TimeZone>,
    /// The default is `first`.
    preference: Option<Preference>,
    /// The week in which the user can meet. The default is never.
    availability: Option<GivenWeek>,
    /// The time that is possible, but not preferred.
    if_needed: Option<GivenWeek>,
    overrides: Option<Overrides>,
}

/// A merge patch of a user (RFC 7396): absent fields stay, and null restores the default.
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
