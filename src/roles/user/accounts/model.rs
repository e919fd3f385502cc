//! A user, and the rules for creating and changing one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::calendar::{
    Day, Fault, Format, FormattedWeek, Overrides, Preference, Week, Zone, base64_week, parse_week, week_to_json,
};
use crate::platform::data::instant::now;
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, email, parsed, text};
use crate::platform::http::merge_patch::merge_members;
use crate::platform::http::openapi::schemas;
use crate::platform::http::problem::Problem;

const MAX_NAME: usize = 200;

/// A user. The cache stores it as JSON, and the look-up of other roles returns that JSON
/// ([`UserAvailability`](crate::roles::user::api::UserAvailability) is the part that they read). Clients get [`User::public`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub id: Uuid,
    pub email: Email,
    /// The address as it was typed: mail goes there.
    pub typed_email: String,
    #[serde(flatten)]
    pub profile: Profile,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The part of a user that its owner writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub name: String,
    pub time_zone: Zone,
    pub preference: Preference,
    #[serde(with = "base64_week")]
    pub availability: Week,
    #[serde(with = "base64_week", default, skip_serializing_if = "Week::is_empty")]
    pub if_needed: Week,
    /// Dates on which another day replaces the one of the week.
    #[serde(default, skip_serializing_if = "Overrides::is_empty")]
    pub overrides: Overrides,
}

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct PublicUser<'a> {
    id: Uuid,
    email: &'a Email,
    name: &'a str,
    #[schema(value_type = schemas::TimeZone)]
    time_zone: &'a Zone,
    preference: Preference,
    /// The week in which the user can meet.
    #[schema(value_type = schemas::Week)]
    availability: FormattedWeek<'a>,
    /// The time that is possible, but not preferred.
    #[schema(value_type = schemas::Week)]
    if_needed: FormattedWeek<'a>,
    #[schema(value_type = schemas::Overrides)]
    overrides: &'a Overrides,
    /// The version, which is also the `ETag`. It grows with every change.
    #[schema(minimum = 1)]
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A page of users, in the order of creation.
#[derive(Serialize, ToSchema)]
#[schema(as = Users)]
pub struct PublicUsers<'a> {
    pub users: Vec<PublicUser<'a>>,
}

impl Profile {
    /// A profile with a name and a zone, and defaults for the rest.
    pub fn new(name: String, time_zone: Zone) -> Profile {
        Profile {
            name,
            time_zone,
            preference: Preference::default(),
            availability: Week::default(),
            if_needed: Week::default(),
            overrides: Overrides::default(),
        }
    }

    /// The profile of a new account that has given nothing but its address.
    pub fn of_address(email: &Email) -> Profile {
        Profile::new(email.local().to_owned(), Zone::utc())
    }

    /// Reads a profile. Only the name is required; the defaults are UTC and no availability.
    fn read(fields: &mut Params) -> Option<Profile> {
        let name = fields.required("name", text(MAX_NAME));
        let time_zone = fields.optional("time_zone", parsed("not_a_time_zone", Zone::parse));
        let preference = fields.optional("preference", preference);
        let availability = fields.optional("availability", parse_week);
        let if_needed = fields.optional("if_needed", parse_week);
        let overrides = fields.optional("overrides", Overrides::parse);
        Some(Profile {
            name: name?,
            time_zone: time_zone.unwrap_or_else(Zone::utc),
            preference: preference.unwrap_or_default(),
            availability: availability.unwrap_or_default(),
            if_needed: if_needed.unwrap_or_default(),
            overrides: overrides.unwrap_or_default(),
        })
    }

    /// Reads a whole profile, which replaces the one of the user with this address. The address may be in the body, too.
    pub fn replacing(body: Value, address: &Email) -> Result<Profile, Problem> {
        let mut fields = Params::of_body(body)?;
        if fields.optional("email", email).is_some_and(|given| given != *address) {
            fields.fault(Fault::new("#/email", "not_changeable", "must be the address of this user, or be left out"));
        }
        let profile = Profile::read(&mut fields);
        fields.finish(profile)
    }

