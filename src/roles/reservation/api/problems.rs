//! The problem types of meetings.

use crate::platform::http::problem::problem_types;
pub use crate::roles::user::api::problems::UNVERIFIED;

/// Why a given time is refused. Whether a meeting or a calendar takes the time is nobody's business.
pub const BUSY: &str = "a required attendee is busy at this time";

problem_types! {
    SLOT_TAKEN           "slot-taken"           409 "The time is taken"
    MEETING_OVER         "meeting-over"         409 "The meeting is cancelled"
    UNKNOWN_MEETING      "unknown-meeting"      404 "There is no such meeting"
}
