//! What other roles see of the user role: its name, its wire types, and a client that speaks them.

pub mod access;
pub mod account_mail;
mod busy;
pub mod calendars;
pub mod jobs;
pub mod openapi;
pub mod problems;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use busy::{Busy, ByPerson, Period, busy_by_person};

use crate::calendar::{Overrides, Preference, Week, Zone, base64_week, list_names};
use crate::platform::email::Email;
use crate::platform::endpoint::Tag;
use crate::platform::http::extract::UserKey;
use crate::platform::http::openapi::ApiOperation;
use crate::platform::http::problem::{NOT_FOUND, Problem, UNKNOWN_USER, VALIDATION};
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;
use problems::UNVERIFIED;

/// Its name in the table of roles.
pub const ROLE: &str = "user";

/// The group of everything about the caller's own account in the OpenAPI document.
pub const ACCOUNTS: Tag = Tag { name: "accounts", about: "Sign-in, where callers need one." };

/// The group of users in the OpenAPI document.
pub const USERS: Tag = Tag { name: "users", about: "Users, and when they can meet." };

/// Adds the `{user}` of the path to the description of an endpoint.
pub fn of_user(op: ApiOperation) -> ApiOperation {
    op.path::<UserKey>("user", "The user's address or id.", Some("ana@example.com")).refuses(&[
        NOT_FOUND,
        UNKNOWN_USER,
        VALIDATION,
    ])
}

/// Asks for many users at once.
#[derive(Debug, Serialize, Deserialize)]
pub struct LookupRequest {
    /// Whom; canonical addresses, each once.
    pub emails: Vec<Email>,
    /// The time for which it is asked when they are busy; not asked if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_in: Option<Period>,
}

/// The answer to [`LookupRequest`], both lists in its order.
#[derive(Debug, Deserialize)]
pub struct Lookup<U = UserAvailability> {
    /// Those who exist, as much of them as the caller needs.
    pub users: Vec<U>,
    /// Those who do not.
    pub unknown: Vec<Email>,
    /// When they cannot meet, whatever their week says; in no order.
    #[serde(default, deserialize_with = "busy_by_person")]
    pub busy: Vec<Busy>,
    /// Those of them whose time the settings hide from the account that asks, unless it organizes a meeting with them.
    #[serde(default)]
    pub hidden: Vec<Email>,
    /// Whether the account that asks must not see its meetings: another person may have registered its address.
    #[serde(default)]
    pub hides_meetings: bool,
}

/// What finding a time needs to know of a user: this much is read of the account as user keeps it.
#[derive(Debug, Deserialize)]
pub struct UserAvailability {
    /// The public key.
    pub email: Email,
    /// Which slot the user likes.
    pub preference: Preference,
    /// Where the week's wall clock hangs.
    pub time_zone: Zone,
    /// Grows with every change.
    pub version: i64,
    /// When the user can meet.
    #[serde(with = "base64_week")]
    pub availability: Week,
    /// When the user could, if it must be.
    #[serde(with = "base64_week", default)]
    pub if_needed: Week,
    /// Dates on which another day replaces the one of the week.
    #[serde(default)]
    pub overrides: Overrides,
}

/// A request for the people that a meeting invites.
#[derive(Debug, Serialize, Deserialize)]
pub struct PeopleRequest {
    /// Canonical addresses, each once.
    pub emails: Vec<Email>,
}

/// The answer to [`PeopleRequest`].
#[derive(Debug, Serialize, Deserialize)]
pub struct People {
    /// Those who exist.
    pub people: Vec<Person>,
    /// The addresses without an account.
    pub unknown: Vec<Email>,
    /// The end of the UIDs of meetings in calendars. It tells this installation from others, and never changes.
    pub uid_domain: String,
}

/// What an invitation needs to know of a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// The id.
    pub id: Uuid,
    /// The public key.
    pub email: Email,
    /// The address as the user typed it: mail goes there.
    pub typed_email: String,
    /// The name.
    pub name: String,
    /// The zone in which the user reads times.
    pub time_zone: Zone,
}

/// The problem of a request that names people who have no account.
pub fn unknown_users(unknown: &[Email]) -> Problem {
    let names: Vec<&str> = unknown.iter().map(Email::as_str).collect();
    let detail = format!("no user has the address {}", list_names(&names));
    let unknown = unknown.iter().map(Email::to_string).collect();
    Problem { unknown, ..Problem::new(UNKNOWN_USER, detail) }
}

/// The problem of an account that must verify its mailbox first: another person may have registered it.
pub fn unverified() -> Problem {
    let detail =
        "follow the link in the mail that came when you registered; POST /api/auth/verification sends another one";
    Problem::new(UNVERIFIED, detail)
}

/// A client of the user role.
#[derive(Clone)]
pub struct UserClient(Peer);

impl UserClient {
    /// For one worker thread.
    pub fn new(context: &Context) -> UserClient {
        UserClient(Peer::new(context, ROLE))
    }

    /// The peer behind it.
    pub fn peer(&self) -> &Peer {
        &self.0
    }

    /// Looks many users up in one call.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn lookup<U: DeserializeOwned>(&self, request: &LookupRequest) -> Result<Lookup<U>, Problem> {
        self.0.call(RpcRequest::query_by_post("/internal/users/lookup", request)?).await
    }

    /// The address of the user whom a path names; by id only if the caller may read that user.
    ///
    /// # Errors
    /// 404 for an id that the caller may not read; what [`Peer::call`] says.
    pub async fn email_of(&self, user: UserKey) -> Result<Email, Problem> {
        #[derive(Deserialize)]
        struct Found {
            email: Email,
        }
        match user {
            UserKey::Email(email) => Ok(email),
            UserKey::Id(id) => Ok(self.0.call::<Found>(RpcRequest::get(format!("/users/{id}"))).await?.email),
        }
    }

    /// Looks up people who must all have an account.
    ///
    /// # Errors
    /// 404 that names the unknown ones; what [`Peer::call`] says.
    pub async fn people(&self, emails: &[Email]) -> Result<People, Problem> {
        let request = PeopleRequest { emails: emails.to_vec() };
        let found: People = self.0.call(RpcRequest::query_by_post("/internal/people", &request)?).await?;
        if found.unknown.is_empty() { Ok(found) } else { Err(unknown_users(&found.unknown)) }
    }
}
