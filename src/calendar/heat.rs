//! What many people share: the quarters common to all, and for each hour how many are free.

use super::bits;
use super::counter;
use super::grid::Grid;
use super::week::Week;
use std::ops::Range;

/// The quarters that every grid has; an empty grid if there are none.
pub fn common(grids: &[Grid]) -> Grid {
    let Some((first, rest)) = grids.split_first() else {
        return Grid::default();
    };
    let mut common = first.clone();
    rest.iter().for_each(|grid| common.and(grid));
    common
}

/// For each hour how many of the grids have all its quarters.
///
/// `frame_hours` are the buckets of [`Frame::hours`](super::Frame::hours): in order, apart, not empty.
pub fn free_count(frame_hours: &[Range<usize>], grids: &[Grid]) -> Vec<u32> {
    let end = frame_hours.last().map_or(0, |hour| hour.end);
    let together = together(frame_hours, end);
    let mut counts = Vec::with_capacity(frame_hours.len());
    let mut hours = frame_hours.iter().peekable();
    for first in (0..end.div_ceil(64)).step_by(WORDS) {
        let mut totals = [[0; 64]; WORDS];
        let lane = |index: usize| whole_hours(grids[index].bits(), &together, first);
        counter::count(grids.len(), lane, &mut totals);
        let totals = totals.as_flattened();
        while let Some(hour) = hours.next_if(|hour| hour.start < (first + WORDS) * 64) {
            counts.push(totals[hour.start - first * 64]);
        }
    }
    counts
}

/// Words counted at a time; wide enough for the compiler to use vector registers.
const WORDS: usize = 4;

/// Element `k - 1` says of every quarter whether the one `k` later is in the same hour.
fn together(frame_hours: &[Range<usize>], end: usize) -> Vec<Vec<u64>> {
    let longest = frame_hours.iter().map(Range::len).max().unwrap_or(0);
    let reach = |k: usize| {
        let mut words = vec![0; end.div_ceil(64).next_multiple_of(WORDS)];
        for hour in frame_hours {
            bits::fill(&mut words, hour.start..hour.end.saturating_sub(k));
        }
        words
    };
    (1..longest).map(reach).collect()
}

/// `WORDS` words from word `first` on, in which a set bit says that its quarter is set and all later
/// ones of the same hour are too.
#[inline(always)]
fn whole_hours(words: &[u64], together: &[Vec<u64>], first: usize) -> counter::Lane<WORDS> {
    let mut lane = std::array::from_fn(|i| words.get(first + i).copied().unwrap_or(0));
    for (k, same) in (1..).zip(together) {
        for (i, word) in lane.iter_mut().enumerate() {
            *word &= bits::read(words, (first + i) * 64 + k) | !same[first + i];
        }
    }
    lane
}

/// The quarters that every week has; [`Week::EMPTY`] if there are none.
pub fn intersect(weeks: &[Week]) -> Week {
    let common = weeks.iter().copied().reduce(|a, b| a.and(&b));
    common.unwrap_or_default()
}

/// For each of the 168 hours of a week, Monday 00:00 first, how many weeks have all its quarters.
pub fn heat_map(weeks: &[Week]) -> [u32; 168] {
    let mut totals = [[0; 64]; 3];
    counter::count(weeks.len(), |index| hours_of(&weeks[index]), &mut totals);
    let totals = totals.as_flattened();
    // Where `hours_of` puts the hour.
    std::array::from_fn(|hour| totals[hour / 64 * 64 + hour % 16 * 4 + hour / 16 % 4])
}

/// The 168 hours whose four quarters are all set, packed in three words.
///
/// Hour `h` begins at bit `4 * (h % 16)` of word `h / 16` of the week; the three bits after it are
/// free to hold the same hour of the next three words.
#[inline(always)]
fn hours_of(week: &Week) -> counter::Lane<3> {
    let mut hours = [0; 3];
    for (index, word) in week.bits().iter().enumerate() {
        let pairs = word & word >> 1;
        let whole = pairs & pairs >> 2 & 0x1111_1111_1111_1111;
        hours[index / 4] |= whole << (index % 4);
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::{Grid, Week, common, free_count, heat_map, intersect};

    #[test]
    fn nobody_shares_nothing() {
        assert_eq!(common(&[]), Grid::default());
        assert_eq!(intersect(&[]), Week::EMPTY);
        assert_eq!(heat_map(&[]), [0; 168]);
        assert_eq!(free_count(&[0..4, 4..8], &[]), [0, 0]);
        assert!(free_count(&[], &[Grid::full(8)]).is_empty());
    }

    #[test]
    fn an_hour_counts_only_when_all_its_quarters_are_free() {
        let mut late = Week::EMPTY;
        late.insert(37..672);
        let heat = heat_map(&[late, Week::ALWAYS]);
        assert_eq!((heat[8], heat[9], heat[10], heat[167]), (1, 1, 2, 2));
        assert_eq!(intersect(&[late, Week::ALWAYS]), late);
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
