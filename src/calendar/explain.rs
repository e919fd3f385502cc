//! Why there is no slot: who is in the way, what comes near, and what would help.

use super::frame::Frame;
use super::grid::Grid;
use super::group::{Group, least};
use super::rank::{Ask, Attendee};
use std::cmp::Reverse;
use std::ops::Range;

/// The most blockers, near misses and people to let off that are told.
const BLOCKERS: usize = 20;
const MISSES: usize = 3;
const LET_OFF: usize = 3;

/// Why there is no slot, in numbers that each can be checked.
///
/// A *start* is here a quarter on a step from which on a slot fits into the frame. Attendees are named by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The longest run of quarters in which all who are required can come; 0 if nobody is.
    pub longest_common: usize,
    /// Those who cannot come at any quarter of the frame.
    pub never: Vec<usize>,
    /// Who is in the way of how much, the worst first, at most 20. With a quorum it may be anybody, else it is who is required.
    pub blocking: Vec<Blocker>,
    /// The slots to which the fewest more would have to be able to come, at most 3, none overlapping another.
    pub nearest: Vec<Miss>,
    /// What would help, and how many starts it gives. What costs the least comes first.
    pub relaxations: Vec<(Relaxation, usize)>,
}

/// One who is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Who.
    pub attendee: usize,
    /// The starts that they cannot come to.
    pub slots: usize,
    /// Those of them where the meeting could be, if they alone could come.
    pub alone: usize,
}

/// A slot that comes near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Its quarters in the frame.
    pub quarters: Range<usize>,
    /// Those who cannot come: of all, if there is a quorum, else of those who are required.
    pub missing: Vec<usize>,
}

/// One thing to ask less of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relaxation {
    /// This one need not come.
    MakeOptional(usize),
    /// So many quarters are enough.
    Shorten(usize),
    /// So many are enough.
    LowerQuorum(usize),
    /// A slot may start on any quarter of the hour.
    UseQuarters,
}

/// At how many starting times the meeting could be; slots at these may overlap.
pub fn count(frame: &Frame, attendees: &[Attendee], ask: &Ask) -> usize {
    let group = Group::new(frame, attendees, ask, None);
    starts(&group, &group.common(), &frame.steps(ask.step)).count()
}

/// The starts at which the meeting could be. `common` is the group's.
fn starts(group: &Group, common: &Grid, steps: &Grid) -> Grid {
    let coming = if group.quorum > 0 { group.coming() } else { Vec::new() };
    let mut starts = group.starts(common, &coming);
    starts.and(steps);
    starts
}

/// Says why there is no slot. Where there are some, nothing needs to be relaxed, and the rest holds.
pub fn explain(frame: &Frame, attendees: &[Attendee], ask: &Ask) -> Explanation {
    let group = Group::new(frame, attendees, ask, None);
    let never = |one: &Attendee| one.free.is_empty() && one.if_needed.is_empty();
    let (survey, mut people) = Survey::new(frame, group, ask);
    survey.look_closer(&mut people);
    let relaxations = match survey.starts.iter().any(|start| survey.short_of(start) == 0) {
        true => Vec::new(),
        false => survey.relaxations(&people),
    };
    Explanation {
        longest_common: if group.required == 0 { 0 } else { survey.longest },
        never: group.everybody().filter(|index| never(&attendees[*index])).collect(),
        nearest: survey.nearest(),
        blocking: blocking(people),
        relaxations,
    }
}

/// How much everybody is in the way, at every start.
struct Survey<'a> {
    frame: &'a Frame,
    ask: &'a Ask,
    group: Group<'a>,
    steps: Grid,
    /// The quarters in which all who are required can come, and the longest run of them.
    common: Grid,
    longest: usize,
    /// All starts.
    starts: Grid,
    /// How many of those who are required can come to a start, and how many others, if it may take some of them.
    required: Vec<u32>,
    optional: Vec<u32>,
}

/// What one attendee stands in the way of.
struct Obstacle {
    blocker: Blocker,
    /// How many starts there were if they need not come.
    freed: usize,
}

impl<'a> Survey<'a> {
    /// Counts who can come, and in the same pass what each stands in the way of.
    fn new(frame: &'a Frame, group: Group<'a>, ask: &'a Ask) -> (Survey<'a>, Vec<Obstacle>) {
        let steps = frame.steps(ask.step);
        let mut starts = Grid::full(frame.len()).starts(group.duration);
        starts.and(&steps);
        let mut people = Vec::new();
        let mut look = |index: usize, reach: &[u64]| {
            let slots = outside(&starts, reach);
            if slots > 0 && group.counts_on(index) {
                people.push(Obstacle { blocker: Blocker { attendee: index, slots, alone: 0 }, freed: 0 });
            }
        };
        let required = group.count(group.everybody().filter(|index| group.needs(*index)), &mut look);
        // Of the others it takes some, if there is one less who is required.
        let others = group.everybody().filter(|index| !group.needs(*index) && least(ask) >= group.required);
        let optional = group.count(others, &mut look);
        let common = group.common();
        let longest = common.runs().map(|run| run.len()).max().unwrap_or(0);
        (Survey { frame, ask, group, steps, common, longest, starts, required, optional }, people)
    }

    /// How many of those who are required cannot come.
    fn missing(&self, start: usize) -> usize {
        self.group.required - number(&self.required, start)
    }

    /// How many can come.
    fn can(&self, start: usize) -> usize {
        number(&self.required, start) + number(&self.optional, start)
    }

