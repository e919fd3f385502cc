//! Counting, bit by bit, in how many sets each bit is set: bit-sliced, 64 counts to a word.
//!
//! Eight planes hold the counts in binary, plane `k` the bit of weight `2^k` of every count. Sets are
//! added eight at a time by carry-save adders; before a count can pass 255, the planes are flushed.

use std::array::from_fn;

/// `W` words of a set.
pub type Lane<const W: usize> = [u64; W];

/// Sets added between two flushes: a multiple of 8 that eight planes can hold.
pub const BLOCK: usize = 248;

/// Adds to `totals` (64 for each word) how many of `lane(0)..lane(sets)` have each bit set.
#[inline]
pub fn count<const W: usize>(sets: usize, lane: impl Fn(usize) -> Lane<W>, totals: &mut [[u32; 64]; W]) {
    let mut next = 0;
    while next < sets {
        let end = sets.min(next + BLOCK);
        let mut planes = [[0; W]; 8];
        while next + 8 <= end {
            add_eight(&mut planes, from_fn(|i| lane(next + i)));
            next += 8;
        }
        while next < end {
            ripple(&mut planes, lane(next));
            next += 1;
        }
        flush(&planes, totals);
    }
}

/// One full adder for every bit: the sum of three, and what it carries.
#[inline(always)]
fn add<const W: usize>(a: Lane<W>, b: Lane<W>, c: Lane<W>) -> (Lane<W>, Lane<W>) {
    let half: Lane<W> = from_fn(|i| a[i] ^ b[i]);
    let sum = from_fn(|i| half[i] ^ c[i]);
    let carry = from_fn(|i| (a[i] & b[i]) | (half[i] & c[i]));
    (sum, carry)
}

/// Adds eight sets to what the planes hold.
#[inline(always)]
pub fn add_eight<const W: usize>(planes: &mut [Lane<W>; 8], lanes: [Lane<W>; 8]) {
    let [a, b, c, d, e, f, g, h] = lanes;
    let (ones, two_a) = add(planes[0], a, b);
    let (ones, two_b) = add(ones, c, d);
    let (ones, two_c) = add(ones, e, f);
    let (ones, two_d) = add(ones, g, h);
    let (twos, four_a) = add(planes[1], two_a, two_b);
    let (twos, four_b) = add(twos, two_c, two_d);
    let (fours, eight) = add(planes[2], four_a, four_b);
    [planes[0], planes[1], planes[2]] = [ones, twos, fours];
    ripple(&mut planes[3..], eight);
}

/// Adds one set of the weight of the first plane given.
#[inline(always)]
fn ripple<const W: usize>(planes: &mut [Lane<W>], mut carry: Lane<W>) {
    for plane in planes {
        let sum = from_fn(|i| plane[i] ^ carry[i]);
        carry = from_fn(|i| plane[i] & carry[i]);
        *plane = sum;
    }
}

/// Adds what the planes hold to the totals, eight counts at a time: one in each byte of a word.
pub fn flush<const W: usize>(planes: &[Lane<W>; 8], totals: &mut [[u32; 64]; W]) {
    for (word, totals) in totals.iter_mut().enumerate() {
        for (byte, eight) in totals.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            let bits = |plane: &Lane<W>| spread((plane[word] >> (8 * byte)) as u8);
            let counts = (0..8).map(|k| bits(&planes[k]) << k).sum::<u64>();
            for (total, count) in eight.iter_mut().zip(counts.to_le_bytes()) {
                *total += u32::from(count);
            }
        }
    }
}

/// Bit `i` of a byte as byte `i` of a word.
#[inline(always)]
fn spread(bits: u8) -> u64 {
    const EVERY: u64 = 0x0101_0101_0101_0101;
    // Byte `i` keeps bit `i` alone; adding 127 then moves it, whichever it is, into the byte's top bit.
    let kept = (u64::from(bits) * EVERY) & 0x8040_2010_0804_0201;
    (kept + 0x7F * EVERY) >> 7 & EVERY
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts_are_right_around_every_group_and_block_size() {
        for sets in [0, 1, 7, 8, 9, 247, 248, 249, 255, 256, 497, 1000] {
            // Bit `b` of set `s` is set if `s` is a multiple of `b + 1`.
            let lane = |set: usize| {
                let bits = |from: u64| (from..from + 64).filter(|b| (set as u64).is_multiple_of(b + 1));
                [0, 64].map(|from| bits(from).map(|b| 1 << (b - from)).sum::<u64>())
            };
            let mut totals = [[0; 64]; 2];
            count(sets, lane, &mut totals);
            for (bit, total) in totals.as_flattened().iter().enumerate() {
                assert_eq!(*total as usize, sets.div_ceil(bit + 1), "{sets} sets, bit {bit}");
            }
        }
    }
}
