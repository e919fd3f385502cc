//! Counting sets that come one after the other, however long they are: bit-sliced, in pieces of 256 bits.

use super::counter::{BLOCK, Lane, add_eight, flush};

/// Words counted at a time; wide enough for the compiler to use vector registers.
const WORDS: usize = 4;

/// Counts for each bit in how many sets it was set.
#[derive(Debug)]
pub struct Tally {
    pieces: Vec<Piece>,
    /// Sets that wait, 0..8, and those that the planes hold.
    waiting: usize,
    held: usize,
}

#[derive(Clone, Debug)]
struct Piece {
    waiting: [Lane<WORDS>; 8],
    planes: [Lane<WORDS>; 8],
    totals: [[u32; 64]; WORDS],
}

impl Tally {
    /// For sets of so many words.
    pub fn new(words: usize) -> Tally {
        let empty = Piece { waiting: [[0; WORDS]; 8], planes: [[0; WORDS]; 8], totals: [[0; 64]; WORDS] };
        Tally { pieces: vec![empty; words.div_ceil(WORDS)], waiting: 0, held: 0 }
    }

    /// Adds a set of as many words.
    pub fn add(&mut self, set: &[u64]) {
        for (piece, words) in self.pieces.iter_mut().zip(set.chunks(WORDS)) {
            piece.waiting[self.waiting][..words.len()].copy_from_slice(words);
        }
        self.waiting += 1;
        if self.waiting == 8 {
            self.add_waiting();
        }
    }

    fn add_waiting(&mut self) {
        self.waiting = 0;
        self.held += 8;
        let full = self.held == BLOCK;
        for piece in &mut self.pieces {
            add_eight(&mut piece.planes, piece.waiting);
            if full {
                piece.flush();
            }
        }
        if full {
            self.held = 0;
        }
    }

    /// The count of every bit; there are some more than bits, and those are 0.
    pub fn totals(mut self) -> Vec<u32> {
        let waiting = self.waiting;
        self.pieces.iter_mut().for_each(|piece| piece.waiting[waiting..].fill([0; WORDS]));
        self.add_waiting();
        self.pieces.iter_mut().for_each(Piece::flush);
        self.pieces.iter().flat_map(|piece| piece.totals.as_flattened()).copied().collect()
    }
}

impl Piece {
    fn flush(&mut self) {
        flush(&self.planes, &mut self.totals);
        self.planes = [[0; WORDS]; 8];
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn counts_are_right_around_every_group_and_block_size() {
        for (sets, words) in
            [(0, 1), (1, 3), (7, 4), (8, 5), (9, 2), (247, 1), (248, 9), (249, 4), (496, 4), (1000, 11)]
        {
            let mut tally = Tally::new(words);
            for set in 0..sets {
                // Bit `b` of set `s` is set if `s` is a multiple of `b + 1`.
                let word = |word: usize| (0..64).filter(|b| set % (word * 64 + b + 1) == 0).map(|b| 1 << b).sum();
                tally.add(&(0..words).map(word).collect::<Vec<u64>>());
            }
            let totals = tally.totals();
            for (bit, total) in totals[..words * 64].iter().enumerate() {
                assert_eq!(*total as usize, sets.div_ceil(bit + 1), "{sets} sets, bit {bit}");
            }
            assert!(totals[words * 64..].iter().all(|total| *total == 0));
        }
    }
}
