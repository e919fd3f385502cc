//! Combines the data of user into the availability of a group in one search window. Pure.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;

use super::api::{self, AnswerZone, AttendeeAvailability, GroupDetail, Question, RequestedAttendee, Window};
use super::data_version::data_version;
use crate::calendar::{Fault, Grid, Projector, SearchWindow, Zone, free_count};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::{Busy, Lookup, UserAvailability, unknown_users};

/// The availability of a group in one search window.
pub struct GroupAvailability {
    pub attendees: Vec<Attendee>,
    /// The free time of each attendee.
    pub free: Vec<Grid>,
    /// The addresses without an account.
    pub unknown: Vec<Email>,
    pub search_window: SearchWindow,
    pub zone: Option<Zone>,
    pub as_of: Date,
    pub window: Option<Window>,
    pub quorum: Option<usize>,
    /// The attendees' zones, each once.
    zones: Vec<Zone>,
}

/// One attendee.
pub struct Attendee {
    pub user: UserAvailability,
    pub request: RequestedAttendee,
    /// The index of the zone in the list of zones.
    zone: usize,
    /// The time in which the attendee can meet but prefers not to, if there is any.
    pub if_needed: Option<Grid>,
    /// The time that meetings and calendars take, if the question asks for it.
    busy: Option<Grid>,
}

/// Combines the data of user. `today` is called only if the question needs it.
pub fn combine(
    question: &Question,
    lookup: Lookup,
    today: impl FnOnce(&Zone) -> Date,
) -> Result<GroupAvailability, Problem> {
    if !lookup.unknown.is_empty() && !question.skip_unknown {
        return Err(unknown_users(&lookup.unknown));
    }
    let Lookup { users, unknown, busy, .. } = lookup;
    let first_zone = || users.first().map_or_else(Zone::utc, |user| user.time_zone.clone());
    let zone = match &question.time_zone {
        Some(AnswerZone::Floating) => None,
        Some(AnswerZone::Zone(zone)) => Some(zone.clone()),
        None => Some(first_zone()),
    };
    let as_of = question.as_of.unwrap_or_else(|| today(zone.as_ref().unwrap_or(&Zone::utc())));
    let search_window = api::search_window(zone.clone(), as_of, question.window)
        .map_err(|why| Problem::validation(vec![Fault::new("#/from", "not_a_window", why.to_string())]))?;
    let busy = busy_by_attendee(&search_window, &busy);
    let mut projection = Projection::new(&search_window, question);
    let skipped: HashSet<&Email> = unknown.iter().collect();
    let requested = question.attendees.iter().filter(|one| !skipped.contains(&one.email));
    let attendees = users.into_iter().zip(requested);
    let (attendees, free) = attendees.map(|(user, request)| projection.attendee(user, request, &busy)).unzip();
    let zones = projection.zones;
    let Question { window, quorum, .. } = *question;
    Ok(GroupAvailability { attendees, free, unknown, zone, as_of, window, quorum, zones, search_window })
}

/// The busy time of each attendee. A typical week has none.
fn busy_by_attendee(window: &SearchWindow, periods: &[Busy]) -> HashMap<Email, Grid> {
    let mut busy: HashMap<Email, Grid> = HashMap::new();
    for period in periods.iter().filter(|_| window.has_dates()) {
        let grid = busy.entry(period.email.clone()).or_insert_with(|| Grid::empty(window.len()));
        grid.insert(window.quarters_overlapping(period.start, period.end));
    }
    busy
}

/// Projects the weeks of attendees to one search window.
struct Projection<'a> {
    question: &'a Question,
    projector: Projector<'a>,
    /// The quarters before `not_before`.
    too_early: Option<Grid>,
    zones: Vec<Zone>,
    zone_indices: HashMap<Zone, usize>,
    /// The quarters within the requested hours, for each zone; empty if no hours are requested.
    hours: Vec<Grid>,
}

