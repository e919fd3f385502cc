//! For every start, how many attendees can come, their weights, and how many of them come in `if_needed` time.

use super::attendee_set::AttendeeSet;
use super::bit_counter::{BitCounter, count_at};
use super::types::Attendee;

/// The counts of every start. An empty list stands for zeros: where all attendees are required and have no `if_needed` time,
/// nothing is counted.
#[derive(Debug)]
pub struct AttendanceCounts {
    required: usize,
    quorum: usize,
    /// The sum of the weights of the required attendees.
    required_weight: u64,
    /// How many attendees have `if_needed` time at all.
    with_if_needed: usize,
    /// How many optional attendees can come, and the sum of their weights.
    pub optional_available: Vec<u32>,
    optional_weights: Vec<u32>,
    /// How many attendees would come in `if_needed` time.
    if_needed_required: Vec<u32>,
    if_needed_optional: Vec<u32>,
}

impl AttendanceCounts {
    /// The counts of these attendees.
    pub fn new(set: &AttendeeSet) -> AttendanceCounts {
        let (mut required_weight, mut with_if_needed, mut has_optional) = (0, 0, [false; 10]);
        for (index, one) in set.attendees.iter().enumerate() {
            match set.is_required(index) {
                true => required_weight += u64::from(weight_of(one)),
                false => has_optional[weight_of(one) as usize] = true,
            }
            with_if_needed += usize::from(has_if_needed(one));
        }
        let (mut optional_available, mut optional_weights) = (Vec::new(), Vec::new());
        let mut if_needed_optional = IfNeededCounter::new(set);
        for weight in (1..=9).filter(|weight| has_optional[*weight as usize]) {
            let indices =
                set.indices().filter(|index| !set.is_required(*index) && weight_of(&set.attendees[*index]) == weight);
            let counts = set.count_available(indices, |index, starts| if_needed_optional.add(index, starts));
            add_multiple(&mut optional_available, &counts, 1);
            add_multiple(&mut optional_weights, &counts, weight);
        }
        let mut if_needed_required = IfNeededCounter::new(set);
        if with_if_needed > 0 {
            let mut starts = set.zeroed_words();
            let indices =
                set.indices().filter(|index| set.is_required(*index) && has_if_needed(&set.attendees[*index]));
            for index in indices {
                set.available_starts(index, &mut starts);
                if_needed_required.add(index, &starts);
            }
        }
        AttendanceCounts {
            required: set.required,
            quorum: set.quorum,
            required_weight,
            with_if_needed,
            if_needed_required: if_needed_required.totals(),
            if_needed_optional: if_needed_optional.totals(),
            optional_available,
            optional_weights,
        }
    }

    /// The sum of the weights of the attendees who can come to a candidate.
    pub fn weight(&self, start: usize) -> u64 {
        self.required_weight + count_at(&self.optional_weights, start) as u64
    }

    /// How many of the attendees with `if_needed` time do not use it at a candidate. The tier has room for 9,999.
    pub fn not_if_needed_count(&self, start: usize) -> u64 {
        self.with_if_needed.min(9_999).saturating_sub(self.if_needed_count(start)) as u64
    }

    fn if_needed_count(&self, start: usize) -> usize {
        count_at(&self.if_needed_required, start) + count_at(&self.if_needed_optional, start)
    }

    /// Whether an attendee has `if_needed` time.
    pub fn any_if_needed(&self) -> bool {
        self.with_if_needed > 0
    }

    /// How many attendees must use `if_needed` time at a candidate: the required ones, or as many as the quorum lacks without
    /// them.
    pub fn forced_if_needed(&self, start: usize) -> usize {
        let free = self.required + count_at(&self.optional_available, start) - self.if_needed_count(start);
        count_at(&self.if_needed_required, start).max(self.quorum.saturating_sub(free))
    }
}

/// Counts for every start how many attendees come in `if_needed` time.
struct IfNeededCounter<'a> {
    set: &'a AttendeeSet<'a>,
    words: Vec<u64>,
    counter: Option<BitCounter>,
}

impl<'a> IfNeededCounter<'a> {
    fn new(set: &'a AttendeeSet<'a>) -> IfNeededCounter<'a> {
        IfNeededCounter { set, words: Vec::new(), counter: None }
    }

    /// Adds an attendee who can come to these starts.
    fn add(&mut self, index: usize, starts: &[u64]) {
        if !has_if_needed(&self.set.attendees[index]) {
            return;
        }
        self.words.resize(starts.len(), 0);
        self.set.preferred_starts(index, &mut self.words);
        self.words.iter_mut().zip(starts).for_each(|(word, available)| *word = available & !*word);
        self.counter.get_or_insert_with(|| BitCounter::new(starts.len())).add(&self.words);
    }

    fn totals(self) -> Vec<u32> {
        self.counter.map_or_else(Vec::new, BitCounter::totals)
    }
}

fn has_if_needed(one: &Attendee) -> bool {
    !one.if_needed.is_empty()
}

fn weight_of(one: &Attendee) -> u32 {
    one.weight.clamp(1, 9)
}

fn add_multiple(sum: &mut Vec<u32>, counts: &[u32], factor: u32) {
    sum.resize(counts.len(), 0);
    sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += factor * count);
}
