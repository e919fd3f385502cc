//! Accounts: who there is and when they can meet.

mod deletion;
pub mod endpoints;
pub mod export;
pub mod handlers;
pub mod model;
pub mod standards;
pub mod store;
