//! Jobs: what workers do for meetings, attempt by attempt.

mod due;
pub mod handlers;
pub mod metrics;
pub mod model;
pub mod order;
pub mod outcome;
pub mod rows;
pub mod store;
#[cfg(test)]
mod tests;
