//! What other roles see of the user role: its name, its wire types, and a client that speaks them.

use serde::{Deserialize, Serialize};

use crate::calendar::{Preference, Week, Zone, packed};
use crate::platform::call::Call;
use crate::platform::email::Email;
use crate::platform::peer::Peer;
use crate::platform::problem::Problem;
use crate::platform::role::Context;

/// Its name in the table of roles.
pub const ROLE: &str = "user";

/// Asks for many users at once.
#[derive(Debug, Serialize, Deserialize)]
pub struct LookupRequest {
    /// Whom; canonical addresses, each once.
    pub emails: Vec<Email>,
}

/// The answer to [`LookupRequest`], both lists in its order.
#[derive(Debug, Deserialize)]
pub struct Lookup {
    /// Those who exist.
    pub users: Vec<Card>,
    /// Those who do not.
    pub unknown: Vec<Email>,
}

/// What finding a time needs to know of a user: this much is read of the account as user keeps it.
#[derive(Debug, Deserialize)]
pub struct Card {
    /// The public key.
    pub email: Email,
    /// Which slot the user likes.
    pub preference: Preference,
    /// Where the week's wall clock hangs.
    pub time_zone: Zone,
    /// Grows with every change.
    pub version: i64,
    /// When the user can meet.
    #[serde(with = "packed")]
    pub availability: Week,
    /// When the user could, if it must be.
    #[serde(with = "packed", default)]
    pub if_needed: Week,
}

/// A client of the user role.
#[derive(Clone)]
pub struct Users(Peer);

impl Users {
    /// For one worker thread.
    pub fn new(context: &Context) -> Users {
        Users(Peer::new(context, ROLE))
    }

    /// The peer behind it.
    pub fn peer(&self) -> &Peer {
        &self.0
    }

    /// Looks many users up in one call.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn lookup(&self, emails: Vec<Email>) -> Result<Lookup, Problem> {
        self.0.call(Call::ask("/internal/users/lookup", &LookupRequest { emails })?).await
    }
}
