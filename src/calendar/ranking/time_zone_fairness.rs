//! How early or late a slot is on the clocks of the attendees who can come to it.

use super::attendee_set::AttendeeSet;
use crate::calendar::time::week::{QUARTERS_PER_DAY, QUARTERS_PER_WEEK};
use crate::calendar::time::zone_mapping::{WallClockBits, ZoneMapping};
use crate::calendar::time::{Grid, SearchWindow, Week, Zone};
use std::array::from_fn;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The points of each hour of a day. From 09:00 to 17:00 it has nine. Each later hour costs one point, each earlier one two, and
/// the night has none.
const POINTS: [usize; 24] = [1, 0, 0, 0, 0, 1, 3, 5, 7, 9, 9, 9, 9, 9, 9, 9, 9, 8, 7, 6, 5, 4, 3, 2];
const MAX_POINTS: usize = 9;

/// For 1 to 9 points, the hours that have at least that many.
static HOURS: LazyLock<[WallClockBits<[u64; 12]>; MAX_POINTS]> = LazyLock::new(|| {
    from_fn(|level| {
        let mut week = Week::EMPTY;
        for quarter in 0..QUARTERS_PER_WEEK {
            if POINTS[quarter % QUARTERS_PER_DAY / 4] > level {
                week.insert(quarter..quarter + 1);
            }
        }
        WallClockBits::cyclic_week(&week)
    })
});

/// The points of every start: those of the worst hour that the slot has a part in, on the clock of any attendee who can come.
#[derive(Debug)]
pub struct TimeZoneFairness {
    /// For 1 to 9 points, the starts that have at least that many.
    levels: [Grid; MAX_POINTS],
}

/// The clock of some of the attendees.
struct ZoneClock {
    mapping: ZoneMapping,
    /// Whether one of these attendees is required, and so comes to every candidate.
    is_required: bool,
    /// The starts to which at least one of these attendees can come; left empty if `is_required`.
    available: Grid,
}

impl TimeZoneFairness {
    /// The fairness of a ranking; `None` if the clocks of all attendees show the same time.
    pub fn new(window: &SearchWindow, set: &AttendeeSet) -> Option<TimeZoneFairness> {
        let zones = || set.attendees.iter().filter_map(|one| one.zone.as_ref());
        let first = zones().next()?;
        if window.zone().is_none() || zones().all(|zone| zone == first) {
            return None;
        }
        let clocks = zone_clocks(window, set);
        let levels = || from_fn(|level| starts_within(window, set, &clocks, &HOURS[level]));
        (clocks.len() > 1).then(|| TimeZoneFairness { levels: levels() })
    }

    /// 0..=9.
    pub fn points(&self, start: usize) -> u64 {
        self.levels.iter().filter(|level| level.contains(start)).count() as u64
    }
}

/// The starts of slots that lie within these hours on every clock that counts there.
fn starts_within(
    window: &SearchWindow,
    set: &AttendeeSet,
    clocks: &[ZoneClock],
    hours: &WallClockBits<[u64; 12]>,
) -> Grid {
    let mut always = Grid::full(window.len());
    for clock in clocks.iter().filter(|clock| clock.is_required) {
        clock.mapping.retain_free(always.bits_mut(), hours);
    }
    let mut starts = always.starts(set.duration);
    for clock in clocks.iter().filter(|clock| !clock.is_required) {
        let mut within = Grid::full(window.len());
        clock.mapping.retain_free(within.bits_mut(), hours);
        let mut outside = clock.available.clone();
        outside.subtract(&within.starts(set.duration));
        starts.subtract(&outside);
    }
    starts
}

/// The clocks of the attendees, each once.
fn zone_clocks(window: &SearchWindow, set: &AttendeeSet) -> Vec<ZoneClock> {
    let mut clocks: Vec<ZoneClock> = Vec::new();
    let mut known: HashMap<&Zone, usize> = HashMap::new();
    let mut clock_of = Vec::with_capacity(set.attendees.len());
    for (index, attendee) in set.attendees.iter().enumerate() {
        let clock = attendee.zone.as_ref().map(|zone| {
            *known.entry(zone).or_insert_with(|| {
                let mapping = ZoneMapping::new(window, zone);
                let same = clocks.iter().position(|clock| clock.mapping.has_same_times(&mapping));
                same.unwrap_or_else(|| {
                    clocks.push(ZoneClock { mapping, is_required: false, available: Grid::empty(window.len()) });
                    clocks.len() - 1
                })
            })
        });
        if let Some(clock) = clock {
            clocks[clock].is_required |= set.is_required(index);
        }
        clock_of.push(clock);
    }
    let mut starts = set.zeroed_words();
    for (index, clock) in clock_of.into_iter().enumerate() {
        if let Some(clock) = clock.map(|clock| &mut clocks[clock]).filter(|clock| !clock.is_required) {
            set.available_starts(index, &mut starts);
            clock.available.bits_mut().iter_mut().zip(&starts).for_each(|(all, one)| *all |= one);
        }
    }
    clocks
}
