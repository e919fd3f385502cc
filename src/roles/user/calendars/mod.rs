//! Calendars from elsewhere: files and subscriptions, of which only busy time is ever told.
//!
//! A calendar's text is kept, and its busy time of the months around now is worked out once, when it comes: what is asked for
//! a thousand people must not read a thousand texts. Later months are worked out from the text as they come near.

pub mod endpoints;
pub mod handlers;
mod import;
mod months;
pub mod refresh;
pub mod store;
