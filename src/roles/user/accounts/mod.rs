//! Accounts: who there is and when they can meet.

pub mod handlers;
mod model;
pub mod standards;
pub mod store;
