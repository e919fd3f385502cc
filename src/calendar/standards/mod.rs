//! What other calendars write and read (RFC 5545, 7953; Graph's view strings), from weeks and grids and back.

pub mod availability;
mod availability_reading;
pub mod content;
pub mod free_busy;
pub mod lines;
mod reading;
mod time_zone;
pub mod view;

pub use availability::Availability;
pub use availability_reading::{Unreadable, parse as parse_availability};
pub use free_busy::FreeBusy;
pub use view::Graded;
