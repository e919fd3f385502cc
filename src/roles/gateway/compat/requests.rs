//! The OpenAPI schemas of requests to the legacy API.

use utoipa::ToSchema;

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{ChangedWeek, GivenWeek, Line};

/// A new user.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReferenceUser {
    email: Email,
    /// The local part of the address if left out.
    #[schema(nullable = false)]
    name: Option<Line>,
    preferences: Option<Preference>,
    availabilities: Option<GivenWeek>,
}

/// The fields of a user to replace.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceUserPatch {
    #[schema(nullable = false)]
    name: Option<Line>,
    preferences: Option<Preference>,
    availabilities: Option<ChangedWeek>,
}

/// The user to find.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub struct UserQuery {
    #[schema(value_type = String, format = "idn-email", example = "ana@example.com")]
    user1email: Email,
}

/// Two users, who may be the same, and the preference.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct TwoUsersQuery {
    #[schema(value_type = String, format = "idn-email", example = "ana@example.com")]
    user_id1: Email,
    #[schema(value_type = String, format = "idn-email", example = "emre@example.com")]
    user_id2: Email,
    preference: Option<Preference>,
}

/// A meeting of two users to arrange, at a whole hour.
#[derive(ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReferenceTask {
    user_id1: Email,
    /// Another user than `userId1`.
    user_id2: Email,
    preference: Option<Preference>,
}
