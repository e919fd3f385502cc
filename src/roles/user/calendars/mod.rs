//! Imported calendars: uploaded files and subscriptions. Only their busy time is ever disclosed.
//!
//! An import expands the busy time of the next months and stores it by month, so that a search over many users reads no calendar
//! text. The text is stored too: later months are expanded from it as they come near.

mod busy_month;
pub mod endpoints;
pub mod handlers;
mod import;
pub mod refresh;
pub mod store;
