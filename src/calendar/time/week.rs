//! A typical week of quarter-hours on the wall clock.

use super::bits::{self, Runs};
use super::day::Day;
use std::ops::Range;

/// Quarters in a day.
pub const QUARTERS_PER_DAY: usize = 96;
/// Quarters in a week.
pub const QUARTERS_PER_WEEK: usize = 7 * QUARTERS_PER_DAY;

const WORDS: usize = QUARTERS_PER_WEEK.div_ceil(64);
const BYTES: usize = QUARTERS_PER_WEEK / 8;

/// 672 quarters, Monday 00:00 first; a set bit is a quarter in which a user can meet.
///
/// A week is wall-clock time. Which instants it means depends on the user's zone and the date: see
/// [`Projector`](super::Projector). The unused bits of the last word are always unset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Week([u64; WORDS]);

impl Week {
    /// No quarter at all.
    pub const EMPTY: Week = Week([0; WORDS]);

    /// Reads 84 bytes, quarter `q` being bit `q % 8` of byte `q / 8`; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Week> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let mut words = [0; WORDS];
        for (index, byte) in bytes.iter().enumerate() {
            words[index / 8] |= u64::from(*byte) << (index % 8 * 8);
        }
        Some(Week(words))
    }

    /// The 84 bytes that [`Week::from_bytes`] reads.
    pub fn to_bytes(&self) -> [u8; BYTES] {
        std::array::from_fn(|index| self.0[index / 8].to_le_bytes()[index % 8])
    }

    /// Whether quarter `q` (0..672) is set.
    pub fn contains(&self, q: usize) -> bool {
        bits::contains(&self.0, q)
    }

    /// Sets the quarters of `range`; those past the end of the week are left out.
    pub fn insert(&mut self, range: Range<usize>) {
        bits::fill(&mut self.0, range.start..range.end.min(QUARTERS_PER_WEEK));
    }

    /// Sets quarters of a day; those from 96 on are on the next day, after Sunday on Monday.
    pub(super) fn insert_on(&mut self, day: Day, quarters: Range<usize>) {
        let midnight = day.index() * QUARTERS_PER_DAY;
        let end = midnight + quarters.end;
        self.insert(midnight + quarters.start..end);
        self.insert(0..end.saturating_sub(QUARTERS_PER_WEEK));
    }

    /// Whether no quarter is set.
    pub fn is_empty(&self) -> bool {
        *self == Week::EMPTY
    }

    /// How many quarters are set.
    pub fn count(&self) -> usize {
        bits::count(&self.0)
    }

    /// The words of the set, quarter `q` being bit `q % 64` of word `q / 64`.
    pub fn bits(&self) -> &[u64; WORDS] {
        &self.0
    }

    /// The merged runs of one day, as quarters 0..96 of that day.
    pub fn runs_of(&self, day: Day) -> impl Iterator<Item = Range<usize>> {
        let base = day.index() * QUARTERS_PER_DAY;
        Runs::new(&self.0, base..base + QUARTERS_PER_DAY).map(move |run| run.start - base..run.end - base)
    }
}

/// A week as text for `#[serde(with = "base64_week")]`: standard, padded base64 of its 84 bytes.
pub mod base64_week {
    use super::Week;
    use base64::{Engine, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::borrow::Cow;

    /// Writes the text.
    pub fn serialize<S: Serializer>(week: &Week, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(week.to_bytes()))
    }

    /// Reads the text. It refuses every text that [`serialize`] cannot have written.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Week, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| Week::from_bytes(&bytes))
            .ok_or_else(|| D::Error::custom("not a week: expected base64 of 84 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Day, QUARTERS_PER_WEEK, Week};
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Packed(#[serde(with = "super::base64_week")] Week);

    #[test]
    fn a_week_ends_after_its_last_quarter() {
        let mut week = Week::EMPTY;
        week.insert(0..usize::MAX);
        assert_eq!(week.count(), QUARTERS_PER_WEEK);
        assert!(!week.contains(QUARTERS_PER_WEEK));
    }

    #[test]
    fn bytes_hold_quarter_q_in_bit_q_mod_8_of_byte_q_over_8() {
        let mut week = Week::EMPTY;
        week.insert(9..10);
        week.insert(671..672);
        let bytes = week.to_bytes();
        assert_eq!((bytes[1], bytes[83]), (2, 128));
        assert_eq!(Week::from_bytes(&bytes), Some(week));
        assert_eq!(Week::from_bytes(&bytes[1..]), None);
    }

    #[test]
    fn runs_are_merged_within_a_day_and_cut_at_midnight() {
        let mut week = Week::EMPTY;
        week.insert(90..100);
        week.insert(100..110);
        let runs = |day| -> Vec<_> { week.runs_of(day).map(|run| (run.start, run.end)).collect() };
        assert_eq!(runs(Day::Monday), [(90, 96)]);
        assert_eq!(runs(Day::Tuesday), [(0, 14)]);
        assert!(runs(Day::Sunday).is_empty());
    }

    #[test]
    fn a_week_is_read_back_from_its_base64_and_from_no_other_text() {
        let mut week = Packed(Week::EMPTY);
        week.0.insert(36..68);
        let text = json!(week);
        assert_eq!(text.as_str().map(str::len), Some(112));
        assert_eq!(serde_json::from_value::<Packed>(text).ok(), Some(week));
        for bad in [json!(""), json!("AAAA"), json!("*".repeat(112)), json!(7)] {
            assert!(serde_json::from_value::<Packed>(bad).is_err());
        }
    }
}
