//! Ranking: from the attendees' grids to slots with scores, or to the reasons why there are none.

mod attendance_counts;
mod attendee_set;
mod bit_counter;
mod empty_reason;
mod explanation;
mod free_count;
mod preference;
mod rank_slots;
mod scorer;
mod slot_picker;
mod time_zone_fairness;
mod types;

pub use empty_reason::{EmptyCode, EmptySearch, list_names, unknown_attendees};
pub use explanation::{Blocker, Explanation, NearMiss, Relaxation, count_starts, explain};
pub use free_count::free_count;
pub use preference::Preference;
pub use rank_slots::{rank_slots, select_optional_attendees};
pub use types::{Attendance, Attendee, DistinctBy, Factor, Ranking, RankingOptions, Slot};
