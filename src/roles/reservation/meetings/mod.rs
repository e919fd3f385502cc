//! Meetings: what people want to have arranged.

pub mod access;
pub mod anonymize;
pub mod changes;
pub mod endpoints;
pub mod handlers;
pub mod hold_limit;
pub mod mails;
pub mod model;
pub mod notices;
mod page;
pub mod participation;
pub mod request;
pub mod rows;
mod standing;
pub mod store;
