//! From an attendee's wall-clock week to the quarters of a frame.

use super::bits;
use super::frame::{Frame, Kind, MONDAY, QUARTER};
use super::grid::Grid;
use super::week::{QUARTERS_PER_WEEK, Week};
use super::zone::Zone;
use std::collections::HashMap;

/// Projects weeks onto one frame; what a zone does there is worked out once and kept.
#[derive(Debug)]
pub struct Projector<'a> {
    frame: &'a Frame,
    pieces: HashMap<Zone, Vec<Piece>>,
}

/// Consecutive frame quarters that lie on consecutive wall-clock quarters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// The first frame quarter.
    at: usize,
    /// How many frame quarters.
    len: usize,
    /// The quarter of the week on which the first one begins.
    from: usize,
    /// Whether each one reaches into the wall quarter after the one on which it begins.
    ragged: bool,
}

impl Piece {
    /// `len` frame quarters from `at` on, of which `seconds` each (a quarter, or part of one) are
    /// spent from the wall-clock second `wall` after some Monday 00:00 on.
    fn new(at: usize, len: usize, wall: i64, seconds: i64) -> Piece {
        let from = wall.div_euclid(QUARTER).rem_euclid(QUARTERS_PER_WEEK as i64);
        Piece {
            at,
            len,
            from: usize::try_from(from).unwrap_or(0),
            ragged: wall.rem_euclid(QUARTER) + seconds > QUARTER,
        }
    }
}

impl<'a> Projector<'a> {
    pub(super) fn new(frame: &'a Frame) -> Projector<'a> {
        let pieces = HashMap::new();
        Projector { frame, pieces }
    }

    /// The quarters of the frame of which every second lies inside `week` on the wall clock of `zone`.
    ///
    /// In a window that clock follows the zone's rules: what a gap skips does not exist, what a fold
    /// repeats exists twice.
    pub fn project(&mut self, week: &Week, zone: &Zone) -> Grid {
        let pieces = self.pieces.entry(zone.clone()).or_insert_with(|| pieces(self.frame, zone));
        let mut grid = Grid::full(self.frame.len());
        let smooth = ring(week.bits());
        let mut ragged = None;
        for piece in pieces {
            let ring = match piece.ragged {
                false => &smooth,
                true => ragged.get_or_insert_with(|| both(&smooth)),
            };
            keep(grid.bits_mut(), piece, ring);
        }
        grid
    }
}

/// A week and its beginning again, so that 64 quarters can be read from any quarter of it on.
type Ring = [u64; 12];

fn ring(week: &[u64; 11]) -> Ring {
    // The week ends in the middle of its last word. From its last quarter on, 64 quarters reach into
    // the twelfth by less than half.
    let mut ring = [0; 12];
    ring[..11].copy_from_slice(week);
    ring[10] |= week[0] << 32;
    ring[11] = week[0] >> 32;
    ring
}

/// The quarters whose next quarter is set too.
fn both(smooth: &Ring) -> Ring {
    let mut both: [u64; 11] = std::array::from_fn(|word| smooth[word] & bits::read(smooth, word * 64 + 1));
    both[10] &= u64::MAX >> 32;
    ring(&both)
}

/// Unsets the quarters of the piece that the ring has not.
fn keep(words: &mut [u64], piece: &Piece, ring: &Ring) {
    let mut from = piece.from;
    bits::each_mask(words.len(), piece.at..piece.at + piece.len, |word, mask| {
        let shift = mask.trailing_zeros();
        words[word] &= bits::read(ring, from) << shift | !mask;
        from = (from + mask.count_ones() as usize) % QUARTERS_PER_WEEK;
    });
}

/// What the wall clock of `zone` shows over the frame. Together the pieces touch every quarter of it,
/// and a quarter that a change of offset cuts in two, twice.
fn pieces(frame: &Frame, zone: &Zone) -> Vec<Piece> {
    let start = match frame.kind {
        Kind::TypicalWeek { noon } => {
            let ahead = |own: &Zone| zone.offset_at(noon) - own.offset_at(noon);
            let wall = frame.zone().map_or(0, ahead);
            return vec![Piece::new(0, frame.len(), wall, QUARTER)];
        }
        Kind::Window { start, .. } => start,
    };
    let mut pieces = Vec::new();
    let end = start + QUARTER * i64::try_from(frame.len()).unwrap_or(0);
    for segment in zone.segments(start, end) {
        let mut at = segment.start;
        while at < segment.end {
            // Whole quarters together, what a change of offset cuts off at either side alone.
            let into = (at - start) % QUARTER;
            let left = segment.end - at;
            let until = match into {
                0 if left >= QUARTER => segment.end - left % QUARTER,
                _ => segment.end.min(at - into + QUARTER),
            };
            // Neither number is negative: a segment lies inside the frame.
            let quarter = usize::try_from((at - start) / QUARTER).unwrap_or(0);
            let len = usize::try_from((until - at) / QUARTER).unwrap_or(0).max(1);
            let wall = at + segment.offset + MONDAY;
            pieces.push(Piece::new(quarter, len, wall, (until - at).min(QUARTER)));
            at = until;
        }
    }
    pieces
}
