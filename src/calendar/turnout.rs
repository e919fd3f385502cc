//! How many come to each start, with what weight, and how many of them only if needed.

use super::group::Group;
use super::rank::Attendee;
use super::tally::Tally;

/// What attendees make of every start. A list without numbers stands for zeros: where all are required and nobody has an
/// `if_needed`, nothing is counted.
#[derive(Debug)]
pub struct Turnout {
    required: usize,
    quorum: usize,
    /// The weights of those who are required.
    weight: u64,
    /// How many have an `if_needed` at all.
    hesitant: usize,
    /// How many of those who need not come can, and their weights.
    pub coming: Vec<u32>,
    weights: Vec<u32>,
    /// How many come only if needed: of those who are required, and of the others who can.
    reluctant_required: Vec<u32>,
    reluctant_optional: Vec<u32>,
}

impl Turnout {
    /// That of a group.
    pub fn new(group: &Group) -> Turnout {
        let (mut weight, mut hesitant, mut weights_there) = (0, 0, [false; 10]);
        for (index, one) in group.attendees.iter().enumerate() {
            match group.needs(index) {
                true => weight += u64::from(weight_of(one.weight)),
                false => weights_there[weight_of(one.weight) as usize] = true,
            }
            hesitant += usize::from(is_hesitant(one));
        }
        let (mut coming, mut weights) = (Vec::new(), Vec::new());
        let mut reluctance = Reluctance::new(group);
        for each in (1..=9).filter(|each| weights_there[*each as usize]) {
            let them = |index: &usize| !group.needs(*index) && weight_of(group.attendees[*index].weight) == each;
            let counts = group.count(group.everybody().filter(them), |index, reach| reluctance.add(index, reach));
            add(&mut coming, &counts, 1);
            add(&mut weights, &counts, each);
        }
        let reluctant_optional = reluctance.totals();
        let mut reluctance = Reluctance::new(group);
        if hesitant > 0 {
            let mut reach = group.words();
            for index in group.everybody().filter(|index| group.needs(*index) && is_hesitant(&group.attendees[*index]))
            {
                group.reach(index, &mut reach);
                reluctance.add(index, &reach);
            }
        }
        Turnout {
            required: group.required,
            quorum: group.quorum,
            weight,
            hesitant,
            reluctant_required: reluctance.totals(),
            reluctant_optional,
            coming,
            weights,
        }
    }

    /// The weights of those who can come to a candidate.
    pub fn weight(&self, start: usize) -> u64 {
        self.weight + at(&self.weights, start) as u64
    }

    /// How many of those who have an `if_needed` do not come to a candidate by it.
    pub fn at_ease(&self, start: usize) -> u64 {
        // More than the tier has room for are told as that many.
        self.hesitant.min(9_999).saturating_sub(self.reluctant(start)) as u64
    }

    fn reluctant(&self, start: usize) -> usize {
        at(&self.reluctant_required, start) + at(&self.reluctant_optional, start)
    }

    /// Whether anybody has an `if_needed`.
    pub fn is_hesitant(&self) -> bool {
        self.hesitant > 0
    }

    /// How many must come to a candidate who would rather not: those who are required, and what the quorum lacks without others.
    pub fn pressed(&self, start: usize) -> usize {
        let free = self.required + at(&self.coming, start) - self.reluctant(start);
        at(&self.reluctant_required, start).max(self.quorum.saturating_sub(free))
    }
}

/// For every start how many come only if needed.
struct Reluctance<'a> {
    group: &'a Group<'a>,
    ease: Vec<u64>,
    tally: Option<Tally>,
}

impl<'a> Reluctance<'a> {
    fn new(group: &'a Group<'a>) -> Reluctance<'a> {
        Reluctance { group, ease: Vec::new(), tally: None }
    }

    /// Adds somebody who can come to these starts.
    fn add(&mut self, index: usize, reach: &[u64]) {
        if !is_hesitant(&self.group.attendees[index]) {
            return;
        }
        self.ease.resize(reach.len(), 0);
        self.group.ease(index, &mut self.ease);
        self.ease.iter_mut().zip(reach).for_each(|(ease, reach)| *ease = reach & !*ease);
        self.tally.get_or_insert_with(|| Tally::new(reach.len())).add(&self.ease);
    }

    fn totals(self) -> Vec<u32> {
        self.tally.map_or_else(Vec::new, Tally::totals)
    }
}

fn is_hesitant(one: &Attendee) -> bool {
    !one.if_needed.is_empty()
}

fn weight_of(weight: u32) -> u32 {
    weight.clamp(1, 9)
}

fn at(counts: &[u32], start: usize) -> usize {
    counts.get(start).copied().unwrap_or(0) as usize
}

fn add(sum: &mut Vec<u32>, counts: &[u32], times: u32) {
    sum.resize(counts.len(), 0);
    sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += times * count);
}
