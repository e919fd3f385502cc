//! API keys: apps and bots call with them on behalf of an account.

pub mod endpoints;
pub mod handlers;
pub mod model;
pub mod store;
