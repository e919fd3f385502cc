//! For each hour, how many attendees are free.

use super::bit_counter::{BlockCounter, Lane, WORDS};
use crate::calendar::time::{Grid, bits};
use std::ops::Range;

/// For each hour, how many of the grids have all its quarters.
///
/// `hours` are those of [`SearchWindow::hours`](crate::calendar::SearchWindow::hours): in order, apart, not empty.
pub fn free_count(hours: &[Range<usize>], grids: &[Grid]) -> Vec<u32> {
    let end = hours.last().map_or(0, |hour| hour.end);
    let same_hour = same_hour_masks(hours, end);
    let mut counts = Vec::with_capacity(hours.len());
    let mut hours = hours.iter().peekable();
    for first in (0..end.div_ceil(64)).step_by(WORDS) {
        let mut counter = BlockCounter::new();
        for grid in grids {
            counter.add(hours_fully_free(grid.bits(), &same_hour, first));
        }
        let totals = counter.totals();
        let totals = totals.as_flattened();
        while let Some(hour) = hours.next_if(|hour| hour.start < (first + WORDS) * 64) {
            counts.push(totals[hour.start - first * 64]);
        }
    }
    counts
}

/// Bit `q` of mask `k - 1` says whether quarter `q + k` is in the same hour as quarter `q`.
fn same_hour_masks(hours: &[Range<usize>], end: usize) -> Vec<Vec<u64>> {
    let longest = hours.iter().map(Range::len).max().unwrap_or(0);
    let mask = |k: usize| {
        let mut words = vec![0; end.div_ceil(64).next_multiple_of(WORDS)];
        for hour in hours {
            bits::fill(&mut words, hour.start..hour.end.saturating_sub(k));
        }
        words
    };
    (1..longest).map(mask).collect()
}

/// `WORDS` words from word `first` on, in which a set bit means that its quarter and all later ones of the same hour are free.
#[inline(always)]
fn hours_fully_free(words: &[u64], same_hour: &[Vec<u64>], first: usize) -> Lane {
    let mut lane = std::array::from_fn(|i| words.get(first + i).copied().unwrap_or(0));
    for (k, same) in (1..).zip(same_hour) {
        for (i, word) in lane.iter_mut().enumerate() {
            *word &= bits::read(words, (first + i) * 64 + k) | !same[first + i];
        }
    }
    lane
}

#[cfg(test)]
mod tests {
    use super::{Grid, free_count};

    #[test]
    fn no_grids_and_no_hours_have_no_counts() {
        assert_eq!(free_count(&[0..4, 4..8], &[]), [0, 0]);
        assert!(free_count(&[], &[Grid::full(8)]).is_empty());
    }

    #[test]
    fn hours_of_any_length_and_place_are_counted() {
        let mut grid = Grid::empty(300);
        grid.insert(2..10);
        grid.insert(62..67);
        grid.insert(255..257);
        let hours = [0..2, 2..6, 6..8, 8..12, 62..66, 66..67, 254..257, 299..300];
        let counts = free_count(&hours, &[grid, Grid::full(300)]);
        assert_eq!(counts, [1, 2, 2, 1, 2, 2, 1, 1]);
    }
}