    /// Applies a JSON merge patch (RFC 7396): absent members stay, and null restores the default.
    pub fn patched(&self, mut patch: Value) -> Result<Profile, Problem> {
        if !patch.is_object() {
            return Err(Problem::validation(vec![Fault::new("#", "not_an_object", "must be a JSON object")]));
        }
        for week in ["availability", "if_needed"] {
            if let Some(Value::Object(days)) = patch.get_mut(week) {
                fold_days(days);
            }
        }
        if let Some(Value::Object(dates)) = patch.get_mut("overrides") {
            for (date, day) in dates.iter_mut().filter(|(_, day)| day.is_null()) {
                // an invalid date is a fault even if its value is null
                if Overrides::parse(&json!({ date: [] })).is_err() {
                    *day = json!([]);
                }
            }
        }
        let mut document = json!({
            "name": self.name,
            "time_zone": self.time_zone.name(),
            "preference": self.preference.name(),
            "availability": week_to_json(&self.availability, Format::Ranges),
            "if_needed": week_to_json(&self.if_needed, Format::Ranges),
            "overrides": self.overrides,
        });
        merge_members(&mut document, patch);
        let mut fields = Params::of_body(document)?;
        let profile = Profile::read(&mut fields);
        fields.finish(profile)
    }
}

/// Normalizes the names of days. Two spellings of one day stay two members, which are refused later.
fn fold_days(days: &mut Map<String, Value>) {
    for (name, value) in std::mem::take(days) {
        let known = Day::parse(&name);
        // an invalid day is a fault even if its value is null
        let value = if known.is_none() && value.is_null() { json!([]) } else { value };
        let folded = known.map(Day::name).filter(|day| !days.contains_key(*day));
        days.insert(folded.map_or(name, str::to_owned), value);
    }
}

/// The address in a body, as typed.
pub fn typed_email(body: &Value) -> String {
    body.get("email").and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

fn preference(value: &Value) -> Result<Preference, Vec<Fault>> {
    let parse = |text: &str| Preference::parse(text).ok_or("must be first, last, random or best");
    parsed("not_a_preference", parse)(value)
}

impl User {
    /// A new user. `typed_email` is the address as typed, for e-mails.
    pub fn new(email: Email, typed_email: String, profile: Profile) -> User {
        let now = now();
        User { id: Uuid::now_v7(), email, typed_email, profile, version: 1, created_at: now, updated_at: now }
    }

    /// Reads the body of a `POST /users`.
    pub fn read(body: Value) -> Result<User, Problem> {
        let typed_email = typed_email(&body);
        let mut fields = Params::of_body(body)?;
        let email = fields.required("email", email);
        let profile = Profile::read(&mut fields);
        fields.finish(email.zip(profile).map(|(email, profile)| User::new(email, typed_email, profile)))
    }

    /// The week with its `if_needed` time, in this format.
    pub fn week_with_preferences(&self, format: Format) -> FormattedWeek<'_> {
        FormattedWeek { free: &self.profile.availability, if_needed: &self.profile.if_needed, format }
    }

    /// The user for clients, with weeks in this format.
    pub fn public(&self, format: Format) -> PublicUser<'_> {
        PublicUser {
            id: self.id,
            email: &self.email,
            name: &self.profile.name,
            time_zone: &self.profile.time_zone,
            preference: self.profile.preference,
            availability: self.week_with_preferences(format),
            if_needed: FormattedWeek::new(&self.profile.if_needed, format),
            overrides: &self.profile.overrides,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::User;

    #[test]
    fn every_fault_of_a_new_user_has_its_pointer() {
        let body = json!({"email":"x","availability":{"monday":[24],"funday":[]},"isAdmin":true});
        let Err(problem) = User::read(body) else { panic!("it was accepted") };
        let mut places: Vec<Value> = problem.errors.iter().map(|fault| fault.pointer.clone().into()).collect();
        places.sort_by_key(ToString::to_string);
        assert_eq!(
            json!(places),
            json!(["#/availability/funday", "#/availability/monday/0", "#/email", "#/isAdmin", "#/name"])
        );
    }
}
