//! Reading how many must come, whom not to mind, and the hours of the day.

use serde_json::Value;

use super::question::Hours;
use crate::calendar::Fault;
use crate::platform::http::extract::{Params, parsed};

/// `quorum`: a count, or a percentage of all who are wanted, rounded up to whole people.
pub fn quorum(fields: &mut Params, wanted: Option<usize>) -> Option<usize> {
    let from_query = fields.is_query();
    fields.optional("quorum", |value| {
        let most = wanted.unwrap_or(usize::MAX);
        let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let count = match value {
            Value::String(text) => match text.strip_suffix('%').map(whole) {
                Some(percent) => percent
                    .filter(|percent| (1..=100).contains(percent))
                    .map(|percent: usize| (most.saturating_mul(percent)).div_ceil(100)),
                None => whole(text).filter(|_| from_query),
            },
            other => other.as_u64().and_then(|count| usize::try_from(count).ok()),
        };
        let detail = || match wanted {
            Some(most) => format!("must be a number from 1 to {most}, all who are wanted, or a percentage such as 60%"),
            None => "must be a number of attendees, or a percentage such as 60%".to_owned(),
        };
        let count = count.filter(|count| (1..=most).contains(count));
        count.ok_or_else(|| vec![Fault::new("", "not_a_quorum", detail())])
    })
}

/// `unknown=skip`: whoever is not registered is left out.
pub fn skip_unknown(fields: &mut Params) -> bool {
    let known = |text: &str| if text == "skip" { Ok(()) } else { Err("must be skip, or be left out") };
    fields.optional("unknown", parsed("not_skip", known)).is_some()
}

/// `earliest` and `latest`, as `HH:MM` on quarters.
pub fn hours(fields: &mut Params) -> Option<Hours> {
    let earliest = fields.optional("earliest", |value| clock(value, 0, "00:00 to 23:45"));
    let latest = fields.optional("latest", |value| clock(value, 15, "00:15 to 24:00"));
    if let (Some(earliest), Some(latest)) = (earliest, latest)
        && earliest >= latest
    {
        let detail = "must be later than earliest: hours over midnight cannot be asked for";
        fields.fault(Fault::new("#/latest", "empty_hours", detail));
    }
    (earliest.is_some() || latest.is_some()).then_some(Hours { earliest, latest })
}

/// Minutes since midnight, on a quarter, within a day of 24 hours from `first` on.
fn clock(value: &Value, first: u16, range: &str) -> Result<u16, Vec<Fault>> {
    let read = |text: &str| {
        let (hour, minute) = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok());
        let (hour, minute) = (number(hour)??, number(minute)??);
        let of_day = 60 * hour + minute;
        let inside = (first..first + 1440).contains(&of_day);
        (minute < 60 && minute.is_multiple_of(15) && inside).then_some(of_day)
    };
    let detail = || format!("must be a time of day on a quarter of an hour, {range}");
    parsed("not_a_time_of_day", |text| read(text).ok_or_else(detail))(value)
}
