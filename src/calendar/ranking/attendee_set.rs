//! Which attendees can come to which start, and the starts that enough of them can come to. Attendees are counted bit by bit for
//! all starts at once.

use super::bit_counter::{BitCounter, count_at};
use super::types::{Attendance, Attendee, RankingOptions};
use crate::calendar::time::{Grid, SearchWindow, bits};
use std::ops::Range;

/// The attendees of a meeting, and how many of them it needs.
#[derive(Clone, Copy, Debug)]
pub struct AttendeeSet<'a> {
    pub attendees: &'a [Attendee],
    /// A required attendee who counts as optional, to try a relaxation.
    exempt: Option<usize>,
    /// How many attendees are required.
    pub required: usize,
    /// How many of all attendees must be able to come; 0 if the required attendees are enough.
    pub quorum: usize,
    /// Length of a slot in quarters.
    pub duration: usize,
    /// Quarters of the search window.
    len: usize,
}

impl<'a> AttendeeSet<'a> {
    /// The attendees of a ranking. `exempt` is the index of one who counts as optional.
    pub fn new(
        window: &SearchWindow,
        attendees: &'a [Attendee],
        options: &RankingOptions,
        exempt: Option<usize>,
    ) -> AttendeeSet<'a> {
        let duration = options.duration.max(1);
        let mut set = AttendeeSet { attendees, exempt, required: 0, quorum: 0, duration, len: window.len() };
        set.required = set.indices().filter(|index| set.is_required(*index)).count();
        set.quorum = Some(options.min_attendees()).filter(|min| *min > set.required).unwrap_or(0);
        set
    }

    /// The indices of all attendees.
    pub fn indices(&self) -> Range<usize> {
        0..self.attendees.len()
    }

    /// Whether there is no meeting without this attendee.
    pub fn is_required(&self, index: usize) -> bool {
        self.attendees[index].attendance == Attendance::Required && self.exempt != Some(index)
    }

    /// Whether the absence of this attendee can prevent the meeting: with a quorum, everyone counts.
    pub fn is_blocking(&self, index: usize) -> bool {
        self.quorum > 0 || self.is_required(index)
    }

    /// The quarters in which all required attendees can come.
    pub fn common(&self) -> Grid {
        let mut common = Grid::full(self.len);
        let required = self.indices().filter(|index| self.is_required(*index));
        required.map(|index| &self.attendees[index]).for_each(|one| common.and_either(&one.free, &one.if_needed));
        common
    }

    /// The starts, on any quarter, at which the required attendees (by `common`) and the quorum can come. `optional_available`
    /// counts the optional attendees at each start; without a quorum it is not read.
    pub fn starts(&self, common: &Grid, optional_available: &[u32]) -> Grid {
        let mut starts = common.starts(self.duration);
        if self.quorum > 0 {
            let needed = self.quorum - self.required;
            let too_few: Vec<usize> =
                starts.iter().filter(|start| count_at(optional_available, *start) < needed).collect();
            too_few.into_iter().for_each(|start| starts.remove(start..start + 1));
        }
        starts
    }

    /// For every start, how many of these attendees can come. `inspect` gets the index and the starts of each. The list is empty
    /// if there are no attendees.
    pub fn count_available(
        &self,
        indices: impl Iterator<Item = usize>,
        mut inspect: impl FnMut(usize, &[u64]),
    ) -> Vec<u32> {
        let mut starts = self.zeroed_words();
        let mut counter = None;
        for index in indices {
            self.available_starts(index, &mut starts);
            counter.get_or_insert_with(|| BitCounter::new(starts.len())).add(&starts);
            inspect(index, &starts);
        }
        counter.map_or_else(Vec::new, BitCounter::totals)
    }

    /// For every start, how many optional attendees can come.
    pub fn count_optional_available(&self) -> Vec<u32> {
        self.count_available(self.indices().filter(|index| !self.is_required(*index)), |_, _| {})
    }

    /// Words for the starts of one attendee.
    pub fn zeroed_words(&self) -> Vec<u64> {
        vec![0; self.len.div_ceil(64)]
    }

    /// Writes the starts to which an attendee can come. The words are those of the search window.
    pub fn available_starts(&self, index: usize, starts: &mut [u64]) {
        let Attendee { free, if_needed, .. } = &self.attendees[index];
        copy_grid(starts, free);
        starts.iter_mut().zip(if_needed.bits()).for_each(|(word, also)| *word |= also);
        bits::erode(starts, self.duration);
    }

    /// Writes the starts to which an attendee can come without `if_needed` time.
    pub fn preferred_starts(&self, index: usize, starts: &mut [u64]) {
        copy_grid(starts, &self.attendees[index].free);
        bits::erode(starts, self.duration);
    }

    /// Whether an attendee can come in all these quarters.
    pub fn is_available(&self, index: usize, quarters: Range<usize>) -> bool {
        let Attendee { free, if_needed, .. } = &self.attendees[index];
        let mut is_available = true;
        bits::each_mask(self.len.div_ceil(64), quarters, |word, mask| {
            let of = |grid: &Grid| grid.bits().get(word).copied().unwrap_or(0);
            is_available &= (of(free) | of(if_needed)) & mask == mask;
        });
        is_available
    }
}

/// Copies a grid. A shorter grid is unset from its end on.
fn copy_grid(words: &mut [u64], grid: &Grid) {
    let both = words.len().min(grid.bits().len());
    words[..both].copy_from_slice(&grid.bits()[..both]);
    words[both..].fill(0);
}
