//! W2Meet: who can meet when, which slot is best, and why. One executable, several roles; see docs/ARCHITECTURE.md.

pub mod calendar;
pub mod cli;
pub mod client;
pub mod config;
pub mod launch;
pub mod platform;
pub mod roles;
