//! API keys: what apps and bots call with, in the name of an account.

pub mod endpoints;
pub mod handlers;
pub mod model;
pub mod store;
