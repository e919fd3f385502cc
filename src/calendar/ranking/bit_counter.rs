//! Counts for each bit in how many sets it is set: bit-sliced, 64 counts to a word.
//!
//! Eight planes hold the counts in binary, plane `k` the bit of weight `2^k` of every count. Sets are added eight at a time by
//! carry-save adders. Before a count can pass 255, the planes are flushed.

use std::array::from_fn;

/// Words that are counted together; wide enough for the compiler to use vector registers.
pub const WORDS: usize = 4;
/// That many words of a set.
pub type Lane = [u64; WORDS];

/// Sets that eight planes can hold: a multiple of 8 below 256.
const MAX_HELD: usize = 248;

/// Counts the bits of sets of any length.
#[derive(Debug)]
pub struct BitCounter(Vec<BlockCounter>);

impl BitCounter {
    /// For sets of this many words.
    pub fn new(words: usize) -> BitCounter {
        BitCounter(vec![BlockCounter::new(); words.div_ceil(WORDS)])
    }

    /// Adds a set of as many words.
    pub fn add(&mut self, set: &[u64]) {
        for (block, words) in self.0.iter_mut().zip(set.chunks(WORDS)) {
            block.next()[..words.len()].copy_from_slice(words);
            block.added();
        }
    }

    /// The count of every bit, and zeros for the bits that fill the last block.
    pub fn totals(self) -> Vec<u32> {
        let mut totals = Vec::with_capacity(self.0.len() * WORDS * 64);
        self.0.into_iter().for_each(|block| totals.extend_from_slice(block.totals().as_flattened()));
        totals
    }
}

/// Counts the bits of `WORDS` words of each set.
#[derive(Clone, Debug)]
pub struct BlockCounter {
    /// Sets that are not added to the planes yet, 0..8.
    waiting: [Lane; 8],
    waiting_len: usize,
    planes: [Lane; 8],
    /// How many sets the planes hold.
    held: usize,
    totals: [[u32; 64]; WORDS],
}

impl BlockCounter {
    /// A counter of no sets.
    pub fn new() -> BlockCounter {
        let empty = [[0; WORDS]; 8];
        BlockCounter { waiting: empty, waiting_len: 0, planes: empty, held: 0, totals: [[0; 64]; WORDS] }
    }

    /// Adds a set.
    #[inline(always)]
    pub fn add(&mut self, lane: Lane) {
        *self.next() = lane;
        self.added();
    }

    /// Where the next set is written, before [`BlockCounter::added`] is called. It holds zeros or an older set.
    #[inline(always)]
    fn next(&mut self) -> &mut Lane {
        &mut self.waiting[self.waiting_len & 7]
    }

    #[inline(always)]
    fn added(&mut self) {
        self.waiting_len += 1;
        if self.waiting_len == 8 {
            self.add_waiting();
        }
    }

    fn add_waiting(&mut self) {
        add_eight(&mut self.planes, self.waiting);
        self.waiting_len = 0;
        self.held += 8;
        if self.held == MAX_HELD {
            self.flush();
        }
    }

    /// The count of every bit.
    pub fn totals(mut self) -> [[u32; 64]; WORDS] {
        self.waiting[self.waiting_len..].fill([0; WORDS]);
        self.add_waiting();
        self.flush();
        self.totals
    }

    /// Adds the counts of the planes to the totals, eight at a time: one in each byte of a word.
    fn flush(&mut self) {
        for (word, totals) in self.totals.iter_mut().enumerate() {
            for (byte, eight) in totals.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let bits = |plane: &Lane| bits_to_bytes((plane[word] >> (8 * byte)) as u8);
                let counts = (0..8).map(|k| bits(&self.planes[k]) << k).sum::<u64>();
                for (total, count) in eight.iter_mut().zip(counts.to_le_bytes()) {
                    *total += u32::from(count);
                }
            }
        }
        self.planes = [[0; WORDS]; 8];
        self.held = 0;
    }
}

/// The count of one bit; 0 past the end, so that no list of counts stands for zeros.
pub fn count_at(counts: &[u32], bit: usize) -> usize {
    counts.get(bit).copied().unwrap_or(0) as usize
}

/// One full adder for every bit: the sum of three bits, and the carry.
#[inline(always)]
fn add(a: Lane, b: Lane, c: Lane) -> (Lane, Lane) {
    let half: Lane = from_fn(|i| a[i] ^ b[i]);
    let sum = from_fn(|i| half[i] ^ c[i]);
    let carry = from_fn(|i| (a[i] & b[i]) | (half[i] & c[i]));
    (sum, carry)
}

/// Adds eight sets to the counts in the planes.
#[inline(always)]
fn add_eight(planes: &mut [Lane; 8], lanes: [Lane; 8]) {
    let [a, b, c, d, e, f, g, h] = lanes;
    let (ones, two_a) = add(planes[0], a, b);
    let (ones, two_b) = add(ones, c, d);
    let (ones, two_c) = add(ones, e, f);
    let (ones, two_d) = add(ones, g, h);
    let (twos, four_a) = add(planes[1], two_a, two_b);
    let (twos, four_b) = add(twos, two_c, two_d);
    let (fours, mut carry) = add(planes[2], four_a, four_b);
    [planes[0], planes[1], planes[2]] = [ones, twos, fours];
    for plane in &mut planes[3..] {
        let sum = from_fn(|i| plane[i] ^ carry[i]);
        carry = from_fn(|i| plane[i] & carry[i]);
        *plane = sum;
    }
}

/// Bit `i` of a byte as byte `i` of a word.
#[inline(always)]
fn bits_to_bytes(bits: u8) -> u64 {
    const EVERY: u64 = 0x0101_0101_0101_0101;
    // Byte `i` keeps bit `i` alone. Adding 127 moves it, whichever it is, into the top bit of the byte.
    let kept = (u64::from(bits) * EVERY) & 0x8040_2010_0804_0201;
    (kept + 0x7F * EVERY) >> 7 & EVERY
}

#[cfg(test)]
mod tests {
    use super::BitCounter;

    #[test]
    fn counts_are_right_around_every_group_and_block_size() {
        for (sets, words) in
            [(0, 1), (1, 3), (7, 4), (8, 5), (9, 2), (247, 1), (248, 9), (249, 4), (255, 2), (496, 4), (1000, 11)]
        {
            let mut counter = BitCounter::new(words);
            for set in 0..sets {
                // Bit `b` of set `s` is set if `s` is a multiple of `b + 1`.
                let word = |word: usize| (0..64).filter(|b| set % (word * 64 + b + 1) == 0).map(|b| 1 << b).sum();
                counter.add(&(0..words).map(word).collect::<Vec<u64>>());
            }
            let totals = counter.totals();
            for (bit, total) in totals[..words * 64].iter().enumerate() {
                assert_eq!(*total as usize, sets.div_ceil(bit + 1), "{sets} sets, bit {bit}");
            }
            assert!(totals[words * 64..].iter().all(|total| *total == 0));
        }
    }
}
