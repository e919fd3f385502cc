//! Why there is no slot: which attendees block it, which slots are near misses, and which relaxation would help.

use super::attendee_set::AttendeeSet;
use super::bit_counter::count_at;
use super::types::{Attendee, RankingOptions};
use crate::calendar::time::{Grid, SearchWindow};
use std::cmp::Reverse;
use std::ops::Range;

const MAX_BLOCKERS: usize = 20;
const MAX_NEAR_MISSES: usize = 3;
const MAX_EXEMPTIONS: usize = 3;

/// Why there is no slot, in numbers that can each be checked.
///
/// A *start* is here a quarter on a step from which a slot fits into the search window. Attendees are named by their indices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The longest run of quarters in which all required attendees can come; 0 if there are none.
    pub longest_common: usize,
    /// The attendees who cannot come in any quarter of the search window.
    pub never: Vec<usize>,
    /// The attendees who block starts, the worst first, at most 20. With a quorum they may be any attendees, else required ones.
    pub blocking: Vec<Blocker>,
    /// The slots that lack the fewest attendees, at most 3, none overlapping another.
    pub nearest: Vec<NearMiss>,
    /// The relaxations that would help, the cheapest first, and how many starts each gives.
    pub relaxations: Vec<(Relaxation, usize)>,
}

/// An attendee who blocks starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// The index of the attendee.
    pub attendee: usize,
    /// The starts to which the attendee cannot come.
    pub slots: usize,
    /// Those of them that would be possible if this attendee alone could come.
    pub alone: usize,
}

/// A slot that lacks few attendees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The quarters of the slot in the search window.
    pub quarters: Range<usize>,
    /// The attendees who cannot come: of all with a quorum, else of the required ones.
    pub missing: Vec<usize>,
}

/// One requirement made weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relaxation {
    /// The attendee of this index becomes optional.
    MakeOptional(usize),
    /// The slot has this many quarters.
    Shorten(usize),
    /// The quorum is this number.
    LowerQuorum(usize),
    /// A slot may start on any quarter of the hour.
    UseQuarters,
}

/// At how many starts the meeting is possible. Slots at these starts may overlap.
pub fn count_starts(window: &SearchWindow, attendees: &[Attendee], options: &RankingOptions) -> usize {
    let set = AttendeeSet::new(window, attendees, options, None);
    possible_starts(&set, &set.common(), &window.steps(options.step)).count()
}

/// The starts at which the meeting is possible. `common` is that of the set.
fn possible_starts(set: &AttendeeSet, common: &Grid, steps: &Grid) -> Grid {
    let optional_available = if set.quorum > 0 { set.count_optional_available() } else { Vec::new() };
    let mut starts = set.starts(common, &optional_available);
    starts.and(steps);
    starts
}

/// Explains why there is no slot. If there are slots, no relaxations are listed, and the rest holds.
pub fn explain(window: &SearchWindow, attendees: &[Attendee], options: &RankingOptions) -> Explanation {
    let set = AttendeeSet::new(window, attendees, options, None);
    let never = |one: &Attendee| one.free.is_empty() && one.if_needed.is_empty();
    let (scan, mut tallies) = CandidateScan::new(window, set, options);
    scan.count_sole_blockers(&mut tallies);
    let relaxations = match scan.starts.iter().any(|start| scan.shortfall(start) == 0) {
        true => Vec::new(),
        false => scan.relaxations(&tallies),
    };
    Explanation {
        longest_common: if set.required == 0 { 0 } else { scan.longest },
        never: set.indices().filter(|index| never(&attendees[*index])).collect(),
        nearest: scan.near_misses(),
        blocking: worst_blockers(tallies),
        relaxations,
    }
}

/// How many attendees can come to every start.
struct CandidateScan<'a> {
    window: &'a SearchWindow,
    options: &'a RankingOptions,
    set: AttendeeSet<'a>,
    steps: Grid,
    /// The quarters in which all required attendees can come, and the longest run of them.
    common: Grid,
    longest: usize,
    /// All starts.
    starts: Grid,
    /// How many required attendees can come to a start, and how many optional ones, if the meeting can need them.
    required: Vec<u32>,
    optional: Vec<u32>,
}

/// What one attendee blocks.
struct BlockerTally {
    blocker: Blocker,
    /// How many starts would be possible if the attendee were optional.
    freed: usize,
}

impl<'a> CandidateScan<'a> {
    /// Counts the attendees who can come, and in the same pass the starts that each of them blocks.
    fn new(
        window: &'a SearchWindow,
        set: AttendeeSet<'a>,
        options: &'a RankingOptions,
    ) -> (CandidateScan<'a>, Vec<BlockerTally>) {
        let steps = window.steps(options.step);
        let mut starts = Grid::full(window.len()).starts(set.duration);
        starts.and(&steps);
        let mut tallies = Vec::new();
        let mut inspect = |index: usize, available: &[u64]| {
            let slots = count_difference(&starts, available);
            if slots > 0 && set.is_blocking(index) {
                let blocker = Blocker { attendee: index, slots, alone: 0 };
                tallies.push(BlockerTally { blocker, freed: 0 });
            }
        };
        let required = set.count_available(set.indices().filter(|index| set.is_required(*index)), &mut inspect);
        // The meeting can need optional attendees once one required attendee less is enough.
        let can_need_optional = options.min_attendees() >= set.required;
        let optional = set.indices().filter(|index| !set.is_required(*index) && can_need_optional);
        let optional = set.count_available(optional, &mut inspect);
        let common = set.common();
        let longest = common.runs().map(|run| run.len()).max().unwrap_or(0);
        (CandidateScan { window, options, set, steps, common, longest, starts, required, optional }, tallies)
    }

