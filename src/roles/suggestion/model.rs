//! From everybody's time to ranked slots, with everybody's place and clock in each. Pure.

use std::ops::Range;

use crate::calendar::{
    Attendance, Attendee, Fault, Grid, Ranking, RankingOptions, SearchWindow, Slot, Zone, count_starts, rank_slots,
};
use crate::platform::email::Email;
use crate::platform::http::window::LARGEST_SEED;
use crate::roles::availability::api::{self, GroupDetail, Window};

use super::api::{Factor, Local, Suggestion, Suggestions};
use super::request::Request;

/// Raised whenever the same data may give another answer.
const ALGORITHM_VERSION: u32 = 2;

/// Everybody's time in one frame, and what is asked of it.
pub struct Candidates<'a> {
    pub(super) request: &'a Request,
    pub(super) ask: RankingOptions,
    pub(super) frame: SearchWindow,
    pub(super) emails: Vec<Email>,
    pub(super) attendees: Vec<Attendee>,
    pub(super) unknown: Vec<Email>,
    /// The zones of the attendees, each with the places of those who live there.
    zones: Vec<(Zone, Vec<usize>)>,
    data_version: String,
}

/// Where everybody stands in one slot.
#[derive(Default)]
pub(super) struct AttendeeBreakdown<'a> {
    pub free: Vec<&'a Email>,
    pub if_needed: Vec<&'a Email>,
    pub busy: Vec<&'a Email>,
    /// How many of those who must come would rather not.
    pub reluctant: usize,
}

