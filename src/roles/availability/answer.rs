//! What a caller of availability reads: the common time, how many are free when, and everybody's view. Pure.

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::api::Window;
use super::model::{Gathered, Person};
use crate::calendar::{Attendance, Day, Format, FormattedWeek, Grid, Preference, Week, Zone, free_count};
use crate::platform::email::Email;

/// What is asked of the answer's shape.
#[derive(Clone, Copy, Default)]
pub struct Shape {
    /// Of a typical week.
    pub format: Format,
    /// Quarters behind each digit of a view; no view if there are none.
    pub view: Option<usize>,
}

/// What a caller reads.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer<'a> {
    TypicalWeek {
        #[serde(flatten)]
        people: People<'a>,
        time_zone: &'a str,
        as_of: Date,
        common: Common,
        free_count: FreeCount,
        empty_reason: Option<EmptyReason<'a>>,
    },
    InWindow {
        #[serde(flatten)]
        people: People<'a>,
        time_zone: &'a str,
        window: Option<Window>,
        periods: Vec<Period>,
        free_count: Vec<HourCount>,
        empty_reason: Option<EmptyReason<'a>>,
    },
}

#[derive(Serialize)]
pub struct People<'a> {
    attendees: Vec<Attendee<'a>>,
    /// Only where they may be left out.
    #[serde(skip_serializing_if = "<[Email]>::is_empty")]
    unknown: &'a [Email],
    #[serde(skip_serializing_if = "Option::is_none")]
    view_minutes: Option<usize>,
}

#[derive(Serialize)]
pub struct Attendee<'a> {
    email: &'a Email,
    preference: Preference,
    /// `optional`, or left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    attendance: Option<Attendance>,
    /// One digit for each stretch: 0 free, 1 if needed, 2 busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<String>,
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
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FormattedWeek::new(&self.0, self.1).serialize(serializer)
    }
}

impl Serialize for FreeCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
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

impl Gathered {
    /// The common time, and how many are free in each hour.
    pub fn answer(&self, shape: Shape) -> Answer<'_> {
        let common = self.common();
        let hours = self.frame.hours();
        let counts = free_count(&hours, &self.free);
        let time_zone = self.zone.as_ref().map_or("floating", Zone::name);
        let everybody = || self.people.iter().zip(&self.free);
        let people = People {
            attendees: everybody().map(|(person, free)| attendee(person, free, shape.view)).collect(),
            unknown: &self.unknown,
            view_minutes: shape.view.map(|quarters| 15 * quarters),
        };
        let empty_reason = common.is_empty().then(|| self.empty_reason());
        if self.frame.has_dates() {
            let text = |q| self.frame.format_quarter(q);
            let periods = common.runs().map(|run| Period { start: text(run.start), end: text(run.end) }).collect();
            let free_count =
                hours.iter().zip(counts).map(|(hour, count)| HourCount { start: text(hour.start), count }).collect();
            Answer::InWindow { people, time_zone, window: self.window, periods, free_count, empty_reason }
        } else {
            let common = Common(Week::from_bytes(&common.to_bytes()).unwrap_or_default(), shape.format);
            let free_count = FreeCount(counts);
            Answer::TypicalWeek { people, time_zone, as_of: self.as_of, common, free_count, empty_reason }
        }
    }

    fn empty_reason(&self) -> EmptyReason<'_> {
        let never = self.people.iter().zip(&self.free).filter(|(_, free)| free.is_empty()).map(|(person, _)| person);
        let matters = |person: &&Person| self.quorum.is_some() || person.must_come();
        let blocking: Vec<&Email> = never.filter(matters).map(|person| &person.card.email).collect();
        let (code, detail) = match (blocking.is_empty(), self.quorum) {
            _ if self.frame.is_empty() => ("unknown", "the dates hold no time at all: the clocks there skipped them"),
            (_, Some(_)) if !self.unknown.is_empty() => {
                ("attendees_unavailable_or_unknown", "too few of those who are known are free at once")
            }
            _ if self.people.is_empty() => {
                ("attendees_unavailable_or_unknown", "nobody of those who were asked for is known")
            }
            (_, Some(_)) => ("attendees_unavailable", "there is no time at which enough of them are free"),
            (true, None) => {
                ("attendees_unavailable", "everybody is free at some time, but there is none at which all are")
            }
            (false, None) => ("attendees_unavailable", "somebody is never free in what was searched"),
        };
        EmptyReason { code, detail, blocking }
    }
}

fn attendee<'a>(person: &'a Person, free: &Grid, view: Option<usize>) -> Attendee<'a> {
    Attendee {
        email: &person.card.email,
        preference: person.card.preference,
        attendance: (!person.must_come()).then_some(Attendance::Optional),
        view: view.map(|quarters| digits(free, person.if_needed.as_ref(), quarters.max(1))),
    }
}

/// One digit for each stretch of so many quarters of real time: the worst of them.
fn digits(free: &Grid, if_needed: Option<&Grid>, quarters: usize) -> String {
    let digit = |quarter| match if_needed {
        _ if free.contains(quarter) => '0',
        Some(opinion) if opinion.contains(quarter) => '1',
        _ => '2',
    };
    let worst = |start: usize| (start..free.len().min(start + quarters)).map(digit).max().unwrap_or('2');
    (0..free.len()).step_by(quarters).map(worst).collect()
}