    /// How many more would have to be able to come, if those who are missed most came first.
    fn short_of(&self, start: usize) -> usize {
        self.missing(start).max(self.group.quorum.saturating_sub(self.can(start)))
    }

    /// The starts of which something holds.
    fn starts_where(&self, holds: impl Fn(usize) -> bool) -> Grid {
        let mut starts = Grid::empty(self.frame.len());
        self.starts.iter().filter(|start| holds(*start)).for_each(|start| starts.insert(start..start + 1));
        starts
    }

    /// Finds what each stands in the way of alone.
    fn look_closer(&self, people: &mut [Obstacle]) {
        let one_short = self.starts_where(|start| self.short_of(start) == 1);
        let quorum_short = self.starts_where(|start| self.short_of(start) == 1 && self.missing(start) == 0);
        // Whoever need not come is not missed; but enough have to come even then.
        let one_missing = self.starts_where(|start| self.missing(start) == 1 && self.can(start) >= least(self.ask));
        if one_short.is_empty() {
            return;
        }
        let mut reach = self.group.words();
        for one in people {
            let index = one.blocker.attendee;
            self.group.reach(index, &mut reach);
            match self.group.needs(index) {
                true => {
                    one.blocker.alone = outside(&one_short, &reach);
                    one.freed = outside(&one_missing, &reach);
                }
                false => one.blocker.alone = outside(&quorum_short, &reach),
            }
        }
    }

    fn nearest(&self) -> Vec<Miss> {
        let mut open = self.starts_where(|start| self.short_of(start) > 0);
        let absent = |start: usize| match self.group.quorum {
            0 => self.missing(start),
            _ => self.group.attendees.len() - self.can(start),
        };
        let mut nearest = Vec::with_capacity(MISSES);
        while nearest.len() < MISSES {
            let Some(start) = open.iter().min_by_key(|start| (self.short_of(*start), absent(*start))) else { break };
            let quarters = start..start + self.group.duration;
            open.remove((start + 1).saturating_sub(self.group.duration)..quarters.end);
            let missing = |index: &usize| self.group.counts_on(*index) && !self.group.can(*index, quarters.clone());
            nearest.push(Miss { missing: self.group.everybody().filter(missing).collect(), quarters });
        }
        nearest
    }

    /// What gives some start; each is tried before it is told.
    fn relaxations(&self, people: &[Obstacle]) -> Vec<(Relaxation, usize)> {
        let mut found = Vec::new();
        let mut try_out = |relaxation| {
            let count = self.count_after(relaxation);
            if count > 0 {
                found.push((relaxation, count));
            }
            count > 0
        };
        if self.ask.step > 1 {
            try_out(Relaxation::UseQuarters);
        }
        // What is too long stays so when it is made longer, and nothing is longer than what all who are required share.
        let (mut fits, mut too_long) = (0, self.group.duration.min(self.longest + 1));
        while fits + 1 < too_long {
            let middle = usize::midpoint(fits, too_long);
            match self.count_after(Relaxation::Shorten(middle)) {
                0 => too_long = middle,
                _ => fits = middle,
            }
        }
        if fits > 0 {
            try_out(Relaxation::Shorten(fits));
        }
        if self.group.quorum > 0 && self.ask.quorum.is_some() {
            let complete = self.starts.iter().filter(|start| self.missing(*start) == 0);
            let most = complete.map(|start| self.can(start)).max().unwrap_or(0);
            try_out(Relaxation::LowerQuorum(most.max(1)));
        }
        let mut freeing: Vec<&Obstacle> = people.iter().filter(|one| one.freed > 0).collect();
        freeing.sort_by_key(|one| (Reverse(one.freed), one.blocker.attendee));
        for one in freeing.into_iter().take(LET_OFF) {
            try_out(Relaxation::MakeOptional(one.blocker.attendee));
        }
        found
    }

    /// How many starts there are if this is asked less of.
    fn count_after(&self, relaxation: Relaxation) -> usize {
        let mut ask = self.ask.clone();
        let mut exempt = None;
        match relaxation {
            Relaxation::MakeOptional(index) => exempt = Some(index),
            Relaxation::Shorten(quarters) => ask.duration = quarters,
            Relaxation::LowerQuorum(quorum) => ask.quorum = Some(quorum),
            Relaxation::UseQuarters => ask.step = 1,
        }
        let group = Group::new(self.frame, self.group.attendees, &ask, exempt);
        // Only who is required, and when a slot may start, is worked out again where it has changed.
        let common = if exempt.is_some() { &group.common() } else { &self.common };
        let steps = if ask.step == self.ask.step { &self.steps } else { &self.frame.steps(ask.step) };
        starts(&group, common, steps).count()
    }
}

/// The worst first.
fn blocking(people: Vec<Obstacle>) -> Vec<Blocker> {
    let mut blocking: Vec<Blocker> = people.into_iter().map(|one| one.blocker).collect();
    blocking.sort_by_key(|one| (Reverse(one.slots), Reverse(one.alone), one.attendee));
    blocking.truncate(BLOCKERS);
    blocking
}

fn number(counts: &[u32], at: usize) -> usize {
    counts.get(at).copied().unwrap_or(0) as usize
}

/// How many of a grid's quarters are not in these words.
fn outside(grid: &Grid, words: &[u64]) -> usize {
    grid.bits().iter().zip(words).map(|(all, some)| (all & !some).count_ones() as usize).sum()
}
