//! What other roles see of the reservation role: its name, its wire types, and a client that speaks them.

pub mod jobs;
pub mod meetings;
#[expect(dead_code, reason = "the fields of requests are parsed one by one")]
pub mod openapi;
pub mod problems;
pub mod views;

use actix_web::http::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::platform::email::Email;
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::Problem;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;
use crate::roles::user::api::{Busy, ByPerson, busy_by_person};
use meetings::{Period, ScheduledMeeting};

/// Its name in the table of roles.
pub const ROLE: &str = "reservation";

/// Asks for the time that meetings hold of some people.
#[derive(Debug, Serialize, Deserialize)]
pub struct HeldTimeRequest {
    /// Canonical addresses, each once.
    pub emails: Vec<Email>,
    /// The period that is searched.
    pub period: Period,
    /// A meeting whose time is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Uuid>,
}

/// The answer to [`HeldTimeRequest`], as the role writes it.
#[derive(Serialize)]
pub struct HeldTime<'a> {
    /// The time that is held.
    pub busy: ByPerson<'a>,
}

/// The answer to [`HeldTimeRequest`], as a caller reads it.
#[derive(Debug, Deserialize)]
struct FoundTime {
    #[serde(deserialize_with = "busy_by_person")]
    busy: Vec<Busy>,
}

/// Asks which of some people have accepted a coming meeting of the caller. The answer is a list of addresses.
#[derive(Debug, Serialize, Deserialize)]
pub struct AcceptedRequest {
    /// Canonical addresses, each once.
    pub emails: Vec<Email>,
}

/// A client of the reservation role.
#[derive(Clone)]
pub struct ReservationClient(Peer);

impl ReservationClient {
    /// For one worker thread.
    pub fn new(context: &Context) -> ReservationClient {
        ReservationClient(Peer::new(context, ROLE))
    }

    /// The peer behind it.
    pub fn peer(&self) -> &Peer {
        &self.0
    }

    /// The time that meetings hold of these people, in one call.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn held_time(&self, request: &HeldTimeRequest) -> Result<Vec<Busy>, Problem> {
        let found: FoundTime = self.0.call(RpcRequest::query_by_post("/internal/holds/lookup", request)?).await?;
        Ok(found.busy)
    }

    /// Those of these people who have accepted a coming meeting of the caller.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn find_accepted(&self, emails: Vec<Email>) -> Result<Vec<Email>, Problem> {
        self.0.call(RpcRequest::query_by_post("/internal/accepted", &AcceptedRequest { emails })?).await
    }

    /// The response that was given under a key before, if there was one.
    ///
    /// # Errors
    /// 422 when the key came with another body; what [`Peer::call`] says.
    pub async fn answered(&self, key: &IdempotencyKey) -> Result<Option<StoredResponse>, Problem> {
        self.0.call(RpcRequest::query_by_post("/internal/answers", key)?).await
    }

    /// Records a meeting whose time is found; gives the response for the caller.
    ///
    /// # Errors
    /// 409 when another meeting has taken the time; what [`Peer::call`] says.
    pub async fn record(&self, meeting: &ScheduledMeeting) -> Result<StoredResponse, Problem> {
        self.0.call(RpcRequest::new(Method::POST, "/internal/meetings").json(meeting)?).await
    }
}
