//! What the stores of this role share.

use super::api::ROLE;
use crate::config::{Auth, Invitations, Settings};
use crate::platform::data::{DataOwner, Owner};

/// The tables of this role, and the settings that their rules need.
#[derive(Clone)]
pub struct Store {
    pub owner: Owner,
    pub auth: Auth,
    pub invitations: Invitations,
}

impl Store {
    /// On the configured database; connects to nothing yet.
    pub fn open(settings: &Settings) -> anyhow::Result<Store> {
        let owner = Owner::open(settings, ROLE)?;
        Ok(Store { owner, auth: settings.auth.clone(), invitations: settings.invitations.clone() })
    }
}

impl DataOwner for Store {
    fn owner(&self) -> &Owner {
        &self.owner
    }
}
