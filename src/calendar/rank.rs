//! Choosing slots: the question, the rules of the pick, the answer.

use super::chooser::Chooser;
use super::frame::Frame;
use super::grid::Grid;
use super::group::Group;
use super::zone::Zone;
use serde::{Deserialize, Serialize};
use std::ops::Range;

pub use super::preference::Preference;

/// One who is to come.
#[derive(Clone, Debug)]
pub struct Attendee {
    /// Which slot they like.
    pub preference: Preference,
    /// Whether the meeting needs them.
    pub attendance: Attendance,
    /// How much it counts that they can come, 1..=9; what lies outside counts as the nearest.
    pub weight: u32,
    /// Where their clock hangs; without it, no hour is too early or too late for them.
    pub zone: Option<Zone>,
    /// The quarters of the frame in which they can meet.
    pub free: Grid,
    /// Those in which they can but would rather not; may be left at its default.
    pub if_needed: Grid,
}

impl Default for Attendee {
    /// One who is required, of weight 1, who can never come.
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

/// Whether a meeting needs somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attendance {
    /// It cannot be without them.
    #[default]
    Required,
    /// It is better with them.
    Optional,
}

/// What the slots of one answer must not share, besides time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distinct {
    /// Nothing else.
    #[default]
    Slot,
    /// The run of starting times they are taken from: two slots of one free morning are one suggestion.
    Block,
    /// The date, or the day of the typical week, on which they start on the frame's wall clock.
    Day,
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// How to pick; `None` leaves it to the attendees' own preferences.
    pub pick: Option<Preference>,
    /// Feeds every random draw; the same seed draws the same slots on every machine.
    pub seed: u64,
    /// Length of a slot in quarters; 0 counts as 1.
    pub duration: usize,
    /// Slots start on multiples of this many quarters (1, 2 or 4) past the hour.
    pub step: usize,
    /// How many slots at most; `None` for the pick's own default.
    pub limit: Option<usize>,
    /// So many of all attendees must be able to come; `None` leaves it at those who are required.
    pub quorum: Option<usize>,
    /// What the slots must not share.
    pub distinct: Distinct,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The slots, best first in the order of the pick; none overlaps another.
    pub slots: Vec<Slot>,
    /// The pick that was used; `None` if the attendees' preferences differ and each chose one slot.
    pub pick: Option<Preference>,
    /// Whether a slot was drawn at random, so that the seed matters.
    pub random_used: bool,
    /// The longest run of quarters in which all who are required can come; 0 if nobody is.
    pub longest_common: usize,
}

/// One slot of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its quarters in the frame.
    pub quarters: Range<usize>,
    /// The preference that chose it.
    pub pick: Preference,
    /// Higher is better; below 2^53; comparable within one answer.
    pub score: u64,
    /// What the score is the sum of, highest tier first.
    pub factors: Vec<Factor>,
}

/// One part of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Factor {
    /// `free`, `if_needed`, `fairness` (left out where no clocks differ), `preference` or `time`.
    pub name: &'static str,
    /// What it adds to the score.
    pub value: u64,
}

/// Chooses slots to which all who are required can come, and with a quorum at least so many; at least one in any case.
///
/// Who has an `if_needed` is asked to come by it only if it must be: `first`, `last` and `random` choose among the candidates
/// with the fewest who would have to, and `best` puts it right after how many can come.
pub fn suggest(frame: &Frame, attendees: &[Attendee], ask: &Ask) -> Choice {
    let group = Group::new(frame, attendees, ask, None);
    let common = group.common();
    let longest = common.runs().map(|run| run.len()).max().unwrap_or(0);
    let mut chooser = Chooser::new(frame, &group, &common, ask);
    let mut preferences: Vec<Preference> = Vec::new();
    for attendee in attendees {
        if !preferences.contains(&attendee.preference) {
            preferences.push(attendee.preference);
        }
    }
    let pick = match (ask.pick, preferences.as_slice()) {
        (Some(pick), _) => Some(pick),
        (None, []) => Some(Preference::default()),
        (None, [shared]) => Some(*shared),
        (None, _) => None,
    };
    let slots: Vec<Slot> = match pick {
        Some(pick) => {
            std::iter::from_fn(|| chooser.next(pick)).take(ask.limit.unwrap_or(pick.default_limit())).collect()
        }
        None => preferences
            .into_iter()
            .filter_map(|preference| chooser.next(preference))
            .take(ask.limit.unwrap_or(usize::MAX))
            .collect(),
    };
    Choice {
        random_used: slots.iter().any(|slot| slot.pick == Preference::Random),
        slots,
        pick,
        longest_common: if group.required == 0 { 0 } else { longest },
    }
}

/// Which of those who come if it suits them can come to a slot that suits all before them: by their places in `optional`, who
/// stands first is asked first. `required` are the free quarters of those who must come.
pub fn who_else_can_come(required: &[Grid], optional: &[Grid], duration: usize) -> Vec<usize> {
    let Some((first, rest)) = required.split_first() else { return (0..optional.len()).collect() };
    let mut common = first.clone();
    rest.iter().for_each(|free| common.and(free));
    let mut come = Vec::new();
    for (at, free) in optional.iter().enumerate() {
        let mut with = common.clone();
        with.and(free);
        if !with.starts(duration).is_empty() {
            common = with;
            come.push(at);
        }
    }
    come
}

