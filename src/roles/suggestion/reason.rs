//! The sentence that says why a slot was chosen. Pure.

use crate::calendar::{DistinctBy, Preference, Ranking, RankingOptions, Slot, Zone, rank_slots};

use super::model::{AttendeeBreakdown, Candidates};

impl Candidates<'_> {
    /// Why this slot, in words that are true of it whoever may stay away.
    pub(super) fn reason(&self, choice: &Ranking, slot: &Slot, rank: usize, places: &AttendeeBreakdown<'_>) -> String {
        let shared = choice.pick.is_some();
        let suits = self.suits(slot.pick, places);
        let apart = match self.ask.distinct {
            DistinctBy::Block if rank > 1 => ", in a stretch of time of its own,",
            DistinctBy::Day if rank > 1 => ", on a day of its own,",
            _ => "",
        };
        let left = if rank > 1 { " left" } else { "" };
        let which = match slot.pick {
            Preference::First => format!("the earliest time{left}"),
            Preference::Last => format!("the latest time{left}"),
            Preference::Best => format!("the highest score of all times{left}"),
            Preference::Random => format!("drawn by seed {} from the times{left}", self.ask.seed),
        };
        let more = self.who_comes(slot.pick, places);
        let whose = if shared { String::new() } else { format!(", for those who prefer {}", slot.pick.name()) };
        format!("{which}{apart} at which {suits}{whose}{more}")
    }

    /// What a time must be to be chosen: `both attendees are free`.
    fn suits(&self, pick: Preference, places: &AttendeeBreakdown<'_>) -> String {
        let (must, known, all) = (self.required(), self.attendees.len(), self.attendees.len() + self.unknown.len());
        let quorum = self.quorum();
        let (subject, verb) = match (quorum, must) {
            (None, 0) => ("somebody".to_owned(), "is"),
            (None, must) if must < known => every(must, "required "),
            (None, must) => every(must, if all > known { "known " } else { "" }),
            (Some(quorum), 0) => {
                (format!("at least {quorum} of {all} attendees"), if quorum == 1 { "is" } else { "are" })
            }
            (Some(quorum), must) => {
                (format!("{} and at least {quorum} of all {all}", every(must, "required ").0), "are")
            }
        };
        // best weighs how many would rather not; the others take a time to which as few as possible must come that way
        let pressed =
            places.reluctant.max(quorum.or((must == 0).then_some(1)).unwrap_or(0).saturating_sub(places.free.len()));
        match pressed {
            0 if pick != Preference::Best || must == known => format!("{subject} {verb} free"),
            some if pick != Preference::Best => format!("{subject} can come, as few as {some} only if needed"),
            _ => format!("{subject} can come"),
        }
    }

    /// How many come, where that is not said yet, and who is not known.
    fn who_comes(&self, pick: Preference, places: &AttendeeBreakdown<'_>) -> String {
        let (known, unknown) = (self.attendees.len(), self.unknown.len());
        let (come, reluctant) = (places.free.len() + places.if_needed.len(), places.if_needed.len());
        let must_all = self.required() == known;
        let mut said = match must_all {
            true => String::new(),
            false => format!("; {come} of all {} can", known + unknown),
        };
        if reluctant > 0 && (pick == Preference::Best || !must_all) {
            said += &if must_all { "; ".to_owned() } else { ", ".to_owned() };
            said += &format!("{reluctant} of them only if needed");
        }
        if unknown > 0 {
            said += &format!("; {}", not_known(unknown));
        }
        said
    }

    /// Says where the clocks of several zones decided: without them, another slot would be the best.
    pub(super) fn fairness(&mut self, choice: &Ranking) -> String {
        let Some(slot) = choice.slots.first() else { return String::new() };
        let weighed = slot.factors.iter().any(|factor| factor.name == "fairness");
        if slot.pick != Preference::Best || !weighed {
            return String::new();
        }
        let zones: Vec<Option<Zone>> = self.attendees.iter_mut().map(|one| one.zone.take()).collect();
        let ask = RankingOptions { pick: Some(Preference::Best), limit: Some(1), ..self.ask.clone() };
        let blind = rank_slots(&self.frame, &self.attendees, &ask);
        self.attendees.iter_mut().zip(zones).for_each(|(one, zone)| one.zone = zone);
        match blind.slots.first() {
            Some(other) if other.quarters != slot.quarters => {
                let (day, start, _) = self.clock(&other.quarters);
                let day = day.map(|day| format!("{day} ")).unwrap_or_default();
                let than = format!("without regard to anybody's clock {day}{start} would be");
                format!("; fairness between the time zones decided: {than}, but its worst local hour is worse")
            }
            _ => String::new(),
        }
    }
}

/// `1 of them is not known`.
pub fn not_known(count: usize) -> String {
    format!("{count} of them {} not known", if count == 1 { "is" } else { "are" })
}

/// `both attendees`, and the verb for them.
fn every(count: usize, kind: &str) -> (String, &'static str) {
    match count {
        1 => (format!("the one {kind}attendee"), "is"),
        2 => (format!("both {kind}attendees"), "are"),
        many => (format!("all {many} {kind}attendees"), "are"),
    }
}