impl<'a> Candidates<'a> {
    /// Takes in what availability found. `draw` gives a seed where none was given.
    ///
    /// # Errors
    /// A detail that makes no sense, and where.
    pub fn enter(
        request: &'a Request,
        detail: GroupDetail,
        draw: impl FnOnce() -> u64,
    ) -> Result<Candidates<'a>, Fault> {
        let frame = detail.frame().map_err(|why| Fault::new("/window", "not_a_window", why.to_string()))?;
        let ask = RankingOptions { seed: request.seed.unwrap_or_else(|| draw() & LARGEST_SEED), ..request.ask.clone() };
        let mut zones: Vec<(Zone, Vec<usize>)> = detail.zones.into_iter().map(|zone| (zone, Vec::new())).collect();
        let mut emails = Vec::with_capacity(detail.attendees.len());
        let mut attendees = Vec::with_capacity(detail.attendees.len());
        for (at, presence) in detail.attendees.into_iter().enumerate() {
            let grid = |name: &str, text: &str| {
                let wrong = || Fault::new(format!("/attendees/{at}/{name}"), "not_a_grid", "does not fit the frame");
                Grid::from_text(frame.len(), text).ok_or_else(wrong)
            };
            let free = grid("free", &presence.free)?;
            let opinion = presence.if_needed.as_deref().map(|text| grid("if_needed", text)).transpose()?;
            // where availability says nothing of zones, there is no clock to speak of
            let zone = zones.get_mut(presence.zone).map(|(zone, places)| {
                places.push(at);
                zone.clone()
            });
            attendees.push(Attendee {
                preference: presence.preference,
                attendance: presence.attendance,
                weight: presence.weight,
                zone,
                free,
                if_needed: opinion.unwrap_or_default(),
            });
            emails.push(presence.email);
        }
        let (unknown, data_version) = (detail.unknown, detail.data_version);
        Ok(Candidates { request, ask, frame, emails, attendees, unknown, zones, data_version })
    }

    /// Ranks, and says why.
    pub fn answer(&mut self) -> Suggestions<&Email> {
        let choice = rank_slots(&self.frame, &self.attendees, &self.ask);
        let fairness = self.fairness(&choice);
        let ranked = choice.slots.iter().zip(1..);
        let mut suggestions: Vec<_> = ranked.map(|(slot, rank)| self.suggestion(&choice, slot, rank)).collect();
        suggestions.iter_mut().take(1).for_each(|first| first.reason += &fairness);
        Suggestions {
            suggestions,
            empty_reason: choice.slots.is_empty().then(|| self.empty_reason()),
            pick: choice.pick.map(|pick| pick.name().into()),
            seed: if choice.random_used { Some(self.ask.seed) } else { self.request.seed },
            algorithm_version: ALGORITHM_VERSION,
            data_version: self.data_version.clone(),
        }
    }

    /// At how many starting times the meeting could be.
    pub fn count(&self) -> usize {
        count_starts(&self.frame, &self.attendees, &self.ask)
    }

    /// The same, if the dates ended on an earlier day: this room's frame begins with the frame of fewer days.
    ///
    /// # Errors
    /// Dates that are none.
    pub fn count_until(&self, window: Window) -> Result<usize, Fault> {
        let frame = api::frame(self.frame.zone().cloned(), window.from, Some(window))
            .map_err(|why| Fault::new("", "not_a_window", why.to_string()))?;
        let cut = |grid: &Grid| {
            let mut short = Grid::empty(frame.len());
            short.union(grid);
            short
        };
        let attendee =
            |one: &Attendee| Attendee { free: cut(&one.free), if_needed: cut(&one.if_needed), ..one.clone() };
        let attendees: Vec<Attendee> = self.attendees.iter().map(attendee).collect();
        Ok(count_starts(&frame, &attendees, &self.ask))
    }

    /// How many must come.
    pub(super) fn required(&self) -> usize {
        self.attendees.iter().filter(|one| one.attendance == Attendance::Required).count()
    }

    /// How many must be able to come, if that is more than those who must.
    pub(super) fn quorum(&self) -> Option<usize> {
        self.ask.quorum.filter(|quorum| *quorum > self.required())
    }

    fn suggestion(&self, choice: &Ranking, slot: &Slot, rank: usize) -> Suggestion<&Email> {
        let places = self.places(&slot.quarters);
        let reason = self.reason(choice, slot, rank, &places);
        let (day, start, end) = self.clock(&slot.quarters);
        Suggestion {
            rank,
            day,
            start,
            end,
            local: self.locals(&slot.quarters),
            free: places.free,
            if_needed: places.if_needed,
            busy: places.busy,
            unknown: self.unknown.iter().collect(),
            score: slot.score,
            factors: slot.factors.iter().map(|it| Factor { name: it.name.into(), value: it.value }).collect(),
            reason,
        }
    }

    fn places(&self, slot: &Range<usize>) -> AttendeeBreakdown<'_> {
        let mut places =
            AttendeeBreakdown { free: Vec::with_capacity(self.emails.len()), ..AttendeeBreakdown::default() };
        for (email, one) in self.emails.iter().zip(&self.attendees) {
            let can = |quarter| one.free.contains(quarter) || one.if_needed.contains(quarter);
            let list = match slot.clone().find(|quarter| !one.free.contains(*quarter)) {
                None => &mut places.free,
                Some(first) if (first..slot.end).all(can) => {
                    places.reluctant += usize::from(one.attendance == Attendance::Required);
                    &mut places.if_needed
                }
                Some(_) => &mut places.busy,
            };
            list.push(email);
        }
        places
    }

    /// Day, start and end on the clock of the answer; in a window there is no day.
    pub(super) fn clock(&self, slot: &Range<usize>) -> (Option<std::borrow::Cow<'static, str>>, String, String) {
        let frame = &self.frame;
        match frame.has_dates() {
            true => (None, frame.format_quarter(slot.start), frame.format_quarter(slot.end)),
            false => {
                let (day, start) = frame.day_and_time(slot.start, false);
                (Some(day.name().into()), start, frame.day_and_time(slot.end, true).1)
            }
        }
    }

    /// The same on everybody's own clock.
    fn locals(&self, slot: &Range<usize>) -> Vec<Local<&Email>> {
        let frame = &self.frame;
        let local = |(zone, places): &(Zone, Vec<usize>)| {
            let (day, start, end) = match frame.has_dates() {
                true => {
                    let text = |q| zone.format_rfc3339(frame.instant(q));
                    (None, text(slot.start), text(slot.end))
                }
                false => {
                    let (day, start) = frame.day_and_time_in(zone, slot.start, false);
                    (Some(day.name().into()), start, frame.day_and_time_in(zone, slot.end, true).1)
                }
            };
            let attendees = places.iter().map(|at| &self.emails[*at]).collect();
            Local { time_zone: zone.name().to_owned().into(), day, start, end, attendees }
        };
        self.zones.iter().filter(|(_, places)| !places.is_empty()).map(local).collect()
    }
}