#[cfg(test)]
mod tests {
    use super::{Ask, Attendee, Choice, Frame, Grid, Preference, suggest, who_else_can_come};
    use jiff::civil::date;

    fn attendee(preference: Preference, free: &[(usize, usize)]) -> Attendee {
        let mut grid = Grid::empty(672);
        free.iter().for_each(|run| grid.insert(run.0..run.1));
        Attendee { preference, free: grid, ..Attendee::default() }
    }

    fn chosen(attendees: &[Attendee], ask: Ask) -> Choice {
        suggest(&Frame::typical_week(None, date(2026, 1, 1)), attendees, &ask)
    }

    fn starts(choice: &Choice) -> Vec<usize> {
        choice.slots.iter().map(|slot| slot.quarters.start).collect()
    }

    /// One hour, on any quarter.
    fn hour(pick: Option<Preference>, limit: Option<usize>) -> Ask {
        Ask { pick, limit, duration: 4, step: 1, ..Ask::default() }
    }

    #[test]
    fn slots_of_one_answer_do_not_overlap() {
        let one = [attendee(Preference::First, &[(10, 20), (30, 34)])];
        let first = chosen(&one, hour(Some(Preference::First), Some(9)));
        assert_eq!(starts(&first), [10, 14, 30]);
        let last = chosen(&one, hour(Some(Preference::Last), Some(9)));
        assert_eq!(starts(&last), [30, 16, 12]);
        assert_eq!(first.longest_common, 10);
        assert!(!first.random_used);
    }

    #[test]
    fn equal_preferences_are_the_pick_with_its_own_limit() {
        let two = |preference| [attendee(preference, &[(0, 80)]), attendee(preference, &[(8, 90)])];
        let best = chosen(&two(Preference::Best), hour(None, None));
        assert_eq!((best.pick, starts(&best)), (Some(Preference::Best), vec![8, 12, 16, 20, 24]));
        let last = chosen(&two(Preference::Last), hour(None, None));
        assert_eq!((last.pick, starts(&last)), (Some(Preference::Last), vec![76]));
    }

    #[test]
    fn different_preferences_choose_one_slot_each_in_order_of_appearance() {
        let wishes = [Preference::Last, Preference::First, Preference::Last];
        let people = wishes.map(|wish| attendee(wish, &[(36, 48)]));
        let choice = chosen(&people, hour(None, None));
        assert_eq!((choice.pick, starts(&choice)), (None, vec![44, 36]));
        assert_eq!(starts(&chosen(&people, hour(None, Some(1)))), [44]);
        // The only slot is chosen once.
        let people = wishes.map(|wish| attendee(wish, &[(36, 41)]));
        assert_eq!(starts(&chosen(&people, hour(None, None))), [37]);
    }

    #[test]
    fn random_slots_follow_from_the_seed_on_every_machine() {
        let one = [attendee(Preference::Random, &[(0, 400)])];
        let drawn = |seed| starts(&chosen(&one, Ask { seed, ..hour(None, Some(4)) }));
        assert_eq!(drawn(7), DRAWN_BY_7);
        assert_ne!(drawn(8), DRAWN_BY_7);
        assert!(chosen(&one, hour(None, None)).random_used);
    }

    /// Never to change: answers are repeated by their seed.
    const DRAWN_BY_7: [usize; 4] = [150, 274, 333, 389];

    #[test]
    fn best_weighs_what_people_prefer_before_what_is_early() {
        let three = [Preference::Last, Preference::Last, Preference::First];
        let people = three.map(|wish| attendee(wish, &[(0, 100)]));
        let choice = chosen(&people, hour(Some(Preference::Best), Some(1)));
        assert_eq!(starts(&choice), [96]);
        let slot = &choice.slots[0];
        let factors = slot.factors.iter().map(|factor| (factor.name, factor.value));
        let expected = [("free", 300_000_000_000), ("if_needed", 0), ("preference", 660_000), ("time", 575)];
        assert_eq!(factors.collect::<Vec<_>>(), expected);
        assert_eq!(slot.score, 300_000_660_575);
    }

    #[test]
    fn without_people_or_common_time_there_is_no_slot() {
        let nobody = chosen(&[], hour(None, None));
        assert_eq!((nobody.slots.len(), nobody.longest_common), (0, 0));
        let never = [(0, 50), (60, 90)].map(|free| attendee(Preference::Best, &[free]));
        assert!(chosen(&never, hour(None, None)).slots.is_empty());
        let too_long = Ask { duration: usize::MAX, ..hour(None, None) };
        assert!(chosen(&never[..1], too_long).slots.is_empty());
    }

    #[test]
    fn who_comes_if_it_suits_comes_if_it_suits_those_before_them() {
        let grid = |range: std::ops::Range<usize>| {
            let mut grid = Grid::empty(96);
            grid.insert(range);
            grid
        };
        let required = [grid(0..40), grid(20..60)];
        let optional = [grid(50..96), grid(30..96), grid(0..31), grid(34..38)];
        assert_eq!(who_else_can_come(&required, &optional, 4), [1, 3]);
        assert_eq!(who_else_can_come(&required, &optional, 5), [1]);
        assert_eq!(who_else_can_come(&[], &optional, 4), [0, 1, 2, 3]);
    }
}
