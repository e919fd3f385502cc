//! From what user knows to when a group can meet. Pure.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::api::{self, Detail, Place, Presence, Question, Window};
use crate::calendar::{Day, Days, Fault, Format, Frame, Grid, Preference, Week, Zone, common, free_count};
use crate::platform::email::Email;
use crate::platform::problem::{Problem, UNKNOWN_USER};
use crate::roles::user::api::{Card, Lookup};

/// The attendees' time, brought into one frame.
pub struct Gathered {
    pub cards: Vec<Card>,
    pub frame: Frame,
    pub zone: Option<Zone>,
    pub as_of: Date,
    pub window: Option<Window>,
    pub free: Vec<Grid>,
    /// What is taken away from whom, whatever their week says: their busy periods.
    taken: HashMap<Email, Grid>,
    /// The quarters that are too early for anybody.
    early: Option<Grid>,
}

/// What a caller reads.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer<'a> {
    TypicalWeek {
        attendees: Vec<Attendee<'a>>,
        time_zone: &'a str,
        as_of: Date,
        common: Common,
        free_count: FreeCount,
        empty_reason: Option<EmptyReason<'a>>,
    },
    InWindow {
        attendees: Vec<Attendee<'a>>,
        time_zone: &'a str,
        window: Option<Window>,
        periods: Vec<Period>,
        free_count: Vec<HourCount>,
        empty_reason: Option<EmptyReason<'a>>,
    },
}

#[derive(Serialize)]
pub struct Attendee<'a> {
    email: &'a Email,
    preference: Preference,
}

/// Half-open, as instants in the answer's zone.
#[derive(Serialize)]
pub struct Period {
    start: String,
    end: String,
}

#[derive(Serialize)]
pub struct HourCount {
    start: String,
    count: u32,
}

/// People free in each hour of each day.
pub struct FreeCount(Vec<u32>);

/// A week in the format that was asked for.
pub struct Common(Week, Format);

impl Serialize for Common {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Days(&self.0, self.1).serialize(serializer)
    }
}

impl Serialize for FreeCount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Day::ALL.iter().zip(self.0.chunks(24)).map(|(day, hours)| (day.name(), hours)))
    }
}

/// Why there is no common time.
#[derive(Serialize)]
pub struct EmptyReason<'a> {
    code: &'static str,
    detail: &'static str,
    /// Those who are never free in what was searched; nobody when it is only the combination.
    blocking: Vec<&'a Email>,
}

/// Brings everybody's week into the frame of the question. `today` is asked for only where it matters.
pub fn gather(question: &Question, found: Lookup, today: impl FnOnce(&Zone) -> Date) -> Result<Gathered, Problem> {
    if !found.unknown.is_empty() {
        let names: Vec<&str> = found.unknown.iter().take(5).map(Email::as_str).collect();
        let more = if found.unknown.len() > names.len() { ", and more" } else { "" };
        let detail = format!("nobody is registered as {}{more}", names.join(", "));
        let unknown = found.unknown.iter().map(Email::to_string).collect();
        return Err(Problem { unknown, ..Problem::new(UNKNOWN_USER, detail) });
    }
    let cards = found.users;
    let home = || cards.first().map_or_else(Zone::utc, |card| card.time_zone.clone());
    let zone = match &question.time_zone {
        Some(Place::Floating) => None,
        Some(Place::Zone(zone)) => Some(zone.clone()),
        None => Some(home()),
    };
    let as_of = question.as_of.unwrap_or_else(|| today(zone.as_ref().unwrap_or(&Zone::utc())));
    let frame = api::frame(zone.clone(), as_of, question.window)
        .map_err(|why| Problem::validation(vec![Fault::new("#/from", "not_a_window", why.to_string())]))?;
    let mut projector = frame.projector();
    let mut free: Vec<Grid> = cards.iter().map(|card| projector.project(&card.availability, &card.time_zone)).collect();
    let mut taken: HashMap<Email, Grid> = HashMap::new();
    for busy in found.busy.iter().filter(|_| question.window.is_some()) {
        let theirs = taken.entry(busy.email.clone()).or_insert_with(|| Grid::empty(frame.len()));
        theirs.insert(frame.touched(busy.start, busy.end));
    }
    let early = question.not_before.map(|instant| {
        let mut early = Grid::empty(frame.len());
        early.insert(frame.touched(Timestamp::MIN, instant));
        early
    });
    for (card, free) in cards.iter().zip(&mut free) {
        taken.get(&card.email).into_iter().chain(&early).for_each(|gone| free.subtract(gone));
    }
    Ok(Gathered { free, zone, as_of, window: question.window, cards, frame, taken, early })
}

impl Gathered {
    /// What suggestion needs of it.
    pub fn detail(self) -> Detail {
        let mut projector = self.frame.projector();
        let mut if_needed = |card: &Card| {
            let mut grid = projector.project(&card.if_needed, &card.time_zone);
            self.taken.get(&card.email).into_iter().chain(&self.early).for_each(|gone| grid.subtract(gone));
            grid.to_text()
        };
        let presence = |(card, free): (&Card, &Grid)| Presence {
            email: card.email.clone(),
            preference: card.preference,
            free: free.to_text(),
            if_needed: (!card.if_needed.is_empty()).then(|| if_needed(card)),
        };
        Detail {
            attendees: self.cards.iter().zip(&self.free).map(presence).collect(),
            time_zone: self.zone.clone(),
            as_of: self.as_of,
            window: self.window,
            data_version: data_version(&self.cards, &self.taken),
        }
    }

    /// The common time, and how many are free in each hour. `format` is for the typical week.
    pub fn answer(&self, format: Format) -> Answer<'_> {
        let common = common(&self.free);
        let counts = free_count(&self.frame.hours(), &self.free);
        let time_zone = self.zone.as_ref().map_or("floating", Zone::name);
        let attendees =
            self.cards.iter().map(|card| Attendee { email: &card.email, preference: card.preference }).collect();
        let empty_reason = common.is_empty().then(|| self.empty_reason());
        if self.frame.is_window() {
            let text = |q| self.frame.local_text(q);
            let periods = common.runs().map(|run| Period { start: text(run.start), end: text(run.end) }).collect();
            let hours = self.frame.hours();
            let free_count =
                hours.iter().zip(counts).map(|(hour, count)| HourCount { start: text(hour.start), count }).collect();
            Answer::InWindow { attendees, time_zone, window: self.window, periods, free_count, empty_reason }
        } else {
            let common = Common(Week::from_bytes(&common.to_bytes()).unwrap_or_default(), format);
            let free_count = FreeCount(counts);
            Answer::TypicalWeek { attendees, time_zone, as_of: self.as_of, common, free_count, empty_reason }
        }
    }

    fn empty_reason(&self) -> EmptyReason<'_> {
        let never = self.cards.iter().zip(&self.free).filter(|(_, free)| free.is_empty());
        let blocking: Vec<&Email> = never.map(|(card, _)| &card.email).collect();
        let detail = match blocking.is_empty() {
            true => "everybody is free at some time, but there is none at which all are",
            false => "somebody is never free in what was searched",
        };
        EmptyReason { code: "attendees_unavailable", detail, blocking }
    }
}

/// FNV-1a (64 bit) over addresses, versions and busy periods: the same for the same data, whoever computes it.
fn data_version(cards: &[Card], taken: &HashMap<Email, Grid>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for card in cards {
        feed(card.email.as_str().as_bytes());
        feed(&card.version.to_le_bytes());
        taken.get(&card.email).into_iter().for_each(|busy| feed(&busy.to_bytes()));
    }
    format!("{hash:016x}")
}
