//! What the stores of this role share.

use super::api::ROLE;
use crate::config::{Auth, Settings};
use crate::platform::data::{DataOwner, Owner};

/// The tables of this role, and the settings that their rules need.
#[derive(Clone)]
pub struct Store {
    pub owner: Owner,
    pub auth: Auth,
}

impl Store {
    /// On the configured database; connects to nothing yet.
    pub fn open(settings: &Settings) -> anyhow::Result<Store> {
        Ok(Store { owner: Owner::open(settings, ROLE)?, auth: settings.auth.clone() })
    }
}

impl DataOwner for Store {
    fn owner(&self) -> &Owner {
        &self.owner
    }
}
