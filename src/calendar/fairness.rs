//! How early or late a slot is on the clocks of those who come to it.

use super::clockwork::{Clockwork, Wall};
use super::frame::Frame;
use super::grid::Grid;
use super::group::Group;
use super::projector::ring;
use super::week::{QUARTERS_PER_DAY, QUARTERS_PER_WEEK, Week};
use super::zone::Zone;
use std::array::from_fn;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The points of each hour of a day. From 09:00 to 17:00 it is nine; each hour later costs one, each hour earlier two, and in the
/// night there are none.
const POINTS: [usize; 24] = [1, 0, 0, 0, 0, 1, 3, 5, 7, 9, 9, 9, 9, 9, 9, 9, 9, 8, 7, 6, 5, 4, 3, 2];
/// The most points.
const MOST: usize = 9;

/// For 1 to 9 points, the hours that have as many.
static HOURS: LazyLock<[Wall<[u64; 12]>; MOST]> = LazyLock::new(|| {
    from_fn(|level| {
        let mut week = Week::EMPTY;
        for quarter in 0..QUARTERS_PER_WEEK {
            if POINTS[quarter % QUARTERS_PER_DAY / 4] > level {
                week.insert(quarter..quarter + 1);
            }
        }
        ring(&week)
    })
});

/// The points of every start: those of the worst hour, on the clock of anybody who can come, that the slot has a part in.
#[derive(Debug)]
pub struct Fairness {
    /// For 1 to 9 points, the starts that have as many.
    levels: [Grid; MOST],
}

/// A clock that some attendees live by.
struct Clock {
    shows: Clockwork,
    /// Whether one of them is required, and so at every candidate.
    required: bool,
    /// The starts to which one of the others can come; not worked out where it makes no difference.
    present: Grid,
}

impl Fairness {
    /// That of a question; `None` where all attendees' clocks show the same time, for then it is none between them.
    pub fn new(frame: &Frame, group: &Group) -> Option<Fairness> {
        let zones = || group.attendees.iter().filter_map(|one| one.zone.as_ref());
        let first = zones().next()?;
        if frame.zone().is_none() || zones().all(|zone| zone == first) {
            return None;
        }
        let clocks = clocks(frame, group);
        (clocks.len() > 1).then(|| Fairness { levels: from_fn(|level| starts(frame, group, &clocks, &HOURS[level])) })
    }

    /// 0..=9.
    pub fn points(&self, start: usize) -> u64 {
        self.levels.iter().filter(|level| level.contains(start)).count() as u64
    }
}

/// The starts of slots that lie, on every clock that counts there, in these hours.
fn starts(frame: &Frame, group: &Group, clocks: &[Clock], hours: &Wall<[u64; 12]>) -> Grid {
    let mut always = Grid::full(frame.len());
    for clock in clocks.iter().filter(|clock| clock.required) {
        clock.shows.keep(always.bits_mut(), hours);
    }
    let mut starts = always.starts(group.duration);
    for clock in clocks.iter().filter(|clock| !clock.required) {
        let mut theirs = Grid::full(frame.len());
        clock.shows.keep(theirs.bits_mut(), hours);
        let mut bad = clock.present.clone();
        bad.subtract(&theirs.starts(group.duration));
        starts.subtract(&bad);
    }
    starts
}

/// The clocks that attendees live by, each once.
fn clocks(frame: &Frame, group: &Group) -> Vec<Clock> {
    let mut clocks: Vec<Clock> = Vec::new();
    let mut known: HashMap<&Zone, usize> = HashMap::new();
    let mut of = Vec::with_capacity(group.attendees.len());
    for (index, attendee) in group.attendees.iter().enumerate() {
        let clock = attendee.zone.as_ref().map(|zone| {
            *known.entry(zone).or_insert_with(|| {
                let shows = Clockwork::new(frame, zone);
                let same = clocks.iter().position(|clock| clock.shows.agrees_with(&shows));
                same.unwrap_or_else(|| {
                    clocks.push(Clock { shows, required: false, present: Grid::empty(frame.len()) });
                    clocks.len() - 1
                })
            })
        });
        if let Some(clock) = clock {
            clocks[clock].required |= group.needs(index);
        }
        of.push(clock);
    }
    let mut reach = vec![0; frame.len().div_ceil(64)];
    for (index, clock) in of.into_iter().enumerate() {
        if let Some(clock) = clock.map(|clock| &mut clocks[clock]).filter(|clock| !clock.required) {
            group.reach(index, &mut reach);
            clock.present.bits_mut().iter_mut().zip(&reach).for_each(|(all, one)| *all |= one);
        }
    }
    clocks
}
