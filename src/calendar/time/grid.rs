//! A set of the quarters of a search window.

use super::bits::{self, Runs};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::ops::Range;

/// A bit set over the quarters `0..len` of a [`SearchWindow`](super::SearchWindow).
///
/// Bits at and past `len` are always unset, so grids of different lengths may be combined: the shorter one counts as unset from
/// its end on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    words: Vec<u64>,
    len: usize,
}

impl Grid {
    /// No quarter of `len`.
    pub fn empty(len: usize) -> Grid {
        let words = vec![0; len.div_ceil(64)];
        Grid { words, len }
    }

    /// Every quarter of `len`.
    pub fn full(len: usize) -> Grid {
        let mut grid = Grid::empty(len);
        grid.insert(0..len);
        grid
    }

    /// How many quarters the window has, set or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether quarter `q` is set.
    pub fn contains(&self, q: usize) -> bool {
        bits::contains(&self.words, q)
    }

    /// Sets the quarters of `range`; those past the end are left out.
    pub fn insert(&mut self, range: Range<usize>) {
        bits::fill(&mut self.words, range.start..range.end.min(self.len));
    }

    /// Unsets the quarters of `range`.
    pub fn remove(&mut self, range: Range<usize>) {
        bits::clear(&mut self.words, range);
    }

    /// Keeps the quarters that `other` has too.
    pub fn and(&mut self, other: &Grid) {
        let theirs = other.words.iter().copied().chain(std::iter::repeat(0));
        self.words.iter_mut().zip(theirs).for_each(|(a, b)| *a &= b);
    }

    /// Keeps the quarters that `one` or `other` has too.
    pub fn and_either(&mut self, one: &Grid, other: &Grid) {
        if other.words.is_empty() {
            return self.and(one);
        }
        let word = |grid: &Grid, at: usize| grid.words.get(at).copied().unwrap_or(0);
        self.words.iter_mut().enumerate().for_each(|(at, a)| *a &= word(one, at) | word(other, at));
    }

    /// Removes the quarters of `other`.
    pub fn subtract(&mut self, other: &Grid) {
        let pairs = self.words.iter_mut().zip(&other.words);
        pairs.for_each(|(a, b)| *a &= !b);
    }

    /// Adds the quarters of `other` that lie in this grid.
    pub fn union(&mut self, other: &Grid) {
        let pairs = self.words.iter_mut().zip(&other.words);
        pairs.for_each(|(a, b)| *a |= b);
        self.trim();
    }

    /// Whether no quarter is set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many quarters are set.
    pub fn count(&self) -> usize {
        bits::count(&self.words)
    }

    /// The runs of set quarters, in order, each as long as possible.
    pub fn runs(&self) -> Runs<'_> {
        Runs::new(&self.words, 0..self.len)
    }

    /// The set quarters, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.runs().flatten()
    }

    /// Where a slot may start: quarter `i` is in it if `i..i + duration` are all set (0 counts as 1).
    pub fn starts(&self, duration: usize) -> Grid {
        if duration > self.len {
            return Grid::empty(self.len);
        }
        let mut starts = self.clone();
        bits::erode(&mut starts.words, duration);
        starts
    }

    /// The words of the set, quarter `q` being bit `q % 64` of word `q / 64`.
    pub fn bits(&self) -> &[u64] {
        &self.words
    }

    /// The same words, to change; bits at and past `len` must stay unset.
    pub(in crate::calendar) fn bits_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// `len` quarters as bytes, quarter `q` being bit `q % 8` of byte `q / 8`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes());
        bytes.take(self.len.div_ceil(8)).collect()
    }

    /// Reads what [`Grid::to_bytes`] wrote; `None` if the bytes are not those of `len` quarters.
    pub fn from_bytes(len: usize, bytes: &[u8]) -> Option<Grid> {
        if bytes.len() != len.div_ceil(8) {
            return None;
        }
        let mut grid = Grid::empty(len);
        for (index, byte) in bytes.iter().enumerate() {
            grid.words[index / 8] |= u64::from(*byte) << (index % 8 * 8);
        }
        let written = grid.clone();
        grid.trim();
        (grid == written).then_some(grid)
    }

    /// The bytes as standard, padded base64.
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.to_bytes())
    }

    /// Reads what [`Grid::to_text`] wrote of `len` quarters; `None` for anything else.
    pub fn from_text(len: usize, text: &str) -> Option<Grid> {
        Grid::from_bytes(len, &STANDARD.decode(text).ok()?)
    }

    /// Unsets the bits past the end.
    fn trim(&mut self) {
        bits::clear(&mut self.words, self.len..usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    fn grid(len: usize, runs: &[(usize, usize)]) -> Grid {
        let mut grid = Grid::empty(len);
        runs.iter().for_each(|run| grid.insert(run.0..run.1));
        grid
    }

    #[test]
    fn a_slot_starts_only_where_it_fits_whole() {
        let starts = grid(200, &[(10, 14), (60, 70), (198, 200)]).starts(4);
        assert_eq!(starts.iter().collect::<Vec<_>>(), [10, 60, 61, 62, 63, 64, 65, 66]);
        assert_eq!(Grid::full(10).starts(10).count(), 1);
        assert!(Grid::full(10).starts(11).is_empty());
        assert!(Grid::full(10).starts(usize::MAX).is_empty());
    }

    #[test]
    fn a_shorter_grid_counts_as_unset_from_its_end_on() {
        let mut long = Grid::full(100);
        long.and(&Grid::full(30));
        assert_eq!(long, grid(100, &[(0, 30)]));
        let mut short = Grid::empty(30);
        short.union(&Grid::full(100));
        assert_eq!(short, Grid::full(30));
        short.subtract(&grid(100, &[(5, 90)]));
        assert_eq!(short, grid(30, &[(0, 5)]));
    }

    #[test]
    fn text_reads_back_only_with_the_length_it_was_written_for() {
        for len in [0, 1, 8, 63, 64, 65, 672, 5956] {
            let written = grid(len, &[(0, len / 3), (len / 2, len)]);
            assert_eq!(Grid::from_text(len, &written.to_text()), Some(written));
        }
        let text = Grid::full(65).to_text();
        assert_eq!(Grid::from_text(66, &text).map(|grid| grid.count()), Some(65));
        assert_eq!(Grid::from_text(64, &text), None);
        assert_eq!(Grid::from_text(67, &Grid::full(68).to_text()), None);
        assert_eq!(Grid::from_text(usize::MAX, "!"), None);
    }
}
