//! Ranks the slots of a group, and shows in each who can come, in every time zone. Pure.

use std::ops::Range;

use crate::calendar::{
    Attendee, Fault, Grid, Ranking, RankingOptions, SearchWindow, Slot, Zone, count_starts, rank_slots,
};
use crate::platform::email::Email;
use crate::platform::http::window::MAX_SEED;
use crate::roles::availability::api::{self, GroupDetail, Window};

use super::api::{Factor, Local, Suggestion, Suggestions};
use super::request::SuggestionRequest;

/// The version grows with every change after which the same data may give another answer.
const ALGORITHM_VERSION: u32 = 2;

/// The availability of a group in one search window, and the options to rank by.
pub struct Candidates<'a> {
    pub(super) request: &'a SuggestionRequest,
    pub(super) options: RankingOptions,
    pub(super) window: SearchWindow,
    pub(super) emails: Vec<Email>,
    pub(super) attendees: Vec<Attendee>,
    /// The attendees whose typical week is empty.
    pub(super) with_empty_week: Vec<Email>,
    pub(super) unknown: Vec<Email>,
    /// The zones of the attendees, each with the indices of its attendees.
    zones: Vec<(Zone, Vec<usize>)>,
    data_version: String,
}

/// The attendees by their availability in one slot.
#[derive(Default)]
pub(super) struct AttendeeBreakdown<'a> {
    pub free: Vec<&'a Email>,
    pub if_needed: Vec<&'a Email>,
    pub busy: Vec<&'a Email>,
    /// How many of `if_needed` are required.
    pub required_if_needed: usize,
}

