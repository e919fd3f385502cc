//! From what user knows to everybody's time over one frame. Pure.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;

use super::api::{self, AnswerZone, AttendeeAvailability, GroupDetail, Question, RequestedAttendee, Window};
use super::version::Version;
use crate::calendar::{Attendance, Fault, Grid, Projector, SearchWindow, Zone, free_count};
use crate::platform::email::Email;
use crate::platform::http::problem::{Problem, UNKNOWN_USER};
use crate::roles::user::api::{Busy, Lookup, UserAvailability};

/// The attendees' time, brought into one frame.
pub struct Gathered {
    pub people: Vec<Person>,
    /// When each of them is free.
    pub free: Vec<Grid>,
    /// Whom nobody knows.
    pub unknown: Vec<Email>,
    pub frame: SearchWindow,
    pub zone: Option<Zone>,
    pub as_of: Date,
    pub window: Option<Window>,
    pub quorum: Option<usize>,
    /// The attendees' zones, each once.
    zones: Vec<Zone>,
    data_version: String,
}

/// One attendee.
pub struct Person {
    pub card: UserAvailability,
    pub wanted: RequestedAttendee,
    /// Where in the list of zones theirs is.
    zone: usize,
    /// When they could, if it must be; none where there is no such time.
    pub if_needed: Option<Grid>,
}

/// Brings everybody's week into the frame of the question. `today` is asked for only where it matters.
pub fn gather(question: &Question, found: Lookup, today: impl FnOnce(&Zone) -> Date) -> Result<Gathered, Problem> {
    if !found.unknown.is_empty() && !question.skip_unknown {
        return Err(strangers(&found.unknown));
    }
    let Lookup { users: cards, unknown, busy } = found;
    let home = || cards.first().map_or_else(Zone::utc, |card| card.time_zone.clone());
    let zone = match &question.time_zone {
        Some(AnswerZone::Floating) => None,
        Some(AnswerZone::Zone(zone)) => Some(zone.clone()),
        None => Some(home()),
    };
    let as_of = question.as_of.unwrap_or_else(|| today(zone.as_ref().unwrap_or(&Zone::utc())));
    let frame = api::frame(zone.clone(), as_of, question.window)
        .map_err(|why| Problem::validation(vec![Fault::new("#/from", "not_a_window", why.to_string())]))?;
    let taken = taken(&frame, &busy);
    let data_version = Version::of(&cards, &unknown, &taken);
    let mut stage = Stage::new(&frame, question);
    let strangers: HashSet<&Email> = unknown.iter().collect();
    let wanted = question.attendees.iter().filter(|one| !strangers.contains(&one.email));
    let (people, free) = cards.into_iter().zip(wanted).map(|(card, wanted)| stage.person(card, wanted, &taken)).unzip();
    let zones = stage.zones;
    let Question { window, quorum, .. } = *question;
    Ok(Gathered { people, free, unknown, zone, as_of, window, quorum, zones, data_version, frame })
}

fn strangers(unknown: &[Email]) -> Problem {
    let names: Vec<&str> = unknown.iter().take(5).map(Email::as_str).collect();
    let more = if unknown.len() > names.len() { ", and more" } else { "" };
    let detail = format!("nobody is registered as {}{more}", names.join(", "));
    let unknown = unknown.iter().map(Email::to_string).collect();
    Problem { unknown, ..Problem::new(UNKNOWN_USER, detail) }
}

/// What busy periods take away from whom, whatever their week says. A typical week knows none.
fn taken(frame: &SearchWindow, busy: &[Busy]) -> HashMap<Email, Grid> {
    let mut taken: HashMap<Email, Grid> = HashMap::new();
    for busy in busy.iter().filter(|_| frame.has_dates()) {
        let theirs = taken.entry(busy.email.clone()).or_insert_with(|| Grid::empty(frame.len()));
        theirs.insert(frame.quarters_overlapping(busy.start, busy.end));
    }
    taken
}

