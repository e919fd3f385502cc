//! What only a mailbox can show: that an account is its owner's, and that a forgotten password may be set anew.

pub mod codes;
pub mod endpoints;
pub mod handlers;
mod pages;
pub mod store;
