//! The sentence that says why a slot was picked. Pure.

use crate::calendar::{DistinctBy, Preference, Ranking, RankingOptions, Slot, Zone, rank_slots, unknown_attendees};

use super::model::{AttendeeBreakdown, Candidates};

impl Candidates<'_> {
    /// Why this slot was picked.
    pub(super) fn reason(
        &self,
        ranking: &Ranking,
        slot: &Slot,
        rank: usize,
        breakdown: &AttendeeBreakdown<'_>,
    ) -> String {
        let apart = match self.options.distinct {
            DistinctBy::Block if rank > 1 => ", in a free block of its own,",
            DistinctBy::Day if rank > 1 => ", on a day of its own,",
            _ => "",
        };
        let remaining = if rank > 1 { "remaining " } else { "" };
        let which = match slot.pick {
            Preference::First => format!("the earliest {remaining}time"),
            Preference::Last => format!("the latest {remaining}time"),
            Preference::Best => format!("the highest score of all {remaining}times"),
            Preference::Random => format!("a random choice (seed {}) of the {remaining}times", self.options.seed),
        };
        let condition = self.condition(slot.pick, breakdown);
        let counts = self.attendance_phrase(slot.pick, breakdown);
        let whose = match ranking.pick {
            Some(_) => String::new(),
            None => format!(", for attendees who prefer {}", slot.pick.name()),
        };
        format!("{which}{apart} at which {condition}{whose}{counts}")
    }

    /// The condition that every candidate meets: `both attendees are free`.
    fn condition(&self, pick: Preference, breakdown: &AttendeeBreakdown<'_>) -> String {
        let (known, all) = (self.attendees.len(), self.attendees.len() + self.unknown.len());
        let (required, quorum) = (self.required_count(), self.quorum());
        let (subject, verb) = match (quorum, required) {
            (None, 0) => ("at least 1 attendee".to_owned(), "is"),
            (None, required) if required < known => all_of(required, "required "),
            (None, required) => all_of(required, if all > known { "known " } else { "" }),
            (Some(quorum), 0) => {
                (format!("at least {quorum} of {all} attendees"), if quorum == 1 { "is" } else { "are" })
            }
            (Some(quorum), required) => {
                (format!("{} and at least {quorum} of {all} attendees", all_of(required, "required ").0), "are")
            }
        };
        // `best` weighs if_needed time in the score; the other picks take a time that needs as few attendees in it as possible
        let least = quorum.or((required == 0).then_some(1)).unwrap_or(0);
        let forced = breakdown.required_if_needed.max(least.saturating_sub(breakdown.free.len()));
        match forced {
            0 if pick != Preference::Best || required == known => format!("{subject} {verb} free"),
            forced if pick != Preference::Best => {
                format!("{subject} can come, no more than {forced} of them only if needed")
            }
            _ => format!("{subject} can come"),
        }
    }

    /// How many attendees can come, unless the condition says it, and how many are unknown.
    fn attendance_phrase(&self, pick: Preference, breakdown: &AttendeeBreakdown<'_>) -> String {
        let (known, unknown) = (self.attendees.len(), self.unknown.len());
        let (coming, if_needed) = (breakdown.free.len() + breakdown.if_needed.len(), breakdown.if_needed.len());
        let are_all_required = self.required_count() == known;
        let mut phrase = match are_all_required {
            true => String::new(),
            false => format!("; {coming} of {} can come", known + unknown),
        };
        if if_needed > 0 && (pick == Preference::Best || !are_all_required) {
            phrase += &if are_all_required { "; ".to_owned() } else { ", ".to_owned() };
            phrase += &format!("{if_needed} of them only if needed");
        }
        if unknown > 0 {
            phrase += &format!("; {}", unknown_attendees(unknown));
        }
        phrase
    }

    /// A phrase for the best slot, if another one would rank first without fairness between time zones.
    pub(super) fn fairness_phrase(&mut self, ranking: &Ranking) -> String {
        let Some(slot) = ranking.slots.first() else { return String::new() };
        let has_fairness = slot.factors.iter().any(|factor| factor.name == "fairness");
        if slot.pick != Preference::Best || !has_fairness {
            return String::new();
        }
        let zones: Vec<Option<Zone>> = self.attendees.iter_mut().map(|one| one.zone.take()).collect();
        let options = RankingOptions { pick: Some(Preference::Best), limit: Some(1), ..self.options.clone() };
        let without_zones = rank_slots(&self.window, &self.attendees, &options);
        self.attendees.iter_mut().zip(zones).for_each(|(one, zone)| one.zone = zone);
        match without_zones.slots.first() {
            Some(other) if other.quarters != slot.quarters => {
                let (day, start, _) = self.format_slot(&other.quarters);
                let day = day.map(|day| format!("{day} ")).unwrap_or_default();
                format!(
                    "; without fairness between time zones {day}{start} would be first, but its worst local hour is worse"
                )
            }
            _ => String::new(),
        }
    }
}

/// `both attendees`, and the verb for them.
fn all_of(count: usize, kind: &str) -> (String, &'static str) {
    match count {
        1 => (format!("the one {kind}attendee"), "is"),
        2 => (format!("both {kind}attendees"), "are"),
        many => (format!("all {many} {kind}attendees"), "are"),
    }
}
