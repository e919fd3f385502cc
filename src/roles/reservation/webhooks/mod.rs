//! The webhooks of an account: URLs that are told of every meeting of the account, and of every reply.
//!
//! The transaction that changes a meeting also writes the event, and a job for each webhook that receives it.

pub mod endpoints;
mod events;
mod handlers;
pub mod model;
pub mod store;
