//! The field's vocabulary and algorithms: weeks, zones, frames, counting, choosing.
//!
//! Pure and deterministic: no I/O, no async, no clock; the same input (and seed) gives the same bytes.
//! The way through it: a [`Week`] is what a user stores, a [`Frame`] is what is searched, its
//! [`Projector`] turns each attendee's week into a [`Grid`] over the frame, [`heat`] counts grids and
//! [`rank`] chooses slots. `tests/calendar.rs` holds all of it against a brute-force twin.

mod bits;
mod chooser;
mod clock;
mod clockwork;
mod counter;
pub mod day;
pub mod explain;
mod fairness;
pub mod fault;
pub mod frame;
mod frame_clock;
pub mod grid;
mod group;
pub mod heat;
pub mod invitation;
mod local;
pub mod overrides;
mod preference;
mod projector;
pub mod rank;
mod score;
pub mod standards;
mod tally;
mod turnout;
pub mod week;
pub mod week_format;
mod week_reading;
mod window;
pub mod zone;

pub use day::Day;
pub use explain::{Blocker, Explanation, Miss, Relaxation, count, explain};
pub use fault::Fault;
pub use frame::{Frame, Projector, WindowError, iso_week};
pub use grid::Grid;
pub use heat::{common, free_count};
pub use invitation::{Guest, Invitation, Method, Participation, Person};
pub use overrides::Overrides;
pub use rank::{Ask, Attendance, Attendee, Choice, Distinct, Factor, Preference, Slot, suggest, who_else_can_come};
pub use week::{Week, packed};
pub use week_format::{Days, Format, days, parse as parse_week};
pub use window::YEARS;
pub use zone::{Zone, ZoneError};