impl<'a> Projection<'a> {
    fn new(window: &'a SearchWindow, question: &'a Question) -> Projection<'a> {
        let too_early = question.not_before.map(|instant| {
            let mut early = Grid::empty(window.len());
            early.insert(window.quarters_overlapping(Timestamp::MIN, instant));
            early
        });
        let (zones, zone_indices, hours) = (Vec::new(), HashMap::new(), Vec::new());
        Projection { question, projector: Projector::new(window), too_early, zones, zone_indices, hours }
    }

    fn attendee(
        &mut self,
        user: UserAvailability,
        request: &RequestedAttendee,
        busy: &HashMap<Email, Grid>,
    ) -> (Attendee, Grid) {
        let zone = self.zone_index(&user.time_zone);
        let restrict = |mut grid: Grid| {
            busy.get(&user.email).into_iter().chain(&self.too_early).for_each(|taken| grid.subtract(taken));
            self.hours.get(zone).into_iter().for_each(|hours| grid.and(hours));
            grid
        };
        let free = restrict(self.projector.project_with(&user.availability, &user.overrides, &user.time_zone));
        let mut if_needed =
            || restrict(self.projector.project_with(&user.if_needed, &user.overrides.cleared(), &user.time_zone));
        let if_needed = (!user.if_needed.is_empty()).then(&mut if_needed);
        let taken = || busy.get(&user.email).cloned().unwrap_or_else(|| Grid::empty(free.len()));
        let busy = self.question.with_busy.then(taken);
        (Attendee { user, request: request.clone(), zone, if_needed, busy }, free)
    }

    /// The index of a zone in the list; a new zone is added.
    fn zone_index(&mut self, zone: &Zone) -> usize {
        if let Some(index) = self.zone_indices.get(zone) {
            return *index;
        }
        if let Some(hours) = self.question.hours {
            self.hours.push(self.projector.within_hours(zone, hours.earliest, hours.latest));
        }
        self.zones.push(zone.clone());
        self.zone_indices.insert(zone.clone(), self.zones.len() - 1);
        self.zones.len() - 1
    }
}

impl GroupAvailability {
    /// The data that suggestion needs. `key`: the secret of the installation.
    pub fn detail(self, key: &str) -> GroupDetail {
        let detail = |(attendee, free): (Attendee, Grid)| AttendeeAvailability {
            is_week_empty: attendee.user.availability.is_empty() && attendee.user.if_needed.is_empty(),
            email: attendee.user.email,
            preference: attendee.user.preference,
            attendance: attendee.request.attendance,
            weight: attendee.request.weight,
            zone: attendee.zone,
            free: free.to_text(),
            if_needed: attendee.if_needed.map(|grid| grid.to_text()),
            busy: attendee.busy.map(|grid| grid.to_text()),
        };
        let attendees: Vec<AttendeeAvailability> = self.attendees.into_iter().zip(self.free).map(detail).collect();
        GroupDetail {
            data_version: data_version(key, &attendees, &self.zones, &self.unknown),
            attendees,
            unknown: self.unknown,
            zones: self.zones,
            time_zone: self.zone,
            as_of: self.as_of,
            window: self.window,
        }
    }

    /// The quarters in which all required attendees are free, and as many attendees as the quorum says, at least one.
    pub fn common(&self) -> Grid {
        let mut common = Grid::full(self.search_window.len());
        let mut has_required = false;
        for (_, free) in
            self.attendees.iter().zip(&self.free).filter(|(attendee, _)| attendee.request.attendance.is_required())
        {
            common.and(free);
            has_required = true;
        }
        if let Some(quorum) = self.quorum.or((!has_required).then_some(1)) {
            let quarters: Vec<Range<usize>> =
                (0..self.search_window.len()).map(|quarter| quarter..quarter + 1).collect();
            let counts = free_count(&quarters, &self.free).into_iter().map(|count| usize::try_from(count).unwrap_or(0));
            let too_few = quarters.into_iter().zip(counts).filter(|(_, count)| *count < quorum);
            too_few.for_each(|(quarter, _)| common.remove(quarter));
        }
        common
    }
}
