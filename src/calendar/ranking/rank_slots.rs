//! Ranks slots: picks them by the rules of the request, and reports which optional attendees can come.

use super::attendee_set::AttendeeSet;
use super::preference::Preference;
use super::slot_picker::SlotPicker;
use super::types::{Attendee, Ranking, RankingOptions, Slot};
use crate::calendar::time::{Grid, SearchWindow};

/// Picks slots to which all required attendees can come, at least the quorum, and at least one attendee.
///
/// An attendee comes in `if_needed` time only if there is no better slot: `first`, `last` and `random` pick among the candidates
/// at which the fewest attendees must use it, and in the score of `best` it ranks right after the number of attendees.
pub fn rank_slots(window: &SearchWindow, attendees: &[Attendee], options: &RankingOptions) -> Ranking {
    let set = AttendeeSet::new(window, attendees, options, None);
    let common = set.common();
    let longest = common.runs().map(|run| run.len()).max().unwrap_or(0);
    let mut picker = SlotPicker::new(window, &set, &common, options);
    let mut preferences: Vec<Preference> = Vec::new();
    for attendee in attendees {
        if !preferences.contains(&attendee.preference) {
            preferences.push(attendee.preference);
        }
    }
    let pick = match (options.pick, preferences.as_slice()) {
        (Some(pick), _) => Some(pick),
        (None, []) => Some(Preference::default()),
        (None, [shared]) => Some(*shared),
        (None, _) => None,
    };
    let slots: Vec<Slot> = match pick {
        Some(pick) => {
            let limit = options.limit.unwrap_or(pick.default_limit());
            std::iter::from_fn(|| picker.next(pick)).take(limit).collect()
        }
        None => {
            let slots = preferences.into_iter().filter_map(|preference| picker.next(preference));
            slots.take(options.limit.unwrap_or(usize::MAX)).collect()
        }
    };
    Ranking {
        random_used: slots.iter().any(|slot| slot.pick == Preference::Random),
        slots,
        pick,
        longest_common: if set.required == 0 { 0 } else { longest },
    }
}

/// The indices of the optional attendees for whom there is still a common slot if they come, in the order of the list: an earlier
/// one has precedence. `required` and `optional` are the free quarters of the attendees.
pub fn select_optional_attendees(required: &[Grid], optional: &[Grid], duration: usize) -> Vec<usize> {
    let Some((first, rest)) = required.split_first() else { return (0..optional.len()).collect() };
    let mut common = first.clone();
    rest.iter().for_each(|free| common.and(free));
    let mut selected = Vec::new();
    for (index, free) in optional.iter().enumerate() {
        let mut with = common.clone();
        with.and(free);
        if !with.starts(duration).is_empty() {
            common = with;
            selected.push(index);
        }
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::{
        Attendee, Grid, Preference, Ranking, RankingOptions, SearchWindow, rank_slots, select_optional_attendees,
    };
    use jiff::civil::date;

    fn attendee(preference: Preference, free: &[(usize, usize)]) -> Attendee {
        let mut grid = Grid::empty(672);
        free.iter().for_each(|run| grid.insert(run.0..run.1));
        Attendee { preference, free: grid, ..Attendee::default() }
    }

    fn ranked(attendees: &[Attendee], options: RankingOptions) -> Ranking {
        rank_slots(&SearchWindow::typical_week(None, date(2026, 1, 1)), attendees, &options)
    }

    fn starts(ranking: &Ranking) -> Vec<usize> {
        ranking.slots.iter().map(|slot| slot.quarters.start).collect()
    }

    /// One hour, on any quarter.
    fn hour(pick: Option<Preference>, limit: Option<usize>) -> RankingOptions {
        RankingOptions { pick, limit, duration: 4, step: 1, ..RankingOptions::default() }
    }

    #[test]
    fn random_slots_follow_from_the_seed_on_every_machine() {
        let one = [attendee(Preference::Random, &[(0, 400)])];
        let drawn = |seed| starts(&ranked(&one, RankingOptions { seed, ..hour(None, Some(4)) }));
        assert_eq!(drawn(7), DRAWN_BY_7);
        assert_ne!(drawn(8), DRAWN_BY_7);
        assert!(ranked(&one, hour(None, None)).random_used);
    }

    /// Never change it: clients repeat an answer by its seed.
    const DRAWN_BY_7: [usize; 4] = [150, 274, 333, 389];

    #[test]
    fn best_ranks_preferences_before_early_starts() {
        let three = [Preference::Last, Preference::Last, Preference::First];
        let people = three.map(|preference| attendee(preference, &[(0, 100)]));
        let ranking = ranked(&people, hour(Some(Preference::Best), Some(1)));
        assert_eq!(starts(&ranking), [96]);
        let slot = &ranking.slots[0];
        let factors = slot.factors.iter().map(|factor| (factor.name, factor.value));
        let expected = [("free", 300_000_000_000), ("if_needed", 0), ("preference", 660_000), ("time", 575)];
        assert_eq!(factors.collect::<Vec<_>>(), expected);
        assert_eq!(slot.score, 300_000_660_575);
    }

    #[test]
    fn without_people_or_common_time_there_is_no_slot() {
        let none = ranked(&[], hour(None, None));
        assert_eq!((none.slots.len(), none.longest_common), (0, 0));
        let never = [(0, 50), (60, 90)].map(|free| attendee(Preference::Best, &[free]));
        assert!(ranked(&never, hour(None, None)).slots.is_empty());
        let too_long = RankingOptions { duration: usize::MAX, ..hour(None, None) };
        assert!(ranked(&never[..1], too_long).slots.is_empty());
    }

    #[test]
    fn an_optional_attendee_is_selected_if_a_slot_remains_with_those_before() {
        let grid = |range: std::ops::Range<usize>| {
            let mut grid = Grid::empty(96);
            grid.insert(range);
            grid
        };
        let required = [grid(0..40), grid(20..60)];
        let optional = [grid(50..96), grid(30..96), grid(0..31), grid(34..38)];
        assert_eq!(select_optional_attendees(&required, &optional, 4), [1, 3]);
        assert_eq!(select_optional_attendees(&required, &optional, 5), [1]);
        assert_eq!(select_optional_attendees(&[], &optional, 4), [0, 1, 2, 3]);
    }
}