    /// How many required attendees cannot come.
    fn missing_required(&self, start: usize) -> usize {
        self.set.required - count_at(&self.required, start)
    }

    /// How many attendees can come.
    fn available(&self, start: usize) -> usize {
        count_at(&self.required, start) + count_at(&self.optional, start)
    }

    /// How many more attendees would have to be able to come, required ones first.
    fn shortfall(&self, start: usize) -> usize {
        self.missing_required(start).max(self.set.quorum.saturating_sub(self.available(start)))
    }

    /// The starts for which `condition` holds.
    fn starts_where(&self, condition: impl Fn(usize) -> bool) -> Grid {
        let mut starts = Grid::empty(self.window.len());
        self.starts.iter().filter(|start| condition(*start)).for_each(|start| starts.insert(start..start + 1));
        starts
    }

    /// Counts the starts that each attendee alone blocks.
    fn count_sole_blockers(&self, tallies: &mut [BlockerTally]) {
        let one_short = self.starts_where(|start| self.shortfall(start) == 1);
        let quorum_short = self.starts_where(|start| self.shortfall(start) == 1 && self.missing_required(start) == 0);
        // An optional attendee is not missing, but enough attendees must come without them.
        let min_attendees = self.options.min_attendees();
        let one_missing =
            self.starts_where(|start| self.missing_required(start) == 1 && self.available(start) >= min_attendees);
        if one_short.is_empty() {
            return;
        }
        let mut available = self.set.zeroed_words();
        for tally in tallies {
            let index = tally.blocker.attendee;
            self.set.available_starts(index, &mut available);
            match self.set.is_required(index) {
                true => {
                    tally.blocker.alone = count_difference(&one_short, &available);
                    tally.freed = count_difference(&one_missing, &available);
                }
                false => tally.blocker.alone = count_difference(&quorum_short, &available),
            }
        }
    }

    fn near_misses(&self) -> Vec<NearMiss> {
        let set = &self.set;
        let mut left = self.starts_where(|start| self.shortfall(start) > 0);
        let absent = |start: usize| match set.quorum {
            0 => self.missing_required(start),
            _ => set.attendees.len() - self.available(start),
        };
        let mut near_misses = Vec::with_capacity(MAX_NEAR_MISSES);
        while near_misses.len() < MAX_NEAR_MISSES {
            let Some(start) = left.iter().min_by_key(|start| (self.shortfall(*start), absent(*start))) else { break };
            let quarters = start..start + set.duration;
            left.remove((start + 1).saturating_sub(set.duration)..quarters.end);
            let is_missing = |index: &usize| set.is_blocking(*index) && !set.is_available(*index, quarters.clone());
            near_misses.push(NearMiss { missing: set.indices().filter(is_missing).collect(), quarters });
        }
        near_misses
    }

    /// The relaxations that give at least one start. Each is tried.
    fn relaxations(&self, tallies: &[BlockerTally]) -> Vec<(Relaxation, usize)> {
        let mut found = Vec::new();
        let mut try_out = |relaxation| {
            let count = self.count_after(relaxation);
            if count > 0 {
                found.push((relaxation, count));
            }
        };
        if self.options.step > 1 {
            try_out(Relaxation::UseQuarters);
        }
        // A slot that is too long stays too long when it gets longer, and no slot is longer than the longest common run.
        let (mut fits, mut too_long) = (0, self.set.duration.min(self.longest + 1));
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
        if self.set.quorum > 0 && self.options.quorum.is_some() {
            let complete = self.starts.iter().filter(|start| self.missing_required(*start) == 0);
            let most = complete.map(|start| self.available(start)).max().unwrap_or(0);
            try_out(Relaxation::LowerQuorum(most.max(1)));
        }
        let mut freeing: Vec<&BlockerTally> = tallies.iter().filter(|one| one.freed > 0).collect();
        freeing.sort_by_key(|one| (Reverse(one.freed), one.blocker.attendee));
        for one in freeing.into_iter().take(MAX_EXEMPTIONS) {
            try_out(Relaxation::MakeOptional(one.blocker.attendee));
        }
        found
    }

    /// How many starts are possible with a relaxation.
    fn count_after(&self, relaxation: Relaxation) -> usize {
        let mut options = self.options.clone();
        let mut exempt = None;
        match relaxation {
            Relaxation::MakeOptional(index) => exempt = Some(index),
            Relaxation::Shorten(quarters) => options.duration = quarters,
            Relaxation::LowerQuorum(quorum) => options.quorum = Some(quorum),
            Relaxation::UseQuarters => options.step = 1,
        }
        let set = AttendeeSet::new(self.window, self.set.attendees, &options, exempt);
        // The common quarters and the steps are computed again only where they change.
        let common = if exempt.is_some() { &set.common() } else { &self.common };
        let steps = if options.step == self.options.step { &self.steps } else { &self.window.steps(options.step) };
        possible_starts(&set, common, steps).count()
    }
}

/// The worst blockers first.
fn worst_blockers(tallies: Vec<BlockerTally>) -> Vec<Blocker> {
    let mut blockers: Vec<Blocker> = tallies.into_iter().map(|one| one.blocker).collect();
    blockers.sort_by_key(|one| (Reverse(one.slots), Reverse(one.alone), one.attendee));
    blockers.truncate(MAX_BLOCKERS);
    blockers
}

/// How many quarters of a grid are not in these words.
fn count_difference(grid: &Grid, words: &[u64]) -> usize {
    grid.bits().iter().zip(words).map(|(all, some)| (all & !some).count_ones() as usize).sum()
}
