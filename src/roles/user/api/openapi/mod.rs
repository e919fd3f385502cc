//! The OpenAPI schemas of requests that are read field by field, to report every fault with its pointer.

#![expect(dead_code, reason = "the handlers read these requests field by field")]

pub mod jobs;

use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::calendar::Preference;
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{ChangedOverrides, ChangedWeek, GivenWeek, Overrides, TimeZone};
use crate::platform::http::openapi::text;

/// A text on one line.
pub fn line(about: &str, max_length: usize) -> ObjectBuilder {
    let line = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
    text().description(Some(about)).min_length(Some(1)).max_length(Some(max_length)).pattern(Some(line))
}

fn user_name() -> ObjectBuilder {
    line("The name in e-mails, on one line.", 200)
}

fn user_name_or_null() -> ObjectBuilder {
    user_name().schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

fn password() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Password))).max_length(Some(1024))
}

fn new_password() -> ObjectBuilder {
    password().description(Some("At most 1024 bytes, and not easy to guess.")).min_length(Some(15))
}

/// The code in an e-mail.
fn code() -> ObjectBuilder {
    text().pattern(Some("^[0-9a-f]{1,200}$"))
}

/// The name of a calendar.
pub struct CalendarName;

impl PartialSchema for CalendarName {
    fn schema() -> RefOr<Schema> {
        text().pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")).into()
    }
}

/// A new user.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    email: Email,
    #[schema(schema_with = user_name)]
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

/// A whole profile of a user: a new user whose address may be left out.
pub struct UserProfile;

impl ToSchema for UserProfile {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewUser::schemas(schemas);
    }
}

impl PartialSchema for UserProfile {
    fn schema() -> RefOr<Schema> {
        let mut schema = NewUser::schema();
        if let RefOr::T(Schema::Object(profile)) = &mut schema {
            profile.required.retain(|field| field != "email");
            profile.description = Some("A whole profile of a user. What is left out gets its default.".to_owned());
        }
        schema
    }
}

/// A merge patch of a user (RFC 7396): absent fields stay, and null restores the default.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    #[schema(schema_with = user_name)]
    name: Option<String>,
    time_zone: Option<TimeZone>,
    preference: Option<Preference>,
    availability: Option<ChangedWeek>,
    if_needed: Option<ChangedWeek>,
    overrides: Option<ChangedOverrides>,
}

/// A new account.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    email: Email,
    #[schema(schema_with = new_password)]
    password: String,
    /// The default is the local part of the address.
    #[schema(schema_with = user_name_or_null)]
    name: Option<String>,
    /// The default is `UTC`.
    time_zone: Option<TimeZone>,
}

/// The credentials of a sign-in.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    email: Email,
    #[schema(schema_with = password)]
    password: String,
}

/// The refresh token of a session.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refreshing {
    #[schema(min_length = 1, max_length = 200, format = "refresh-token")]
    refresh_token: String,
}

/// The parameters of a link in an e-mail.
#[derive(ToSchema)]
pub struct Link {
    /// The code in the link.
    #[schema(pattern = "^[0-9a-f]{1,200}$")]
    pub token: String,
}

/// The code of a verification e-mail, and the password of the account: the same or another one.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    #[schema(schema_with = code)]
    token: String,
    #[schema(schema_with = new_password)]
    password: String,
}

/// The address of an account whose password is forgotten.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    email: Email,
}

/// The code of a password e-mail, and the new password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    #[schema(schema_with = code)]
    token: String,
    #[schema(schema_with = new_password)]
    password: String,
}

/// The current and the new password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(schema_with = password)]
    current_password: String,
    #[schema(schema_with = new_password)]
    password: String,
}

/// The URL of a published calendar.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// `https:` or `webcal:`, on the public internet.
    #[schema(format = "https-url", max_length = 2048)]
    url: String,
}
