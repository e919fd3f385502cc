//! The input and the output of a ranking.

use super::preference::Preference;
use crate::calendar::time::{Grid, Zone};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// One attendee of the meeting.
#[derive(Clone, Debug)]
pub struct Attendee {
    /// Which slot the attendee likes.
    pub preference: Preference,
    /// Whether the meeting needs the attendee.
    pub attendance: Attendance,
    /// How much it counts that the attendee can come, 1..=9. A value outside counts as the nearest.
    pub weight: u32,
    /// The time zone of the attendee. Without one, no hour is too early or too late for them.
    pub zone: Option<Zone>,
    /// The quarters of the search window in which the attendee can meet.
    pub free: Grid,
    /// The quarters in which the attendee can meet but prefers not to. The default means none.
    pub if_needed: Grid,
}

impl Default for Attendee {
    /// A required attendee of weight 1 who can never come.
    fn default() -> Attendee {
        Attendee {
            preference: Preference::default(),
            attendance: Attendance::default(),
            weight: 1,
            zone: None,
            free: Grid::default(),
            if_needed: Grid::default(),
        }
    }
}

/// Whether a meeting needs an attendee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Attendance {
    /// There is no meeting without the attendee.
    #[default]
    Required,
    /// The meeting is better with the attendee.
    Optional,
}

impl Attendance {
    /// Whether there is no meeting without the attendee.
    pub fn is_required(&self) -> bool {
        *self == Attendance::Required
    }
}

/// What two slots of one answer must not share, besides time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DistinctBy {
    /// Nothing else.
    #[default]
    Slot,
    /// The run of candidate starts that they are taken from: two slots of one free morning are one suggestion.
    Block,
    /// The date, or the day of the typical week, on which they start on the wall clock of the search window.
    Day,
}

/// The options of a ranking.
#[derive(Clone, Debug, Default)]
pub struct RankingOptions {
    /// How to pick slots; `None` leaves it to the attendees' own preferences.
    pub pick: Option<Preference>,
    /// The seed of every random choice. The same seed gives the same slots on every machine.
    pub seed: u64,
    /// Length of a slot in quarters; 0 counts as 1.
    pub duration: usize,
    /// Slots start on multiples of this many quarters (1, 2 or 4) past the hour.
    pub step: usize,
    /// The maximum number of slots; `None` for the default of the pick.
    pub limit: Option<usize>,
    /// How many of all attendees must be able to come; `None` demands the required attendees alone.
    pub quorum: Option<usize>,
    /// What two slots must not share.
    pub distinct: DistinctBy,
}

impl RankingOptions {
    /// How many attendees must be able to come. A meeting needs at least one.
    pub fn min_attendees(&self) -> usize {
        self.quorum.unwrap_or(0).max(1)
    }
}

/// The result of a ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// The slots, best first in the order of the pick. None overlaps another.
    pub slots: Vec<Slot>,
    /// The pick that was used; `None` if the attendees' preferences differ and each of them picked one slot.
    pub pick: Option<Preference>,
    /// Whether a slot was picked at random, so that the seed matters.
    pub random_used: bool,
    /// The longest run of quarters in which all required attendees can come; 0 if there are none.
    pub longest_common: usize,
}

/// One slot of a ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The quarters of the slot in the search window.
    pub quarters: Range<usize>,
    /// The preference that picked the slot.
    pub pick: Preference,
    /// Higher is better. It is below 2^53, and comparable within one answer.
    pub score: u64,
    /// The terms whose sum is the score, highest tier first.
    pub factors: Vec<Factor>,
}

/// One term of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Factor {
    /// `free`, `if_needed`, `fairness` (left out where all clocks show the same time), `preference` or `time`.
    pub name: &'static str,
    /// What it adds to the score.
    pub value: u64,
}
