//! Accounts: who there is and when they can meet.

pub mod export;
mod farewell;
pub mod handlers;
pub mod model;
pub mod standards;
pub mod store;
