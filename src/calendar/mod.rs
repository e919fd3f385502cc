//! The field's vocabulary and algorithms: weeks, zones, windows, ranking, iCalendar.
//!
//! Pure and deterministic: no I/O, no async, no clock. The same input (and seed) gives the same bytes.
//! A user stores a [`Week`]. A request searches a [`SearchWindow`]. A [`Projector`] turns the week of each attendee into a
//! [`Grid`] over that window, [`rank_slots`] chooses slots from the grids, and [`explain`] says why there are none.
//! `tests/calendar.rs` compares all of it with a brute-force reference model.
//!
//! [`time`] imports neither of the other two folders; [`ranking`] and [`icalendar`] import [`time`] alone.

pub mod icalendar;
pub mod ranking;
pub mod time;

pub use icalendar::{CalAddress, EventDetails, Invitation, Invitee, Method, Participation};
pub use ranking::{
    Attendance, Attendee, Blocker, DistinctBy, EmptyCode, EmptySearch, Explanation, Factor, NearMiss, Preference,
    Ranking, RankingOptions, Relaxation, Slot, count_starts, explain, free_count, list_names, rank_slots,
    select_optional_attendees, unknown_attendees,
};
pub use time::{
    Day, Fault, Format, FormattedWeek, Grid, Overrides, Projector, SearchWindow, Week, WindowError, YEARS, Zone,
    ZoneError, base64_week, describe_json, format_minutes, iso_week, parse_week, pointer_segment, truncate_for_message,
    week_to_json,
};
