//! What a zone's wall clock shows over a frame, in pieces on which it runs evenly.

use super::bits;
use super::frame::{Frame, Kind, MONDAY, QUARTER};
use super::week::QUARTERS_PER_DAY;
use super::zone::Zone;
use std::ops::Range;

/// The wall clock of one zone over one frame.
///
/// Together the pieces touch every quarter of the frame, and a quarter that a change of offset cuts in two, twice.
#[derive(Clone, Debug)]
pub struct Clockwork(Vec<Piece>);

/// Consecutive frame quarters that lie on consecutive wall-clock quarters.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// The first frame quarter.
    at: usize,
    /// How many frame quarters.
    len: usize,
    /// The wall-clock quarter on which the first one begins, counted from Monday 1969-12-29, 00:00; in a typical week from its
    /// own Monday.
    wall: i64,
    /// Whether each one reaches into the wall quarter after the one on which it begins.
    ragged: bool,
}

/// What is free on the wall clock, as a ring or a stretch of its quarters.
#[derive(Clone, Debug)]
pub struct Wall<W> {
    /// The wall-clock quarter of the first bit.
    pub from: i64,
    /// After so many quarters the ring begins again.
    pub round: i64,
    /// Quarter `q` is bit `q % 64` of word `q / 64`. At least 64 quarters more than the round can be read.
    pub words: W,
}

impl Clockwork {
    /// That of `zone` over `frame`.
    pub fn new(frame: &Frame, zone: &Zone) -> Clockwork {
        let start = match frame.kind {
            Kind::TypicalWeek { noon } => {
                let ahead = |own: &Zone| zone.offset_at(noon) - own.offset_at(noon);
                let wall = frame.zone().map_or(0, ahead);
                return Clockwork(vec![Piece::new(0, frame.len(), wall, QUARTER)]);
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
        Clockwork(pieces)
    }

    /// Unsets the frame's quarters of which some part is not free on the wall.
    pub fn keep<W: AsRef<[u64]>>(&self, frame: &mut [u64], wall: &Wall<W>) {
        let source = wall.words.as_ref();
        for piece in &self.0 {
            let into = |quarter: i64| usize::try_from((quarter - wall.from).rem_euclid(wall.round)).unwrap_or(0);
            let (mut from, round) = (into(piece.wall), usize::try_from(wall.round).unwrap_or(usize::MAX));
            bits::each_mask(frame.len(), piece.at..piece.at + piece.len, |word, mask| {
                let shift = mask.trailing_zeros();
                let mut free = bits::read(source, from);
                if piece.ragged {
                    free &= bits::read(source, if from + 1 < round { from + 1 } else { 0 });
                }
                frame[word] &= free << shift | !mask;
                from += mask.count_ones() as usize;
                if from >= round {
                    from -= round;
                }
            });
        }
    }

    /// Whether the two clocks show the same time of day throughout; the date may differ.
    pub fn agrees_with(&self, other: &Clockwork) -> bool {
        self.times().eq(other.times())
    }

    /// For every quarter when on the wall's day it begins, and whether it reaches into the next quarter there.
    fn times(&self) -> impl Iterator<Item = (i64, bool)> {
        self.0.iter().flat_map(|piece| {
            let quarters = (piece.wall..).take(piece.len);
            quarters.map(|quarter| (quarter.rem_euclid(QUARTERS_PER_DAY as i64), piece.ragged))
        })
    }

    /// From the first to past the last wall-clock quarter that it shows.
    pub fn shown(&self) -> Range<i64> {
        let end = |piece: &Piece| piece.wall + i64::try_from(piece.len).unwrap_or(0) + 1;
        let first = self.0.iter().map(|piece| piece.wall).min();
        first.unwrap_or(0)..self.0.iter().map(end).max().unwrap_or(0)
    }
}

impl Piece {
    /// `len` frame quarters from `at` on, of which `seconds` each (a quarter, or part of one) are spent from the wall-clock second
    /// `wall` after some Monday 00:00 on.
    fn new(at: usize, len: usize, wall: i64, seconds: i64) -> Piece {
        Piece { at, len, wall: wall.div_euclid(QUARTER), ragged: wall.rem_euclid(QUARTER) + seconds > QUARTER }
    }
}
