//! A delegation, and the request for a new one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::calendar::Fault;
use crate::platform::auth::{Scope, forbidden};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, email, one_of};
use crate::platform::http::problem::Problem;

/// The most delegations of one user, and of the installation.
pub const MAX_DELEGATIONS: i64 = 50;

/// The users for whom a bot may act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DelegationScope {
    /// For the account that allows it.
    #[default]
    Account,
    /// For all users. Only administrators allow that.
    Installation,
}

/// A new delegation.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDelegation {
    /// The account whose API keys may act.
    pub actor: Email,
    /// The default is `account`.
    #[schema(value_type = Option<DelegationScope>)]
    pub scope: DelegationScope,
}

impl NewDelegation {
    /// Reads the body of a `POST` by an account with these rights.
    pub fn read(body: Value, rights: Scope) -> Result<NewDelegation, Problem> {
        let mut fields = Params::of_body(body)?;
        let actor = fields.required("actor", email);
        let names = [("account", DelegationScope::Account), ("installation", DelegationScope::Installation)];
        let scope = fields.optional("scope", one_of("not_a_scope", names)).unwrap_or_default();
        let actor = fields.finish(actor)?;
        match scope {
            DelegationScope::Installation if rights < Scope::Admin => Err(forbidden(
                "only administrators let a bot act for all users; leave out scope to allow it for yourself",
            )),
            _ => Ok(NewDelegation { actor, scope }),
        }
    }
}

/// A delegation.
#[derive(Serialize, ToSchema)]
pub struct Delegation {
    /// The id.
    pub id: Uuid,
    /// The account whose API keys may act.
    pub actor: Email,
    /// For whom.
    pub scope: DelegationScope,
    /// When it was allowed.
    pub created_at: Timestamp,
    /// Exact to one hour.
    pub last_used_at: Option<Timestamp>,
}

/// The delegations of an account and of the installation, the oldest first.
#[derive(Serialize, ToSchema)]
pub struct Delegations {
    /// The delegations.
    pub delegations: Vec<Delegation>,
}

/// The problem of an account that cannot get a delegation.
pub fn not_an_actor(code: &'static str, detail: &'static str) -> Problem {
    Problem::validation(vec![Fault::new("#/actor", code, detail)])
}

/// The problem of an account that has the most delegations.
pub fn limit_reached() -> Problem {
    let detail = format!("there are at most {MAX_DELEGATIONS} delegations: delete one that is no longer used");
    Problem::validation(vec![Fault::new("#", "too_many", detail)])
}
