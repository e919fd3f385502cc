//! The table of roles. To add one: a folder here with a `ROLE`, its two lines below, `migrations/<role>/` if it owns tables,
//! its section in `config/default.toml`, and one test file.

pub mod availability;
pub mod gateway;
pub mod reservation;
pub mod suggestion;
pub mod user;
pub mod worker;

use crate::platform::role::Role;

/// Every role there is. In `all` they start in this order, and stop in the reverse one.
pub static ALL: &[Role] =
    &[user::ROLE, reservation::ROLE, availability::ROLE, suggestion::ROLE, worker::ROLE, gateway::ROLE];

/// The role of this name.
pub fn find(name: &str) -> Option<&'static Role> {
    ALL.iter().find(|role| role.name == name)
}
