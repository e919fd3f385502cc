//! Meetings: what people want to have arranged.

pub mod access;
pub mod changes;
mod flood;
pub mod forgetting;
pub mod handlers;
pub mod model;
pub mod participation;
pub mod request;
pub mod rows;
pub mod store;
