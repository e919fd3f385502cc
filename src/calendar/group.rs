//! Who can come to which start, and the starts that suit enough of them. People are counted bit by bit, never one by one for a slot.

use super::bits;
use super::frame::Frame;
use super::grid::Grid;
use super::rank::{Ask, Attendance, Attendee};
use super::tally::Tally;

/// The attendees of a question, and how many of them it takes.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    pub attendees: &'a [Attendee],
    /// One who is required counts as optional: a relaxation that is tried out.
    exempt: Option<usize>,
    /// How many are required.
    pub required: usize,
    /// So many of all must be able to come; 0 if those who are required are enough.
    pub quorum: usize,
    /// Length of a slot in quarters.
    pub duration: usize,
    /// Quarters of the frame.
    len: usize,
}

impl<'a> Group<'a> {
    /// Those of a question, of whom one who is required may be let off.
    pub fn new(frame: &Frame, attendees: &'a [Attendee], ask: &Ask, exempt: Option<usize>) -> Group<'a> {
        let mut group =
            Group { attendees, exempt, required: 0, quorum: 0, duration: ask.duration.max(1), len: frame.len() };
        group.required = group.everybody().filter(|index| group.needs(*index)).count();
        group.quorum = if least(ask) > group.required { least(ask) } else { 0 };
        group
    }

    /// The places of all attendees.
    pub fn everybody(&self) -> std::ops::Range<usize> {
        0..self.attendees.len()
    }

    /// Whether the meeting cannot be without this one.
    pub fn needs(&self, index: usize) -> bool {
        self.attendees[index].attendance == Attendance::Required && self.exempt != Some(index)
    }

    /// Whether it makes a difference that this one can come: a quorum is made up of all.
    pub fn counts_on(&self, index: usize) -> bool {
        self.quorum > 0 || self.needs(index)
    }

    /// The quarters in which all who are required can come.
    pub fn common(&self) -> Grid {
        let mut common = Grid::full(self.len);
        let required = self.everybody().filter(|index| self.needs(*index));
        required.map(|index| &self.attendees[index]).for_each(|one| common.and_either(&one.free, &one.if_needed));
        common
    }

    /// The starts, on any quarter, of which `common` allows all and which make the quorum.
    pub fn starts(&self, common: &Grid, coming: &[u32]) -> Grid {
        let mut starts = common.starts(self.duration);
        if self.quorum > 0 {
            let missing = self.quorum - self.required;
            let few = |start: &usize| (coming.get(*start).copied().unwrap_or(0) as usize) < missing;
            let few: Vec<usize> = starts.iter().filter(few).collect();
            few.into_iter().for_each(|start| starts.remove(start..start + 1));
        }
        starts
    }

    /// For every start how many of these can come there. Nobody: no numbers.
    pub fn count(&self, who: impl Iterator<Item = usize>, mut also: impl FnMut(usize, &[u64])) -> Vec<u32> {
        let mut reach = self.words();
        let mut tally = None;
        for index in who {
            self.reach(index, &mut reach);
            tally.get_or_insert_with(|| Tally::new(reach.len())).add(&reach);
            also(index, &reach);
        }
        tally.map_or_else(Vec::new, Tally::totals)
    }

    /// For every start how many of those who need not come can.
    pub fn coming(&self) -> Vec<u32> {
        self.count(self.everybody().filter(|index| !self.needs(*index)), |_, _| {})
    }

    /// Room for the starts of one attendee.
    pub fn words(&self) -> Vec<u64> {
        vec![0; self.len.div_ceil(64)]
    }

    /// Draws the starts to which somebody can come; the words are those of the frame.
    pub fn reach(&self, index: usize, starts: &mut [u64]) {
        let Attendee { free, if_needed, .. } = &self.attendees[index];
        copy(starts, free);
        starts.iter_mut().zip(if_needed.bits()).for_each(|(word, also)| *word |= also);
        bits::shrink(starts, self.duration);
    }

    /// Draws the starts to which somebody can come without their `if_needed`.
    pub fn ease(&self, index: usize, starts: &mut [u64]) {
        copy(starts, &self.attendees[index].free);
        bits::shrink(starts, self.duration);
    }

    /// Whether somebody can come to all these quarters.
    pub fn can(&self, index: usize, quarters: std::ops::Range<usize>) -> bool {
        let Attendee { free, if_needed, .. } = &self.attendees[index];
        let mut can = true;
        bits::each_mask(self.len.div_ceil(64), quarters, |word, mask| {
            let of = |grid: &Grid| grid.bits().get(word).copied().unwrap_or(0);
            can &= (of(free) | of(if_needed)) & mask == mask;
        });
        can
    }
}

/// How many must be able to come, whoever they are. A meeting to which nobody can come is none.
pub fn least(ask: &Ask) -> usize {
    ask.quorum.unwrap_or(0).max(1)
}

/// A shorter grid is unset from its end on.
fn copy(words: &mut [u64], grid: &Grid) {
    let both = words.len().min(grid.bits().len());
    words[..both].copy_from_slice(&grid.bits()[..both]);
    words[both..].fill(0);
}
