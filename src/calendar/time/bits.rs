//! Bit sets in words of 64: the few operations that `Week` and `Grid` share.
//!
//! Bit `i` of a set is bit `i % 64` of word `i / 64`. Bits past the end of the words read as unset.

use std::ops::Range;

/// Sets every bit of `range`; bits past the end of the words are left out.
pub fn fill(words: &mut [u64], range: Range<usize>) {
    each_mask(words.len(), range, |word, mask| words[word] |= mask);
}

/// Clears every bit of `range`.
pub fn clear(words: &mut [u64], range: Range<usize>) {
    each_mask(words.len(), range, |word, mask| words[word] &= !mask);
}

/// Calls `act` with the index of every word that `range` overlaps, and the mask of the bits of `range` in it.
pub fn each_mask(words: usize, range: Range<usize>, mut act: impl FnMut(usize, u64)) {
    let end = range.end.min(words * 64);
    let mut at = range.start;
    while at < end {
        let next = (at / 64 + 1) * 64;
        let stop = next.min(end);
        act(at / 64, (!0 >> (64 - (stop - at))) << (at % 64));
        at = stop;
    }
}

/// Whether bit `at` is set.
pub fn contains(words: &[u64], at: usize) -> bool {
    words.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}

/// How many bits are set.
pub fn count(words: &[u64]) -> usize {
    words.iter().map(|word| word.count_ones() as usize).sum()
}

/// The 64 bits that begin at bit `at`.
#[inline]
pub fn read(words: &[u64], at: usize) -> u64 {
    let (word, shift) = (at / 64, at % 64);
    let low = words.get(word).copied().unwrap_or(0) >> shift;
    match shift {
        0 => low,
        _ => low | words.get(word + 1).copied().unwrap_or(0) << (64 - shift),
    }
}

/// Erosion: keeps the bits that begin `duration` set bits in a row (0 counts as 1).
pub fn erode(words: &mut [u64], duration: usize) {
    // After each step a set bit means that `done` bits from it on were set. Shifting by at most `done` doubles that number.
    let mut done = 1;
    while done < duration {
        let shift = done.min(duration - done);
        erode_by(words, shift);
        done += shift;
    }
}

/// Keeps the bits for which the one `shift` (at least 1) later is set, too.
fn erode_by(words: &mut [u64], shift: usize) {
    let (skip, shift) = (shift / 64, shift % 64);
    // Only this word and later ones are read, so no word is written before it is read.
    match (skip, shift) {
        (0, _) => {
            for at in 1..words.len() {
                words[at - 1] &= words[at - 1] >> shift | words[at] << (64 - shift);
            }
            words.last_mut().into_iter().for_each(|last| *last &= *last >> shift);
        }
        _ => {
            for at in 0..words.len() {
                words[at] &= read(words, (at + skip) * 64 + shift);
            }
        }
    }
}

/// The runs of set bits inside a range, in order, each as long as possible. They are found word by word.
#[derive(Clone, Debug)]
pub struct Runs<'a> {
    words: &'a [u64],
    at: usize,
    end: usize,
}

impl<'a> Runs<'a> {
    /// The runs of `words`, cut to `range`.
    pub fn new(words: &'a [u64], range: Range<usize>) -> Runs<'a> {
        let end = range.end.min(words.len() * 64);
        Runs { words, at: range.start, end }
    }

    /// The first bit from here on that is set (`flip` 0) or unset (`flip` all ones), else the end.
    fn seek(&self, from: usize, flip: u64) -> usize {
        let mut at = from;
        while at < self.end {
            let word = (self.words[at / 64] ^ flip) >> (at % 64);
            if word != 0 {
                return self.end.min(at + word.trailing_zeros() as usize);
            }
            at = (at / 64 + 1) * 64;
        }
        self.end
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.seek(self.at, 0);
        let end = self.seek(start, !0);
        self.at = end;
        (start < end).then_some(start..end)
    }
}
