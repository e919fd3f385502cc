//! Parameters of a search for a time: dates, duration, pick, seed. They mean the same in every request.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::calendar::{Attendance, Fault, Preference, SearchWindow, Zone, iso_week};
use crate::platform::http::extract::{Params, one_of, parsed};

/// The longest meeting, in minutes.
const MAX_DURATION: u64 = 24 * 60;
/// The largest integer that every JSON implementation reads exactly (RFC 8259, 6).
pub const MAX_SEED: u64 = (1 << 53) - 1;

/// A window of dates, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Window {
    /// The first date.
    pub from: Date,
    /// The last date.
    pub to: Date,
}

impl Window {
    /// Takes `week`, or `from` and `to`. Faults go to `fields`.
    pub fn read(fields: &mut Params) -> Option<Window> {
        let given = (fields.has("week"), fields.has("from"), fields.has("to"));
        let week = fields.optional("week", parsed("not_a_week", iso_week));
        let ends = (fields.optional("from", date), fields.optional("to", date));
        let (from, to) = match given {
            (false, false, false) => return None,
            (true, false, false) => week?,
            (false, true, true) => ends.0.zip(ends.1)?,
            _ => {
                if given == (week.is_some(), ends.0.is_some(), ends.1.is_some()) {
                    fields.fault(Fault::new("#/from", "half_a_window", "give week alone, or from and to together"));
                }
                return None;
            }
        };
        if let Err(why) = SearchWindow::dates(Zone::utc(), from, to) {
            fields.fault(Fault::new("#/from", "not_a_window", why.to_string()));
        }
        Some(Window { from, to })
    }
}

/// Whether the last of some dates has passed: in `zone`, or without one wherever it is a date on earth.
#[must_use]
pub fn is_past(dates: Window, zone: Option<&Zone>, now: Timestamp) -> bool {
    let latest = SignedDuration::from_hours(12);
    let today = || Zone::utc().date_at(now.saturating_sub(latest).unwrap_or(now));
    dates.to < zone.map_or_else(today, |zone| zone.date_at(now))
}

/// The fault of dates for a meeting that have passed. `by_week`: whether they were given as a week.
#[must_use]
pub fn past_dates(by_week: bool) -> Fault {
    let pointer = if by_week { "#/week" } else { "#/to" };
    Fault::new(pointer, "in_the_past", "is in the past: a meeting needs dates to come")
}

/// A date such as 2026-03-23.
///
/// # Errors
/// The text is no such date.
pub fn date(value: &Value) -> Result<Date, Vec<Fault>> {
    let exact = |text: &str| text.parse::<Date>().ok().filter(|_| text.len() == "2026-03-23".len());
    parsed("not_a_date", |text| exact(text).ok_or("must be a date such as 2026-03-23"))(value)
}

/// Takes `duration_minutes`, a multiple of 15.
pub fn duration(fields: &mut Params) -> Option<u64> {
    let duration = fields.number("duration_minutes", 15..=MAX_DURATION)?;
    if !duration.is_multiple_of(15) {
        fields.fault(Fault::new("#/duration_minutes", "not_a_quarter", "must be a multiple of 15"));
    }
    Some(duration)
}

/// Takes `step_minutes`: slots start on multiples of it.
pub fn step(fields: &mut Params) -> u32 {
    match fields.number("step_minutes", 15..=60) {
        Some(30) => 30,
        Some(60) => 60,
        Some(15) | None => 15,
        Some(_) => {
            fields.fault(Fault::new("#/step_minutes", "not_a_step", "must be 15, 30 or 60"));
            15
        }
    }
}

/// Whether an attendee must come.
///
/// # Errors
/// Another text.
pub fn attendance(value: &Value) -> Result<Attendance, Vec<Fault>> {
    one_of("not_an_attendance", [("required", Attendance::Required), ("optional", Attendance::Optional)])(value)
}

/// Takes `pick`, the rule that chooses a slot.
pub fn pick(fields: &mut Params) -> Option<Preference> {
    let read = |text: &str| Preference::parse(text).ok_or("must be first, last, random or best");
    fields.optional("pick", parsed("not_a_pick", read))
}

/// Takes `seed`, the seed of random picks.
pub fn seed(fields: &mut Params) -> Option<u64> {
    fields.number("seed", 0..=MAX_SEED)
}