impl<'a> Candidates<'a> {
    /// Reads the answer of availability. `draw_seed` is called if the request has no seed.
    ///
    /// # Errors
    /// The fault of a detail that does not fit together.
    pub fn from_detail(
        request: &'a SuggestionRequest,
        detail: GroupDetail,
        draw_seed: impl FnOnce() -> u64,
    ) -> Result<Candidates<'a>, Fault> {
        let window = detail.search_window().map_err(|why| Fault::new("/window", "not_a_window", why.to_string()))?;
        let seed = request.seed.unwrap_or_else(|| draw_seed() & MAX_SEED);
        let options = RankingOptions { seed, ..request.options.clone() };
        let mut zones: Vec<(Zone, Vec<usize>)> = detail.zones.into_iter().map(|zone| (zone, Vec::new())).collect();
        let mut emails = Vec::with_capacity(detail.attendees.len());
        let mut attendees = Vec::with_capacity(detail.attendees.len());
        let empty = detail.attendees.iter().filter(|one| one.is_week_empty);
        let with_empty_week = empty.map(|one| one.email.clone()).collect();
        for (index, attendee) in detail.attendees.into_iter().enumerate() {
            let grid = |name: &str, text: &str| {
                let pointer = format!("/attendees/{index}/{name}");
                let fault = || Fault::new(pointer, "not_a_grid", "does not fit the search window");
                Grid::from_text(window.len(), text).ok_or_else(fault)
            };
            let free = grid("free", &attendee.free)?;
            let if_needed = attendee.if_needed.as_deref().map(|text| grid("if_needed", text)).transpose()?;
            let zone = zones.get_mut(attendee.zone).map(|(zone, indices)| {
                indices.push(index);
                zone.clone()
            });
            attendees.push(Attendee {
                preference: attendee.preference,
                attendance: attendee.attendance,
                weight: attendee.weight,
                zone,
                free,
                if_needed: if_needed.unwrap_or_default(),
            });
            emails.push(attendee.email);
        }
        let (unknown, data_version) = (detail.unknown, detail.data_version);
        Ok(Candidates { request, options, window, emails, attendees, with_empty_week, unknown, zones, data_version })
    }

    /// Ranks the slots and explains the result.
    pub fn suggest(&mut self) -> Suggestions<&Email> {
        let ranking = rank_slots(&self.window, &self.attendees, &self.options);
        let fairness = self.fairness_phrase(&ranking);
        let ranked = ranking.slots.iter().zip(1..);
        let mut suggestions: Vec<_> = ranked.map(|(slot, rank)| self.suggestion(&ranking, slot, rank)).collect();
        suggestions.iter_mut().take(1).for_each(|first| first.reason += &fairness);
        Suggestions {
            suggestions,
            empty_reason: ranking.slots.is_empty().then(|| self.empty_reason()),
            pick: ranking.pick.map(|pick| pick.name().into()),
            seed: if ranking.random_used { Some(self.options.seed) } else { self.request.seed },
            algorithm_version: ALGORITHM_VERSION,
            data_version: self.data_version.clone(),
        }
    }

    /// The number of possible starts.
    pub fn count_starts(&self) -> usize {
        count_starts(&self.window, &self.attendees, &self.options)
    }

    /// The number of possible starts in fewer dates, which begin on the same day.
    ///
    /// # Errors
    /// Dates that are not valid.
    pub fn count_starts_until(&self, dates: Window) -> Result<usize, Fault> {
        let window = api::search_window(self.window.zone().cloned(), dates.from, Some(dates))
            .map_err(|why| Fault::new("", "not_a_window", why.to_string()))?;
        let truncate = |grid: &Grid| {
            let mut short = Grid::empty(window.len());
            short.union(grid);
            short
        };
        let attendee =
            |one: &Attendee| Attendee { free: truncate(&one.free), if_needed: truncate(&one.if_needed), ..one.clone() };
        let attendees: Vec<Attendee> = self.attendees.iter().map(attendee).collect();
        Ok(count_starts(&window, &attendees, &self.options))
    }

    /// The number of required attendees.
    pub(super) fn required_count(&self) -> usize {
        self.attendees.iter().filter(|one| one.attendance.is_required()).count()
    }

    /// The quorum, if it is more than the number of required attendees.
    pub(super) fn quorum(&self) -> Option<usize> {
        self.options.quorum.filter(|quorum| *quorum > self.required_count())
    }

    fn suggestion(&self, ranking: &Ranking, slot: &Slot, rank: usize) -> Suggestion<&Email> {
        let breakdown = self.breakdown(&slot.quarters);
        let reason = self.reason(ranking, slot, rank, &breakdown);
        let (day, start, end) = self.format_slot(&slot.quarters);
        Suggestion {
            rank,
            day,
            start,
            end,
            local: self.local_times(&slot.quarters),
            free: breakdown.free,
            if_needed: breakdown.if_needed,
            busy: breakdown.busy,
            unknown: self.unknown.iter().collect(),
            score: slot.score,
            factors: slot.factors.iter().map(|it| Factor { name: it.name.into(), value: it.value }).collect(),
            reason,
        }
    }

    fn breakdown(&self, slot: &Range<usize>) -> AttendeeBreakdown<'_> {
        let mut breakdown =
            AttendeeBreakdown { free: Vec::with_capacity(self.emails.len()), ..AttendeeBreakdown::default() };
        for (email, one) in self.emails.iter().zip(&self.attendees) {
            let can = |quarter| one.free.contains(quarter) || one.if_needed.contains(quarter);
            let list = match slot.clone().find(|quarter| !one.free.contains(*quarter)) {
                None => &mut breakdown.free,
                Some(first) if (first..slot.end).all(can) => {
                    breakdown.required_if_needed += usize::from(one.attendance.is_required());
                    &mut breakdown.if_needed
                }
                Some(_) => &mut breakdown.busy,
            };
            list.push(email);
        }
        breakdown
    }

    /// Day, start and end in the time zone of the answer; a search in dates has no day.
    pub(super) fn format_slot(&self, slot: &Range<usize>) -> (Option<std::borrow::Cow<'static, str>>, String, String) {
        let window = &self.window;
        match window.has_dates() {
            true => (None, window.format_quarter(slot.start), window.format_quarter(slot.end)),
            false => {
                let (day, start) = window.day_and_time(slot.start, false);
                (Some(day.name().into()), start, window.day_and_time(slot.end, true).1)
            }
        }
    }

    /// Day, start and end in each time zone of the attendees.
    fn local_times(&self, slot: &Range<usize>) -> Vec<Local<&Email>> {
        let window = &self.window;
        let local = |(zone, indices): &(Zone, Vec<usize>)| {
            let (day, start, end) = match window.has_dates() {
                true => {
                    let text = |q| zone.format_rfc3339(window.instant(q));
                    (None, text(slot.start), text(slot.end))
                }
                false => {
                    let (day, start) = window.day_and_time_in(zone, slot.start, false);
                    (Some(day.name().into()), start, window.day_and_time_in(zone, slot.end, true).1)
                }
            };
            let attendees = indices.iter().map(|index| &self.emails[*index]).collect();
            Local { time_zone: zone.name().to_owned().into(), day, start, end, attendees }
        };
        self.zones.iter().filter(|(_, indices)| !indices.is_empty()).map(local).collect()
    }
}
