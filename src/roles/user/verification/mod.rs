//! E-mail verification and password reset, both by one-time codes that are sent by e-mail.

pub mod codes;
pub mod endpoints;
pub mod handlers;
mod pages;
pub mod store;
