//! The problem types of meetings.

use crate::platform::http::problem::problem_types;
pub use crate::roles::user::api::problems::UNVERIFIED;

problem_types! {
    SLOT_TAKEN           "slot-taken"           409 "The time is taken by another meeting"
    MEETING_OVER         "meeting-over"         409 "The meeting is cancelled"
    UNKNOWN_MEETING      "unknown-meeting"      404 "There is no such meeting"
}