/// Where everybody's time is brought to.
struct Stage<'a> {
    question: &'a Question,
    projector: Projector<'a>,
    /// The quarters that are too early for anybody.
    early: Option<Grid>,
    zones: Vec<Zone>,
    places: HashMap<Zone, usize>,
    /// For each zone the quarters inside the hours that are asked for; empty where none are.
    hours: Vec<Grid>,
}

impl<'a> Stage<'a> {
    fn new(frame: &'a SearchWindow, question: &'a Question) -> Stage<'a> {
        let early = question.not_before.map(|instant| {
            let mut early = Grid::empty(frame.len());
            early.insert(frame.quarters_overlapping(Timestamp::MIN, instant));
            early
        });
        let (zones, places, hours) = (Vec::new(), HashMap::new(), Vec::new());
        Stage { question, projector: Projector::new(frame), early, zones, places, hours }
    }

    fn person(
        &mut self,
        card: UserAvailability,
        wanted: &RequestedAttendee,
        taken: &HashMap<Email, Grid>,
    ) -> (Person, Grid) {
        let zone = self.place(&card.time_zone);
        let cut = |mut grid: Grid| {
            taken.get(&card.email).into_iter().chain(&self.early).for_each(|gone| grid.subtract(gone));
            self.hours.get(zone).into_iter().for_each(|hours| grid.and(hours));
            grid
        };
        let free = cut(self.projector.project_with(&card.availability, &card.overrides, &card.time_zone));
        let mut opinion =
            || cut(self.projector.project_with(&card.if_needed, &card.overrides.cleared(), &card.time_zone));
        let if_needed = (!card.if_needed.is_empty()).then(&mut opinion);
        (Person { card, wanted: wanted.clone(), zone, if_needed }, free)
    }

    /// The zone's place in the list, new or known.
    fn place(&mut self, zone: &Zone) -> usize {
        if let Some(at) = self.places.get(zone) {
            return *at;
        }
        if let Some(hours) = self.question.hours {
            self.hours.push(self.projector.within_hours(zone, hours.earliest, hours.latest));
        }
        self.zones.push(zone.clone());
        self.places.insert(zone.clone(), self.zones.len() - 1);
        self.zones.len() - 1
    }
}

impl Gathered {
    /// What suggestion needs of it.
    pub fn detail(self) -> GroupDetail {
        let presence = |(person, free): (Person, Grid)| AttendeeAvailability {
            email: person.card.email,
            preference: person.card.preference,
            attendance: person.wanted.attendance,
            weight: person.wanted.weight,
            zone: person.zone,
            free: free.to_text(),
            if_needed: person.if_needed.map(|grid| grid.to_text()),
        };
        GroupDetail {
            attendees: self.people.into_iter().zip(self.free).map(presence).collect(),
            unknown: self.unknown,
            zones: self.zones,
            time_zone: self.zone,
            as_of: self.as_of,
            window: self.window,
            data_version: self.data_version,
        }
    }

    /// The quarters in which all who must come are free, and so many of all as the question asks for. Somebody must be there.
    pub fn common(&self) -> Grid {
        let mut common = Grid::full(self.frame.len());
        let mut nobody = true;
        for (_, free) in self.people.iter().zip(&self.free).filter(|(person, _)| person.must_come()) {
            common.and(free);
            nobody = false;
        }
        if let Some(quorum) = self.quorum.or(nobody.then_some(1)) {
            let quarters: Vec<Range<usize>> = (0..self.frame.len()).map(|quarter| quarter..quarter + 1).collect();
            let counts = free_count(&quarters, &self.free).into_iter().map(|count| usize::try_from(count).unwrap_or(0));
            let few = quarters.into_iter().zip(counts).filter(|(_, count)| *count < quorum);
            few.for_each(|(quarter, _)| common.remove(quarter));
        }
        common
    }
}

impl Person {
    /// Whether nobody meets without them.
    pub fn must_come(&self) -> bool {
        self.wanted.attendance == Attendance::Required
    }
}
