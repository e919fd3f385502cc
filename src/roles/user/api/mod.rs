//! What other roles see of the user role: its name, its wire types, and a client that speaks them.

pub mod access;
mod busy;
pub mod calendars;
pub mod jobs;
pub mod letters;
pub mod meetings;
pub mod openapi;
pub mod problems;

use actix_web::http::Method;
use serde::{Deserialize, Serialize};

pub use busy::{Busy, ByPerson};

use crate::calendar::{Overrides, Preference, Week, Zone, base64_week};
use crate::platform::email::Email;
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::Problem;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// Its name in the table of roles.
pub const ROLE: &str = "user";

/// Asks for many users at once.
#[derive(Debug, Serialize, Deserialize)]
pub struct LookupRequest {
    /// Whom; canonical addresses, each once.
    pub emails: Vec<Email>,
    /// The time for which it is asked when they are busy; not asked if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy_in: Option<meetings::Period>,
}

/// The answer to [`LookupRequest`], both lists in its order.
#[derive(Debug, Deserialize)]
pub struct Lookup {
    /// Those who exist.
    pub users: Vec<UserAvailability>,
    /// Those who do not.
    pub unknown: Vec<Email>,
    /// When they cannot meet, whatever their week says; in no order.
    #[serde(default, deserialize_with = "busy::by_person")]
    pub busy: Vec<Busy>,
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
    pub async fn lookup(&self, request: &LookupRequest) -> Result<Lookup, Problem> {
        self.0.call(RpcRequest::query_by_post("/internal/users/lookup", request)?).await
    }

    /// What was answered under a key before, if anything was.
    ///
    /// # Errors
    /// 422 when the key came with another body; what [`Peer::call`] says.
    pub async fn answered(&self, key: &IdempotencyKey) -> Result<Option<StoredResponse>, Problem> {
        self.0.call(RpcRequest::query_by_post("/internal/answers", key)?).await
    }

    /// Records a meeting whose time is found; gives what the caller is to be answered.
    ///
    /// # Errors
    /// 409 when another meeting has taken the time; what [`Peer::call`] says.
    pub async fn record(&self, found: &meetings::ScheduledMeeting) -> Result<StoredResponse, Problem> {
        self.0.call(RpcRequest::new(Method::POST, "/internal/meetings").json(found)?).await
    }
}
