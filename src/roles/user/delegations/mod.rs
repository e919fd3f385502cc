//! Delegations: a user allows the API keys of a bot's account to act on their behalf.

pub mod endpoints;
mod handlers;
mod model;
pub mod store;
