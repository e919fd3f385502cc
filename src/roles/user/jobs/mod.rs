//! Jobs: what workers do for meetings, attempt by attempt.

pub mod handlers;
pub mod model;
pub mod order;
pub mod rows;
pub mod store;
mod wake;
