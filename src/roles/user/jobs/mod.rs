//! Jobs: what workers do for meetings, attempt by attempt.

pub mod handlers;
pub mod meters;
pub mod model;
pub mod order;
pub mod outcome;
pub mod rows;
pub mod store;
#[cfg(test)]
mod tests;
mod wake;
